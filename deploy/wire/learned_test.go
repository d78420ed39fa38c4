package wire

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/prelabel/learned"
)

// written is a store of corrections with a clock of its own.
type written struct {
	now     time.Time
	rows    []schemas.Correction // At is when they were written
	err     error                // after half of the rows
	yielded int
}

func (w *written) Corrections(_ context.Context, _ string, within time.Duration, newest int, have func(schemas.SampleID, uint64) bool) iter.Seq2[schemas.Correction, error] {
	return func(yield func(schemas.Correction, error) bool) {
		rows := slices.Clone(w.rows) // a sample each
		if len(rows) > newest {
			slices.SortFunc(rows, func(a, b schemas.Correction) int { return b.At.Compare(a.At) })
			rows = rows[:newest]
		}
		for i, r := range rows {
			if w.err != nil && i >= len(rows)/2 {
				yield(schemas.Correction{}, w.err)
				return
			}
			if (within == 0 || r.At.After(w.now.Add(-within-10*time.Second))) && !have(r.SampleID, r.Revision) {
				w.yielded++
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

var epoch = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// wide is an accepted proposal whose label is a fifth wider on the right, give or take.
func wide(n int, revision uint64, at time.Time) schemas.Correction {
	jitter := float32(n%5) - 2
	return schemas.Correction{
		SampleID: schemas.NewSampleID("street", fmt.Sprint(n), schemas.Hash{}), Dataset: "street", Revision: revision, ProposalID: "p1", ObjectID: "o1",
		Source: "m@1", Models: []string{"m@1"}, Class: "car", Labeled: "car", Score: 0.2, Accepted: true, W: 640, H: 480, At: at,
		Proposal: geometry.Box{X1: 100, Y1: 100, X2: 200, Y2: 200}, Label: geometry.Box{X1: 100 + jitter, Y1: 100 - jitter, X2: 220 + jitter, Y2: 200 - jitter},
	}
}

// TestLearnerFollows: a book that is refreshed as corrections come knows of conventions what one does that reads them all at once,
// has learned the rest from nearly all of them, and what comes again teaches nothing.
func TestLearnerFollows(t *testing.T) {
	store := &written{now: epoch}
	follow := newLearner(store, "", nil, slog.New(slog.DiscardHandler))
	refresh := func() {
		t.Helper()
		if err := follow.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	refresh() // there is nothing yet
	for n := range 60 {
		store.now = store.now.Add(time.Second)
		store.rows = append(store.rows, wide(n, 1, store.now))
		if n%7 == 0 {
			refresh()
		}
	}
	again := wide(3, 2, store.now) // submitted anew, and rejected
	again.Accepted, again.ObjectID, again.Labeled, again.Label = false, "", "", geometry.Box{}
	store.rows[3] = again
	late := wide(60, 1, store.now.Add(-5*time.Second)) // readable only after a later one was
	refresh()
	store.rows = append(store.rows, late)
	refresh()

	whole := learned.New(nil)
	whole.Update(store.rows)
	whole.Fit()
	known := follow.book.Known("street")
	if diff := cmp.Diff(whole.Known("street").Conventions, known.Conventions); diff != "" {
		t.Errorf("-read at once +followed\n%s", diff)
	}
	if n := len(store.rows); known.Samples < n*9/10 || known.Samples > n || known.Calibration.All.N != known.Samples {
		t.Errorf("scores are calibrated by %d of %d samples, %d proposals", known.Samples, n, known.Calibration.All.N)
	}
	if p := follow.book.Probability("street", "car", "m@1", 0.2); p < 0.5 {
		t.Errorf("a score that nearly always was accepted stands for %g", p)
	}
	box := geometry.Box{X1: 300, Y1: 300, X2: 400, Y2: 400}
	if moved := follow.book.Move("street", "car", "m@1", box, 640, 480); moved.X2 < 415 || moved.X2 > 425 || moved.X1 != 300 || moved.Y2 != 400 {
		t.Errorf("the box is moved to %+v, want its right edge near 420", moved)
	}
	before := store.yielded
	refresh()
	follow.reviewed = time.Time{}
	refresh()
	if n := store.yielded - before; n != 0 {
		t.Errorf("%d corrections are read again", n)
	}
	if diff := cmp.Diff(known, follow.book.Known("street")); diff != "" {
		t.Errorf("what comes again teaches something:\n%s", diff)
	}
}

// TestLearnerForgets: what the store has no more is forgotten when all is listed again, and an error changes nothing.
func TestLearnerForgets(t *testing.T) {
	store := &written{}
	for n := range 40 {
		store.rows = append(store.rows, wide(n, 1, epoch))
	}
	l := newLearner(store, "", nil, slog.New(slog.DiscardHandler))
	if err := l.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	known := l.book.Known("street")
	l.reviewed = time.Time{}
	store.err = errors.New("the server is gone")
	if err := l.refresh(t.Context()); !errors.Is(err, store.err) {
		t.Fatalf("error %v, want the store's", err)
	}
	if diff := cmp.Diff(known, l.book.Known("street")); diff != "" {
		t.Errorf("an error changes what is known:\n%s", diff)
	}
	store.err, store.rows, store.yielded = nil, store.rows[:30], 0
	if err := l.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k := l.book.Known("street"); k.Conventions[0].N != 30 || k.Samples != 30 || store.yielded != 0 {
		t.Errorf("%d corrections of %d samples are held after an erasure, want 30, and %d were read for it", k.Conventions[0].N, k.Samples, store.yielded)
	}
}

// TestLearnerReadsAgain: samples that newer ones drove out are read again when these are gone.
func TestLearnerReadsAgain(t *testing.T) {
	const more = 20
	store := &written{now: epoch}
	l := newLearner(store, "", nil, slog.New(slog.DiscardHandler))
	write := func(from, to int) {
		t.Helper()
		for n := from; n < to; n++ {
			store.rows = append(store.rows, wide(n, 1, epoch.Add(time.Duration(n)*time.Millisecond)))
		}
		if err := l.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	write(0, learned.MaxSamples)
	write(learned.MaxSamples, learned.MaxSamples+more)
	store.rows, l.reviewed = store.rows[:learned.MaxSamples], time.Time{}
	write(0, 0)
	whole := learned.New(nil)
	whole.Update(store.rows)
	whole.Fit()
	if diff := cmp.Diff(whole.Known("street"), l.book.Known("street")); diff != "" {
		t.Errorf("-read at once +read again\n%s", diff)
	}
}
