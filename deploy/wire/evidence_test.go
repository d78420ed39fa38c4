package wire

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"gleaner/connectors/clickhouse"
	"gleaner/schemas"
)

// said is a store of scores and of near duplicates' labels that counts what it is asked, and may be away.
type said struct {
	away         error
	folded       time.Time
	scores       []clickhouse.Score
	groups       []schemas.SampleID
	labels       []schemas.Label
	phashes      []uint64
	reads, asked int
}

func (s *said) Run(context.Context, string, string) (schemas.Run, bool, error) {
	return schemas.Run{RunID: "run7", Attempt: 1}, !s.folded.IsZero(), s.away
}

func (s *said) Folded(context.Context, string) (time.Time, error) { return s.folded, s.away }

func (s *said) Scores(context.Context, string, clickhouse.ScoreQuery) ([]clickhouse.Score, error) {
	s.reads++
	return s.scores, s.away
}

func (s *said) TwinGroups(context.Context, string, int) ([]schemas.SampleID, error) {
	return s.groups, s.away
}

func (s *said) LabelTwins(ctx context.Context, _ *schemas.Sample, _ int) ([]schemas.Label, []uint64, error) {
	s.asked++
	if _, limited := ctx.Deadline(); !limited {
		return nil, nil, errors.New("it may take forever")
	}
	return s.labels, s.phashes, s.away
}

// TestSuspects: the labels that the last run doubts are read once, again when the run's scores have changed, and stay while the store is
// away.
func TestSuspects(t *testing.T) {
	id := schemas.NewSampleID("street", "a", schemas.Hash{})
	store, failed := &said{}, 0
	s := newSuspects(store, slog.New(slog.DiscardHandler), func() { failed++ })
	refresh := func(folded time.Time) int {
		store.folded = folded
		s.Losses("street", id)
		for _, k := range s.of {
			k.next = time.Time{}
		}
		s.refresh(t.Context())
		n := len(s.Losses("street", id))
		if n > 0 && s.Losses("street", id)[0].RunID != "run7" {
			t.Errorf("%+v", s.Losses("street", id))
		}
		return n
	}
	first, later := time.Unix(1, 0), time.Unix(2, 0)
	if n := refresh(time.Time{}); n != 0 || store.reads != 0 {
		t.Errorf("%d losses without a run, %d reads", n, store.reads)
	}
	store.scores = []clickhouse.Score{{RunID: "run7", Sample: id.String(), ObjectID: "o1", Class: "car", Kind: "label_error", AUM: -3}}
	for range 2 {
		if n := refresh(first); n != 1 || store.reads != 1 {
			t.Errorf("%d losses, %d reads", n, store.reads)
		}
	}
	store.scores = append(store.scores, store.scores[0])
	if n := refresh(later); n != 2 || store.reads != 2 {
		t.Errorf("%d losses after another fold, %d reads", n, store.reads)
	}
	store.away = errors.New("the database is gone")
	if n := refresh(first); n != 2 || failed != 1 {
		t.Errorf("%d losses while the store is away, %d failures", n, failed)
	}
}

// TestTwins: nothing is asked about a sample that can have no labeled twins, nor for a while after a question that failed, which counts.
func TestTwins(t *testing.T) {
	first, second := schemas.NewSampleID("street", "a", schemas.Hash{}), schemas.NewSampleID("street", "b", schemas.Hash{})
	store, failed := &said{labels: []schemas.Label{{UniqueID: "a"}}, phashes: []uint64{0b1011}}, 0
	w := newTwins(store, slog.New(slog.DiscardHandler), func() { failed++ })
	ask := func(id schemas.SampleID) int {
		twins := w.Twins(t.Context(), &schemas.Sample{ID: id, Group: first, Dataset: "street", PHash: 0b0010})
		if len(twins) > 0 && twins[0].Distance != 2 {
			t.Errorf("%+v", twins)
		}
		return len(twins)
	}
	if n := ask(first); n != 0 || store.asked != 0 {
		t.Errorf("%d twins of a first sample, asked %d times", n, store.asked)
	}
	if n := ask(second); n != 1 || store.asked != 1 {
		t.Errorf("%d twins of a second sample, asked %d times", n, store.asked)
	}
	store.groups = []schemas.SampleID{first}
	w.refresh(t.Context())
	if n := ask(first); n != 1 || store.asked != 2 {
		t.Errorf("%d twins of the first, whose second is labeled, asked %d times", n, store.asked)
	}
	store.away = errors.New("the database is gone")
	for range 2 {
		if n := ask(second); n != 0 || store.asked != 3 || failed != 1 {
			t.Errorf("%d twins while the store is away, asked %d times, %d failures", n, store.asked, failed)
		}
	}
	w.until.Store(0)
	if err := w.turns.Acquire(t.Context(), twinsAtATime); err != nil {
		t.Fatal(err)
	}
	if n := ask(second); n != 0 || store.asked != 3 || failed != 2 {
		t.Errorf("%d twins while others ask, asked %d times, %d failures", n, store.asked, failed)
	}
	w.turns.Release(twinsAtATime)
	w.until.Store(0)
	store.away = nil
	if n := ask(second); n != 1 {
		t.Errorf("%d twins when it is back", n)
	}
}
