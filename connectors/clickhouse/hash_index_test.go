package clickhouse

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"gleaner/schemas"
)

// flip changes n different bits of a hash.
func flip(rng *rand.Rand, h uint64, n int) uint64 {
	for _, bit := range rng.Perm(64)[:n] {
		h ^= 1 << bit
	}
	return h
}

// rowID is the id of a test's n-th row; they begin at 1, since no sample has the id of zeros.
func rowID(n int) (id schemas.SampleID) {
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// groupID is the group of a test's row.
func groupID(id schemas.SampleID) schemas.SampleID {
	id[0] = 1
	return id
}

// TestNearAgreesWithExhaustiveSearch asks for random hashes and for some planted at every distance, in an index of few rows and
// in one of many, before and after some were removed and the older half left.
func TestNearAgreesWithExhaustiveSearch(t *testing.T) {
	for _, n := range []int{300, fewHashes + 300} {
		rng := rand.New(rand.NewPCG(3, 4))
		var x hashIndex
		all := map[schemas.SampleID]uint64{}
		var hashes []uint64
		check := func(when string) {
			t.Helper()
			for range 300 {
				maxBits := rng.IntN(maxNearBits + 1)
				k := rng.IntN(len(hashes))
				phash, not := flip(rng, hashes[k], rng.IntN(maxNearBits+2)), rowID(k+1)
				if rng.IntN(2) == 0 {
					not = schemas.SampleID{}
				}
				best := maxBits + 1
				for id, h := range all {
					if id != not {
						best = min(best, hamming(h, phash))
					}
				}
				got, found := x.near(phash, maxBits, not)
				if found != (best <= maxBits) || found && (got.Distance != best || hamming(all[got.ID], phash) != best || got.ID == not || got.Group != groupID(got.ID)) {
					t.Fatalf("%d rows, %s: near %016x within %d: found %t %+v, want one at %d", n, when, phash, maxBits, found, got, best)
				}
			}
		}
		base := rng.Uint64()
		for i := range n {
			if i%20 == 0 {
				base = rng.Uint64()
			}
			h := flip(rng, base, i%20/2)
			row := hashRow{id: rowID(i + 1), group: groupID(rowID(i + 1)), phash: h}
			if !x.add(row) || x.add(row) {
				t.Fatal("a row is new once")
			}
			all[row.id], hashes = h, append(hashes, h)
		}
		check("full")
		for i := 0; i < n; i += 7 {
			x.remove(rowID(i + 1))
			delete(all, rowID(i+1))
		}
		check("some removed")
		before := len(x.rows)
		if left := x.halve(); left < before/2 || left+len(x.rows) != before {
			t.Errorf("%d of %d rows left, %d stay", left, before, len(x.rows))
		}
		for i := range (n + 1) / 2 {
			delete(all, rowID(i+1))
		}
		check("halved")
	}
}

// BenchmarkNear asks for neighbors among a million random hashes.
func BenchmarkNear(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	var x hashIndex
	const n = 1_000_000
	for i := range n {
		x.add(hashRow{id: rowID(i + 1), phash: rng.Uint64()})
	}
	for name, maxBits := range map[string]int{"3 bits": 3, "6 bits": 6, "11 bits": 11} {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				x.near(x.rows[i%n].phash^7, maxBits, x.rows[i%n].id)
			}
		})
	}
}
