package analysis

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"gleaner/schemas"
)

// memory is a Store that keeps what it is given, by the rules of the real one: a token inserts once.
type memory struct {
	tokens     map[string]bool
	rows       schemas.Losses
	runs       []schemas.Run
	selections []schemas.Selection
	down       error
	tombstones []string
	arrivals   map[string][]schemas.LossArrival
	folded     uint64
}

func (m *memory) PutArrivals(_ context.Context, batch string, arrivals []schemas.LossArrival) error {
	if m.arrivals == nil {
		m.arrivals = map[string][]schemas.LossArrival{}
	}
	m.arrivals[batch] = arrivals
	return nil
}

func (m *memory) Progress(_ context.Context, runID string) (attempt, epoch uint32, found bool, err error) {
	var most progress
	for _, batch := range m.arrivals {
		for _, a := range batch {
			if here := (progress{a.Attempt, a.Epoch}); a.RunID == runID && most.before(here) {
				most = here
			}
		}
	}
	return most.attempt, most.epoch, most.attempt > 0, nil
}

func (m *memory) StaleRuns(context.Context) ([]string, error) { return nil, nil }

func (m *memory) RebuildEpochs(context.Context, string) error { return nil }

func (m *memory) List(_ context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, key := range m.tombstones {
			if strings.HasPrefix(key, prefix) && !yield(key, m.down) {
				return
			}
		}
	}
}

func (m *memory) InsertLosses(_ context.Context, token string, rows *schemas.Losses) error {
	if m.down != nil {
		return m.down
	}
	if m.tokens == nil {
		m.tokens = map[string]bool{}
	}
	if !m.tokens[token] {
		m.tokens[token] = true
		m.rows.AppendTable(rows)
	}
	return nil
}

func (m *memory) FoldLosses(context.Context) (uint64, error) {
	n := uint64(m.rows.Len()) - m.folded
	m.folded += n
	return n, m.down
}

func (m *memory) PutRun(_ context.Context, run schemas.Run) error {
	m.runs = append(m.runs, run)
	return nil
}

func (m *memory) PutSelection(_ context.Context, s schemas.Selection) error {
	m.selections = append(m.selections, s)
	return nil
}

func (m *memory) Curves(_ context.Context, runID string) iter.Seq2[schemas.Curve, error] {
	return func(yield func(schemas.Curve, error) bool) {
		byObject := map[schemas.SampleID]*schemas.Curve{}
		var ids []schemas.SampleID
		for i := range m.rows.Len() {
			if m.rows.RunID[i] != runID {
				continue
			}
			id := m.rows.SampleID[i]
			if byObject[id] == nil {
				byObject[id] = &schemas.Curve{RunID: runID, SampleID: id, ObjectID: m.rows.ObjectID[i]}
				ids = append(ids, id)
			}
			c := byObject[id]
			c.Epochs = append(c.Epochs, m.rows.Epoch[i])
			c.Margin = append(c.Margin, m.rows.Margin[i])
			c.Correct = append(c.Correct, m.rows.Correct[i])
		}
		for _, id := range ids {
			if !yield(*byObject[id], nil) {
				return
			}
		}
	}
}

func lossRecord(t *testing.T, offset int64, runID string, sample byte, margins ...float32) schemas.Record {
	t.Helper()
	var l schemas.Losses
	for e, m := range margins {
		l.Append(schemas.LossRow{RunID: runID, Attempt: 1, Dataset: "d", SampleID: schemas.SampleID{sample}, ObjectID: "o1", Epoch: uint32(e), Margin: m, Correct: m > 0})
	}
	value, err := schemas.EncodeLosses(&l)
	if err != nil {
		t.Fatal(err)
	}
	return schemas.Record{Topic: schemas.LossRows, Offset: offset, Value: value}
}

func endRecord(t *testing.T, offset int64, run schemas.Run) schemas.Record {
	t.Helper()
	value, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	return schemas.Record{
		Topic: schemas.LossRows, Offset: offset, Value: value,
		Headers: []schemas.Header{{Key: schemas.HeaderEvent, Value: []byte(schemas.EventRunFinished)}},
	}
}

