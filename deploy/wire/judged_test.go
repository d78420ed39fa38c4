package wire

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"gleaner/schemas"
)

// tally is a store of judgments of missing labels, all with an own score of 0.8.
type tally struct {
	fixed, kept uint64
	counted     int
	err         error
}

func (s *tally) Judgments(context.Context) (uint64, error) { return s.fixed + s.kept, s.err }

func (s *tally) JudgmentCounts(context.Context) ([]schemas.JudgmentCount, error) {
	s.counted++
	return []schemas.JudgmentCount{{Dataset: "street", Type: schemas.FindingMissing, Prior: 0.8, Fixed: s.fixed, Kept: s.kept}}, s.err
}

// TestJudgedLearner: a book follows the store, counts only when there is something new, keeps what it knows while the store is away,
// and lets go of what was erased.
func TestJudgedLearner(t *testing.T) {
	store := &tally{}
	l := newJudgedLearner(store, slog.New(slog.DiscardHandler))
	score := func() float32 {
		t.Helper()
		if err := l.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		return l.book.Score("street", schemas.FindingMissing, 0.8)
	}
	if got := score(); got != 0.8 {
		t.Errorf("without judgments 0.8 is worth %v", got)
	}
	store.kept = 20
	doubted := score()
	if again := score(); doubted > 0.4 || again != doubted || store.counted != 2 {
		t.Errorf("after 20 overrides 0.8 is worth %v, then %v, by %d counts", doubted, again, store.counted)
	}
	store.fixed, store.err = 40, errors.New("the database is gone")
	if err := l.refresh(t.Context()); !errors.Is(err, store.err) || l.book.Score("street", schemas.FindingMissing, 0.8) != doubted {
		t.Errorf("while the store is away: %v", err)
	}
	store.err = nil
	if got := score(); got <= doubted {
		t.Errorf("after 40 labels were fixed 0.8 is worth %v", got)
	}
	store.fixed, store.kept = 20, 40 // as many rows
	l.last = time.Now().Add(-2 * learnAnew)
	if got := score(); got >= 0.6 {
		t.Errorf("after an hour 0.8 is worth %v", got)
	}
}
