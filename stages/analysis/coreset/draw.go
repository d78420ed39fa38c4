package coreset

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
)

// draws returns a number in [0,1) for every candidate, which depends on seed, purpose and sample id alone: adding samples to a pool
// changes those of no other.
func (t *task) draws(purpose string) []float64 {
	salt := t.salt(purpose)
	out := make([]float64, len(t.ids))
	for i, id := range t.ids {
		h := mix(salt ^ mix(binary.BigEndian.Uint64(id[:8])^mix(binary.BigEndian.Uint64(id[8:]))))
		out[i] = float64(h>>11) / (1 << 53)
	}
	return out
}

// rand is a source of draws that come one after the other.
func (t *task) rand(purpose string) *rand.Rand {
	salt := t.salt(purpose)
	return rand.New(rand.NewPCG(salt, mix(salt)))
}

func (t *task) salt(purpose string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	return mix(uint64(t.Seed) ^ mix(h.Sum64()))
}

// mix is the finalizer of SplitMix64 (Steele et al. 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
