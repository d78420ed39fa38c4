package schemas

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ByteSize is a number of bytes, written in configuration as "256KiB", "4 MiB", "1GB" or plain "1024". KiB, MiB, GiB and
// TiB are powers of 1024; kB (or KB), MB, GB and TB powers of 1000.
type ByteSize int64

type byteUnit struct {
	name string
	size float64
}

// byteUnits are tried in order when reading; the binary ones, from the largest, when writing.
func byteUnits() []byteUnit {
	return []byteUnit{
		{"TiB", 1 << 40},
		{"GiB", 1 << 30},
		{"MiB", 1 << 20},
		{"KiB", 1 << 10},
		{"TB", 1e12},
		{"GB", 1e9},
		{"MB", 1e6},
		{"kB", 1e3},
		{"B", 1},
	}
}

// ParseByteSize reads what ByteSize describes; case and space between number and unit do not matter.
func ParseByteSize(s string) (ByteSize, error) {
	text, size := strings.TrimSpace(s), 1.0
	for _, u := range byteUnits() {
		if cut := len(text) - len(u.name); cut >= 0 && strings.EqualFold(text[cut:], u.name) {
			text, size = strings.TrimSpace(text[:cut]), u.size
			break
		}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 && n <= math.MaxInt64/int64(size) {
		return ByteSize(n * int64(size)), nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n*size < math.MaxInt64) || strings.ContainsAny(text, "xXpP_") {
		return 0, fmt.Errorf(`byte size %q: want a number with a unit, such as "256KiB", "4 MiB" or "1GB"`, s)
	}
	return ByteSize(math.Round(n * size)), nil
}

// String writes the size in the largest binary unit that divides it: "256KiB", "1000B".
func (b ByteSize) String() string {
	for _, u := range byteUnits()[:4] {
		if size := ByteSize(u.size); b != 0 && b%size == 0 {
			return strconv.FormatInt(int64(b/size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// MarshalText writes what String gives.
func (b ByteSize) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads what ParseByteSize does.
func (b *ByteSize) UnmarshalText(text []byte) error {
	size, err := ParseByteSize(string(text))
	if err == nil {
		*b = size
	}
	return err
}
