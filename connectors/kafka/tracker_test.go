package kafka

import (
	"math/rand/v2"
	"sync"
	"testing"
)

// Whatever the order of acknowledgements, and whatever holes the log has, the offset to commit is the end of the unbroken
// prefix.
func FuzzTracker(f *testing.F) {
	f.Add(uint64(1), uint8(10), uint8(10))
	f.Add(uint64(2), uint8(255), uint8(0))
	f.Add(uint64(3), uint8(0), uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, n, ackedOfTen uint8) {
		rng := rand.New(rand.NewPCG(seed, 0))
		tr := newTracker()
		var offsets []int64
		var pending []int
		done := map[int]bool{}
		offset := int64(rng.IntN(1000))
		check := func() {
			want := int64(-1)
			for i, o := range offsets {
				if !done[i] {
					break
				}
				want = o + 1
			}
			next, dirty := tr.dirty()
			if dirty != (want >= 0) || dirty && next != want {
				t.Fatalf("offset to commit: %d (%v), want %d", next, dirty, want)
			}
		}
		for range n {
			for range rng.IntN(5) { // a delivery of records with holes between
				offsets = append(offsets, offset)
				pending = append(pending, tr.add(offset))
				offset += 1 + int64(rng.IntN(3))
			}
			for len(pending) > 0 && rng.IntN(10) < int(ackedOfTen) {
				i := rng.IntN(len(pending))
				seq := pending[i]
				pending = append(pending[:i], pending[i+1:]...)
				tr.ack(seq)
				tr.ack(seq)
				done[seq] = true
				check()
			}
		}
		// Records taken back leave no trace.
		before, _ := tr.dirty()
		tr.add(offset)
		tr.add(offset + 1)
		tr.drop(2)
		if after, _ := tr.dirty(); after != before {
			t.Fatalf("dropping moved the offset from %d to %d", before, after)
		}
		tr.seal()
		for _, seq := range pending {
			tr.ack(seq)
		}
		if after, _ := tr.dirty(); after != before {
			t.Fatalf("sealed, yet an acknowledgement moved the offset from %d to %d", before, after)
		}
	})
}

func TestTrackerConcurrently(t *testing.T) {
	tr := newTracker()
	var group sync.WaitGroup
	for i := range int64(10_000) {
		seq := tr.add(i)
		group.Go(func() { tr.ack(seq) })
	}
	group.Wait()
	if next, ok := tr.dirty(); !ok || next != 10_000 || tr.unacked() != 0 {
		t.Errorf("offset to commit: %d, %d not acknowledged", next, tr.unacked())
	}
	tr.setCommitted(10_000)
	if _, ok := tr.dirty(); ok {
		t.Error("committed, yet to be committed again")
	}
}
