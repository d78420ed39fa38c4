package humanlabel

// The state's hash. It is kept up to date with every change, in time that does not depend on the size of the state, so that
// instances can compare theirs at any moment.

import (
	"crypto/sha256"
	"encoding/binary"

	"gleaner/schemas"
)

// digest is a sum of SHA-256 digests in four lanes, each modulo 2^64: the digest of a set, whatever the order of its making.
type digest [4]uint64

func (d *digest) add(h schemas.Hash) {
	for i := range d {
		d[i] += binary.BigEndian.Uint64(h[8*i:])
	}
}

func (d *digest) sub(h schemas.Hash) {
	for i := range d {
		d[i] -= binary.BigEndian.Uint64(h[8*i:])
	}
}

// sum is the digest of one task: of its encoding in snapshots.
func (t *task) sum() schemas.Hash {
	e := encoder{buf: make([]byte, 0, 512)}
	e.byte('t')
	e.task(t)
	return sha256.Sum256(e.buf)
}

// sum is the digest of one remembered command and of its place.
func (d decided) sum(place uint64) schemas.Hash {
	e := encoder{buf: make([]byte, 0, 256)}
	e.byte('c')
	e.uint(place)
	e.decided(d)
	return sha256.Sum256(e.buf)
}

// erasedSum is the digest of one erased sample.
func erasedSum(id schemas.SampleID) schemas.Hash { return sha256.Sum256(append([]byte{'e'}, id[:]...)) }

// Hash is the digest of everything that decides what later commands do. Two folds of one log have the same at each offset.
func (s *State) Hash() schemas.Hash {
	e := encoder{buf: make([]byte, 0, 512)}
	e.head(s)
	for _, d := range []digest{s.digest, s.seen.sum} {
		for _, lane := range d {
			e.uint(lane)
		}
	}
	return sha256.Sum256(e.buf)
}
