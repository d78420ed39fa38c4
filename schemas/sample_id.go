package schemas

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// SampleID names one sample forever: FixedString(16) in ClickHouse, 32 hex digits for people.
type SampleID [16]byte

// Hash is a SHA-256 digest.
type Hash [sha256.Size]byte

// NewSampleID derives the id: the first 16 bytes of SHA-256 over the domain string, the length-prefixed dataset and the
// length-prefixed unique id, or the content's digest where there is no unique id. Lengths are big-endian uint32.
func NewSampleID(dataset, uniqueID string, content Hash) SampleID {
	h := sha256.New()
	put := func(b []byte) {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	h.Write([]byte("gleaner/sample/v1"))
	put([]byte(dataset))
	if uniqueID != "" {
		put([]byte(uniqueID))
	} else {
		put(content[:])
	}
	var id SampleID
	copy(id[:], h.Sum(nil))
	return id
}

// ParseSampleID reads the 32 hex digits that String writes.
func ParseSampleID(s string) (SampleID, error) {
	var id SampleID
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("sample id %q: want 32 hex digits", s)
	}
	copy(id[:], b)
	return id, nil
}

func (id SampleID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText writes the id as hex digits.
func (id SampleID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (id *SampleID) UnmarshalText(b []byte) error {
	parsed, err := ParseSampleID(string(b))
	if err == nil {
		*id = parsed
	}
	return err
}

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the digest as hex digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 64 hex digits.
func (h *Hash) UnmarshalText(b []byte) error {
	raw, err := hex.DecodeString(string(b))
	if err != nil || len(raw) != len(h) {
		return fmt.Errorf("digest %q: want 64 hex digits", b)
	}
	copy(h[:], raw)
	return nil
}
