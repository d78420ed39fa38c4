package wire

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"testing"
	"time"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// labeled is a store of labels of one box each.
type labeled struct {
	n, read int
	err     error
}

func (s *labeled) Labels(context.Context, string) iter.Seq2[schemas.Label, error] {
	return func(yield func(schemas.Label, error) bool) {
		for i := range s.n {
			s.read++
			l := schemas.Label{Image: schemas.ImageRef{W: 640, H: 480}, Objects: []schemas.Object{{ID: fmt.Sprint(i), Class: "car", Box: geometry.Box{X2: 100, Y2: 50}}}}
			if !yield(l, s.err) {
				return
			}
		}
	}
}

// TestHabits: a dataset is read after it was asked for, no more of it than it takes and no more often than it may, and what is known
// stays while the store is away.
func TestHabits(t *testing.T) {
	store := &labeled{n: 2 * habitLabels}
	h := newHabits(store, slog.New(slog.DiscardHandler))
	h.refresh(t.Context())
	if h.Habits("street") != nil || store.read != 0 {
		t.Errorf("%d labels were read that nobody asked for", store.read)
	}
	for range 2 {
		h.refresh(t.Context())
	}
	known := h.Habits("street")
	if known == nil || store.read != habitLabels+1 {
		t.Fatalf("known %v after %d labels", known, store.read)
	}
	store.err = errors.New("the database is gone")
	h.of["street"].next = time.Time{}
	h.refresh(t.Context())
	if h.Habits("street") != known || !h.of["street"].next.After(time.Now()) {
		t.Error("what is known did not stay")
	}
}