func step(t *testing.T, store *memory) *Step {
	t.Helper()
	s, err := New(DefaultConfig(), store, store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEndOfARunSelectsWhatItDoubts(t *testing.T) {
	store := &memory{}
	s := step(t, store)
	run := schemas.Run{RunID: "r", Attempt: 2, Dataset: "d", Started: time.Unix(7, 0).UTC(), Finished: time.Unix(9, 0).UTC()}
	batch := []schemas.Record{
		lossRecord(t, 0, "r", 1, 1, 2, 3, 4, 5),
		lossRecord(t, 1, "r", 2, -1, -2, -3, -2, -1),
		lossRecord(t, 2, "other", 3, -9, -9, -9, -9, -9),
		endRecord(t, 3, run),
	}
	emits, err := s.HandleBatch(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	if store.rows.Len() != 15 || len(store.runs) != 1 {
		t.Errorf("%d rows and %d runs stored, want 15 and 1", store.rows.Len(), len(store.runs))
	}
	if len(emits) != 1 || emits[0].Topic != schemas.Selections || string(emits[0].Record.Key) != "d/doubtful" {
		t.Fatalf("emits %+v", emits)
	}
	var sel schemas.Selection
	if err := json.Unmarshal(emits[0].Record.Value, &sel); err != nil {
		t.Fatal(err)
	}
	if len(sel.Picks) != 1 || sel.Picks[0].SampleID != (schemas.SampleID{2}) || sel.ID != "d/doubtful/r/2" ||
		!sel.At.Equal(run.Finished) || !sel.AsOf.Equal(run.Started) {
		t.Errorf("selection %+v, want sample 2 alone, as its label stood when the run began", sel)
	}

	again, err := s.HandleBatch(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	if store.rows.Len() != 15 || !slices.Equal(again[0].Record.Value, emits[0].Record.Value) {
		t.Error("a redelivered batch stored rows twice or emitted another selection")
	}
}

func TestRowsOfErasedSamplesAreLeftOut(t *testing.T) {
	store := &memory{tombstones: []string{schemas.TombstoneKey(schemas.SampleID{2}), schemas.TombstoneKey(schemas.SampleID{9})}}
	_, err := step(t, store).HandleBatch(t.Context(), []schemas.Record{
		lossRecord(t, 0, "r", 1, 1, 2), lossRecord(t, 1, "r", 2, -1, -2, -3), lossRecord(t, 2, "r", 3, 4),
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []schemas.SampleID{{1}, {1}, {3}}; !slices.Equal(store.rows.SampleID, want) || !slices.Equal(store.rows.Margin, []float32{1, 2, 4}) {
		t.Errorf("stored rows of %v with margins %v, want those of %v", store.rows.SampleID, store.rows.Margin, want)
	}
}

func TestBadRecordsFailAloneAndAsFaults(t *testing.T) {
	store := &memory{}
	bad := schemas.Record{Topic: schemas.LossRows, Value: []byte("not arrow")}
	odd := schemas.Record{Topic: schemas.LossRows, Headers: []schemas.Header{{Key: schemas.HeaderEvent, Value: []byte("pause")}}}
	_, err := step(t, store).HandleBatch(t.Context(), []schemas.Record{
		lossRecord(t, 0, "r", 1, 1, 2), bad, odd, endRecord(t, 3, schemas.Run{}), lossRecord(t, 4, "r", 2, 1),
	})
	var failed *schemas.WriteError
	if !errors.As(err, &failed) || len(failed.Failed) != 3 {
		t.Fatalf("got %v, want the records 1, 2 and 3 to fail", err)
	}
	for i, reason := range map[int]string{1: "undecodable", 2: "unknown-event", 3: "undecodable"} {
		if f, ok := schemas.AsFault(failed.Failed[i]); !ok || f.Reason != reason {
			t.Errorf("record %d failed with %v, want the fault %q", i, failed.Failed[i], reason)
		}
	}
	if store.rows.Len() != 3 {
		t.Errorf("%d rows stored, want the 3 of the good records", store.rows.Len())
	}
}

func TestStoreDownIsNoFault(t *testing.T) {
	store := &memory{down: errors.New("connection refused")}
	_, err := step(t, store).HandleBatch(t.Context(), []schemas.Record{lossRecord(t, 0, "r", 1, 1)})
	var failed *schemas.WriteError
	if err == nil || errors.As(err, &failed) {
		t.Fatalf("got %v, want an error that retries the whole batch", err)
	}
	if _, final := schemas.AsFault(err); final {
		t.Fatalf("%v is a fault: it would go to the dead letters", err)
	}
}

func TestLateRowsAndNaNAreCounted(t *testing.T) {
	store := &memory{}
	record := func(offset int64, rows ...schemas.LossRow) schemas.Record {
		var l schemas.Losses
		for _, r := range rows {
			r.Dataset, r.SampleID = "d", schemas.SampleID{byte(r.Epoch)}
			l.Append(r)
		}
		value, err := schemas.EncodeLosses(&l)
		if err != nil {
			t.Fatal(err)
		}
		return schemas.Record{Topic: schemas.LossRows, Offset: offset, Value: value}
	}
	nan := float32(math.NaN())
	s := step(t, store)
	handle := func(s *Step, batch ...schemas.Record) {
		t.Helper()
		if _, err := s.HandleBatch(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	first := record(0, schemas.LossRow{RunID: "r", Attempt: 1, Epoch: 0}, schemas.LossRow{RunID: "r", Attempt: 1, Epoch: 2, Loss: nan}, schemas.LossRow{RunID: "q", Attempt: 1, Epoch: 9})
	store.down = errors.New("connection refused")
	if _, err := s.HandleBatch(t.Context(), []schemas.Record{first}); err == nil {
		t.Fatal("stored in a store that is down")
	}
	store.down = nil
	handle(s, first)
	handle(s, record(1, schemas.LossRow{RunID: "r", Attempt: 1, Epoch: 1}, schemas.LossRow{RunID: "r", Attempt: 1, Epoch: 2}))
	handle(s, record(2, schemas.LossRow{RunID: "r", Attempt: 2, Epoch: 1}, schemas.LossRow{RunID: "r", Attempt: 1, Epoch: 3, Loss: float32(math.Inf(1))}))
	if s.stored.Load() != 7 || s.late.Load() != 2 || s.nan.Load() != 2 {
		t.Errorf("%d rows, %d late, %d without a number; want 7, 2 and 2", s.stored.Load(), s.late.Load(), s.nan.Load())
	}
	restarted := step(t, store)
	handle(restarted, record(3, schemas.LossRow{RunID: "r", Attempt: 2, Epoch: 0}, schemas.LossRow{RunID: "r", Attempt: 2, Epoch: 1}))
	if restarted.late.Load() != 1 {
		t.Errorf("%d late after a restart, want 1", restarted.late.Load())
	}
}
