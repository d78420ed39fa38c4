package clickhouse

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gleaner/schemas"
)

// flip changes n different bits of a hash.
func flip(rng *rand.Rand, h uint64, n int) uint64 {
	for _, bit := range rng.Perm(64)[:n] {
		h ^= 1 << bit
	}
	return h
}

// TestBandsMissNoNeighbor is the pigeonhole claim: any hash within the distance shares a looked-up bucket.
func TestBandsMissNoNeighbor(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for maxBits := range maxNearBits + 1 {
		for range 2000 {
			h := rng.Uint64()
			buckets := nearBuckets(h, maxBits)
			other := flip(rng, h, maxBits)
			shared := false
			for band := range bands {
				shared = shared || slices.Contains(buckets, bucket(other, band))
			}
			if !shared {
				t.Fatalf("%016x and %016x differ in %d bits and share none of %d buckets", h, other, bits.OnesCount64(h^other), len(buckets))
			}
		}
	}
	if n := len(nearBuckets(0, 7)); n != 68 {
		t.Errorf("%d buckets within 7 bits, want 68", n)
	}
	if n := len(nearBuckets(0, 11)); n != 548 {
		t.Errorf("%d buckets within 11 bits, want 548", n)
	}
}

// TestNearAgreesWithExhaustiveSearch asks for random hashes and for some planted at every distance, first while they wait in the
// buffer, then when they are stored.
func TestNearAgreesWithExhaustiveSearch(t *testing.T) {
	db := open(t, func(c *Config) { c.HashFlush = time.Hour })
	rng := rand.New(rand.NewPCG(3, 4))
	type entry struct {
		id    schemas.SampleID
		phash uint64
	}
	var all []entry
	put := func(phash uint64) {
		e := entry{sampleID(len(all)), phash}
		all = append(all, e)
		if err := db.PutHash(t.Context(), "test", e.id, sampleID(-len(all)), phash); err != nil {
			t.Fatal(err)
		}
	}
	check := func(where string) {
		t.Helper()
		for range 60 {
			maxBits := rng.IntN(maxNearBits + 1)
			query, not := all[rng.IntN(len(all))], schemas.SampleID{}
			phash := flip(rng, query.phash, rng.IntN(12))
			if rng.IntN(2) == 0 {
				not = query.id
			}
			var want entry
			best := 65
			for _, e := range all {
				if d := hamming(e.phash, phash); e.id != not && d <= maxBits && (d < best || d == best && string(e.id[:]) < string(want.id[:])) {
					want, best = e, d
				}
			}
			got, found, err := db.Near(t.Context(), "test", phash, maxBits, not)
			if err != nil {
				t.Fatal(err)
			}
			if found != (best < 65) || found && (got.ID != want.id || got.Distance != best) {
				t.Fatalf("%s: near %016x within %d: found %t %+v, want %s at %d", where, phash, maxBits, found, got, want.id, best)
			}
		}
	}
	for range 300 {
		h := rng.Uint64()
		for d := range 13 {
			put(flip(rng, h, d))
		}
	}
	check("waiting")
	if err := db.hashes.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("stored")
	for range 50 {
		put(flip(rng, all[rng.IntN(len(all))].phash, 3))
	}
	check("both")
	if _, found, err := db.Near(t.Context(), "other", all[0].phash, 11, schemas.SampleID{}); found || err != nil {
		t.Errorf("a neighbor in another dataset: %t, %v", found, err)
	}
	if _, _, err := db.Near(t.Context(), "test", 0, 12, schemas.SampleID{}); err == nil {
		t.Error("12 bits were accepted")
	}
}

// TestHashesReachOthers: by the flush after a moment, at Close, and by the catalog.
func TestHashesReachOthers(t *testing.T) {
	db := open(t, func(c *Config) { c.HashFlush = 20 * time.Millisecond })
	other := open(t, func(c *Config) { c.Database = db.cfg.Database })
	await := func(phash uint64) schemas.Neighbor {
		t.Helper()
		for {
			n, found, err := other.Near(t.Context(), "test", phash, 0, schemas.SampleID{})
			if err != nil {
				t.Fatal(err)
			}
			if found {
				return n
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	if err := db.PutHash(t.Context(), "test", sampleID(1), sampleID(7), 1<<63|1); err != nil {
		t.Fatal(err)
	}
	if n, want := await(1<<63|1), (schemas.Neighbor{ID: sampleID(1), Group: sampleID(7)}); n != want {
		t.Errorf("neighbor %+v, want %+v", n, want)
	}
	s := sample(2, schemas.StageSamples, 0, 0)
	if err := db.PutSamples(t.Context(), "", []schemas.Sample{s}); err != nil {
		t.Fatal(err)
	}
	if n := await(s.PHash); n.ID != s.ID {
		t.Errorf("neighbor %+v, want sample %s of the catalog", n, s.ID)
	}
	// The catalog's buckets are those that this package looks up.
	var want []string
	for band := range bands {
		want = append(want, strconv.Itoa(int(bucket(s.PHash, band))))
	}
	got := ask(t, db, "SELECT arraySort(groupArray(bucket)) FROM hashes FINAL WHERE sample_id = "+idLiteral(s.ID))
	if want := "([" + strings.Join(want, ",") + "])"; got != want {
		t.Errorf("buckets of the catalog %s, want %s", got, want)
	}
}
