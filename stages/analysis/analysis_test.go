package analysis

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/stages/analysis/decide"
	"gleaner/stages/analysis/score"
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
	began      time.Time // when the first losses of every run arrived
	folded     uint64
	set        *decide.Set
	edit       string // ends the id of the rules
	states     map[string]schemas.DecisionState
	blobs      map[string][]byte
	fullAfter  int              // states that are put before the store fails; 0: any number
	unscored   map[string]error // by run: why its scores cannot be read
	unfolded   error
	unselected error  // why the next selections of doubts cannot be stored
	meanwhile  func() // what others do when it is asked when was decided
}

func (m *memory) Decisions(string) (*decide.Set, string) { return m.set, "d@1" + m.edit }

func (m *memory) Put(_ context.Context, key string, data []byte) error {
	m.blobs[key] = data
	return nil
}

// Scored has the mean margin alone, as aum.
func (m *memory) Scored(ctx context.Context, _, runID string) iter.Seq2[schemas.Scored, error] {
	return func(yield func(schemas.Scored, error) bool) {
		if err := m.unscored[runID]; err != nil {
			yield(schemas.Scored{}, err)
			return
		}
		for c, err := range m.Curves(ctx, runID) {
			s := schemas.Scored{Dataset: "d", SampleID: c.SampleID, ObjectID: c.ObjectID, Seen: uint32(c.Len()), Epochs: c.Epochs[c.Len()-1] + 1}
			for _, column := range schemas.ScoreColumns() {
				v := math.NaN()
				if column.Name == "aum" {
					v = score.AUM(c)
				}
				s.Values = append(s.Values, v)
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

func (m *memory) DecisionStates(context.Context, string) iter.Seq2[schemas.DecisionState, error] {
	return func(yield func(schemas.DecisionState, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(m.states)) {
			if !yield(m.states[key], nil) {
				return
			}
		}
	}
}

func (m *memory) PutDecisionStates(_ context.Context, states []schemas.DecisionState) error {
	if m.states == nil {
		m.states = map[string]schemas.DecisionState{}
	}
	for _, s := range states {
		m.states[s.SampleID.String()+s.ObjectID+s.Decision] = s
		if len(m.states) == m.fullAfter {
			return errors.New("disk full")
		}
	}
	return nil
}

func (m *memory) LastDecided(_ context.Context, _ string, but time.Time) (at time.Time, err error) {
	if m.meanwhile != nil {
		m.meanwhile()
	}
	for _, s := range m.states {
		if !s.At.Equal(but) {
			at = later(at, s.At)
		}
	}
	return at, nil
}

func (m *memory) PutArrivals(_ context.Context, batch string, arrivals []schemas.LossArrival) error {
	if m.arrivals == nil {
		m.arrivals = map[string][]schemas.LossArrival{}
	}
	m.arrivals[batch] = arrivals
	return nil
}

func (m *memory) Progress(_ context.Context, runID string) (attempt, epoch uint32, first time.Time, err error) {
	var most progress
	for _, batch := range m.arrivals {
		for _, a := range batch {
			if here := (progress{attempt: a.Attempt, epoch: a.Epoch}); a.RunID == runID && most.before(here) {
				most = here
			}
		}
	}
	if most.attempt > 0 {
		first = m.began
	}
	return most.attempt, most.epoch, first, nil
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
	return n, errors.Join(m.down, m.unfolded)
}

func (m *memory) PutRun(_ context.Context, run schemas.Run) error {
	m.runs = append(m.runs, run)
	return nil
}

func (m *memory) PutSelection(_ context.Context, s schemas.Selection) error {
	if s.Kind == "doubtful" && m.unselected != nil {
		return m.unselected
	}
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
	s, err := New(DefaultConfig(), store, store, store, slog.New(slog.DiscardHandler))
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
	if len(emits) != 1 || emits[0].Topic != schemas.Selections || !strings.HasPrefix(string(emits[0].Record.Key), "d/doubtful/r/2/") {
		t.Fatalf("emits %+v", emits)
	}
	var sel schemas.Selection
	if err := json.Unmarshal(emits[0].Record.Value, &sel); err != nil {
		t.Fatal(err)
	}
	if len(sel.Picks) != 1 || sel.Picks[0].SampleID != (schemas.SampleID{2}) || sel.ID != string(emits[0].Record.Key) ||
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

// selected are the picks of each kind among emits, by the first byte of the sample's id.
func selected(t *testing.T, emits []schemas.Emit) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, e := range emits {
		var s schemas.Selection
		if err := json.Unmarshal(e.Record.Value, &s); err != nil {
			t.Fatal(err)
		}
		out[s.Kind] = []byte{}
		for _, p := range s.Picks {
			out[s.Kind] = append(out[s.Kind], p.SampleID[0])
		}
	}
	return out
}

// TestDecisions: rules decide while a run goes on, by a step that is new each time, and at its end.
func TestDecisions(t *testing.T) {
	set, err := decide.Compile("d", []schemas.Decision{
		{Name: "wrong", Action: schemas.ActionReview, When: "aum < 0.0", Persist: 2},
		{Name: "useless", Action: schemas.ActionRemove, When: "aum < -4.0"},
	}, func(path, format string, args ...any) { t.Fatalf(path+": "+format, args...) })
	if err != nil {
		t.Fatal(err)
	}
	store := &memory{set: set}
	cfg := DefaultConfig()
	handle := func(records ...schemas.Record) map[string][]byte {
		t.Helper()
		s := step(t, store)
		s.cfg = cfg
		emits, err := s.HandleBatch(t.Context(), records)
		if err != nil {
			t.Fatal(err)
		}
		return selected(t, emits)
	}
	epoch := func(offset int64, margins ...float32) []schemas.Record {
		var out []schemas.Record
		for i, m := range margins {
			r := lossRecord(t, 10*offset+int64(i), "r", byte(i+1), make([]float32, offset+1)...)
			l, err := schemas.DecodeLosses(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			l = l.Slice(int(offset), int(offset)+1)
			l.Margin[0] = m
			if r.Value, err = schemas.EncodeLosses(&l); err != nil {
				t.Fatal(err)
			}
			out = append(out, r)
		}
		return out
	}
	if got := handle(epoch(0, 1, -1)...); len(got) != 0 {
		t.Errorf("before its time: %v", got)
	}
	cfg.DecideEvery = 0
	want := func(when string, got, want map[string][]byte) {
		t.Helper()
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: -want +got\n%s", when, d)
		}
	}
	want("once", handle(epoch(1, 1, -1, -9)...), map[string][]byte{"remove": {3}})
	want("twice", handle(epoch(2, 1, -1, -9)...), map[string][]byte{"remove": {3}, "review": {2, 3}})
	end := endRecord(t, 99, schemas.Run{RunID: "r", Dataset: "d", Finished: time.Unix(9, 0)})
	cfg = DefaultConfig()
	want("at the end", handle(append(epoch(3, 1, 9, -9), end)...), map[string][]byte{"doubtful": {}, "remove": {3}, "review": {2, 3}})
	want("again", handle(end), map[string][]byte{"doubtful": {}, "remove": {3}, "review": {2, 3}})
	if s := store.states[(schemas.SampleID{2}).String()+"o1wrong"]; !s.Active || s.Streak != 1 || s.Seen != 4 || s.SinceSeen != 3 {
		t.Errorf("state %+v: one that is about to be left", s)
	}
	if n := len(store.selections); n != 9 || store.selections[8].Kind != "review" || !strings.HasPrefix(store.selections[8].ID, "d/review/r/4/") || store.selections[8].Method != "rules d@1" {
		t.Errorf("%d selections stored, the last %+v", n, store.selections[n-1])
	}
}

// TestDecisionsSpeakOfTheRunsLabels: of those that stood when its first losses arrived, whatever process decides, and each decision is as
// old as it is, however often it is told.
func TestDecisionsSpeakOfTheRunsLabels(t *testing.T) {
	store := &memory{set: decisions(t, schemas.Decision{Name: "wrong", Action: schemas.ActionReview, When: "aum < 0.0"}), began: time.Unix(7, 0).UTC()}
	var told []schemas.Selection
	for i := range 3 {
		s := step(t, store)
		s.cfg.DecideEvery = 0
		emits, err := s.HandleBatch(t.Context(), []schemas.Record{lossRecord(t, int64(i), "r", byte(i+1), -1)})
		if err != nil || len(emits) != 1 {
			t.Fatalf("%d selections (%v), want 1", len(emits), err)
		}
		var sel schemas.Selection
		if err := json.Unmarshal(emits[0].Record.Value, &sel); err != nil {
			t.Fatal(err)
		}
		told = append(told, sel)
		if string(emits[0].Record.Key) != sel.ID || i > 0 && (sel.ID == told[i-1].ID || !sel.AsOf.Equal(store.began)) {
			t.Errorf("selection %s as of %s under the key %s, want the run's first losses and its own key", sel.ID, sel.AsOf, emits[0].Record.Key)
		}
	}
	since := func(sel schemas.Selection, sample byte) time.Time {
		return sel.Picks[slices.IndexFunc(sel.Picks, func(p schemas.Pick) bool { return p.SampleID[0] == sample })].Since
	}
	if !since(told[2], 1).Equal(since(told[0], 1)) || !since(told[2], 2).Equal(since(told[1], 2)) || !since(told[2], 1).Before(since(told[2], 3)) {
		t.Errorf("told again with other times: %+v", told)
	}
}

// TestDecidedMeanwhile: two processes that decide at once count what both runs have shown, whoever is first to write.
func TestDecidedMeanwhile(t *testing.T) {
	store := &memory{set: decisions(t, schemas.Decision{Name: "useless", Action: schemas.ActionRemove, When: "aum < 0.0", Persist: 2})}
	asked := 0
	store.meanwhile = func() {
		if asked++; asked == 2 { // the first has evaluated, and is about to write
			if _, err := step(t, store).HandleBatch(t.Context(), []schemas.Record{lossRecord(t, 0, "q", 1, -1), endRecord(t, 1, schemas.Run{RunID: "q", Dataset: "d"})}); err != nil {
				t.Fatal(err)
			}
		}
	}
	emits, err := step(t, store).HandleBatch(t.Context(), []schemas.Record{lossRecord(t, 2, "r", 1, -1), endRecord(t, 3, schemas.Run{RunID: "r", Dataset: "d"})})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string][]byte{"doubtful": {}, "remove": {1}}, selected(t, emits)); d != "" {
		t.Errorf("told: -want +got\n%s", d)
	}
	for _, s := range store.states {
		if !s.Active || s.RunID != "r" || len(s.Others) != 1 || s.Others[0].RunID != "q" {
			t.Errorf("state %+v, want one that both runs have brought into force", s)
		}
	}
	store.meanwhile = func() { // whatever is written, another is later
		store.states["other"] = schemas.DecisionState{SampleID: schemas.SampleID{9}, At: time.Now().Add(time.Duration(asked) * time.Hour)}
		asked++
	}
	if _, _, err := Decide(t.Context(), store, store, store.set, decide.Evaluated{Run: schemas.Run{RunID: "r", Dataset: "d"}}, false, nil); !errors.Is(err, ErrMeanwhile) {
		t.Errorf("%v, want %v", err, ErrMeanwhile)
	}
}

// TestErasedWhileDeciding: what is decided about a sample that is erased meanwhile is neither stored nor told.
func TestErasedWhileDeciding(t *testing.T) {
	store := &memory{set: decisions(t, schemas.Decision{Name: "useless", Action: schemas.ActionRemove, When: "aum < 0.0"})}
	for sample := range byte(3) {
		store.rows.Append(schemas.LossRow{RunID: "r", Dataset: "d", SampleID: schemas.SampleID{sample + 1}, Margin: -1})
	}
	emits, _, err := Decide(t.Context(), store, store, store.set, decide.Evaluated{Run: schemas.Run{RunID: "r", Dataset: "d"}}, false, func(v decide.Verdict) error {
		store.tombstones = []string{schemas.TombstoneKey(schemas.SampleID{2})}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string][]byte{"remove": {1, 3}}, selected(t, emits)); d != "" || len(store.states) != 2 || len(store.selections[0].Picks) != 2 {
		t.Errorf("%d states and %d picks are stored, want 2; told: -want +got\n%s", len(store.states), len(store.selections[0].Picks), d)
	}
}

// decisions compiles decisions that must be right.
func decisions(t *testing.T, list ...schemas.Decision) *decide.Set {
	t.Helper()
	set, err := decide.Compile("d", list, func(path, format string, args ...any) { t.Fatalf(path+": "+format, args...) })
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestStatesAreOfThisClock: the state that is written last wins, whatever the trainer's clock says of the run's end, or that of the process
// that wrote the state before.
func TestStatesAreOfThisClock(t *testing.T) {
	store := &memory{set: decisions(t, schemas.Decision{Name: "useless", Action: schemas.ActionRemove, When: "aum < 0.0"})}
	began := time.Now()
	end := endRecord(t, 1, schemas.Run{RunID: "r", Dataset: "d", Finished: time.Unix(9, 0)})
	emits, err := step(t, store).HandleBatch(t.Context(), []schemas.Record{lossRecord(t, 0, "r", 1, -1), end})
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range store.states {
		if state.At.Before(began) {
			t.Errorf("the state is of %s, want now", state.At)
		}
	}
	var sel schemas.Selection
	if err := json.Unmarshal(emits[1].Record.Value, &sel); err != nil || !sel.At.Equal(time.Unix(9, 0)) || len(store.states) != 1 {
		t.Errorf("%d states, the selection is of %s (%v), want the end of the run", len(store.states), sel.At, err)
	}
	ahead := time.Now().Add(time.Hour)
	for key, state := range store.states {
		state.At = ahead
		store.states[key] = state
	}
	if _, err := step(t, store).HandleBatch(t.Context(), []schemas.Record{lossRecord(t, 2, "q", 1, 1), endRecord(t, 3, schemas.Run{RunID: "q", Dataset: "d"})}); err != nil {
		t.Fatal(err)
	}
	for _, state := range store.states {
		if state.Active || !state.At.After(ahead) || state.SinceAt != state.At {
			t.Errorf("state %+v, want one that has left, later than the one of a clock that is ahead", state)
		}
	}
}

// TestOneRunStopsNoOther: one that cannot be decided about is tried again, and the others go on.
func TestOneRunStopsNoOther(t *testing.T) {
	broken := errors.New("memory limit exceeded")
	store := &memory{set: decisions(t, schemas.Decision{Name: "useless", Action: schemas.ActionRemove, When: "aum < 0.0"}), unscored: map[string]error{"bad": broken}}
	s := step(t, store)
	s.cfg.DecideEvery = 0
	handle := func(want map[string][]byte, records ...schemas.Record) {
		t.Helper()
		emits, err := s.HandleBatch(t.Context(), records)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, selected(t, emits)); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
	}
	end := endRecord(t, 2, schemas.Run{RunID: "bad", Dataset: "d", Finished: time.Unix(9, 0)})
	handle(map[string][]byte{"remove": {2}}, lossRecord(t, 0, "bad", 1, -1), lossRecord(t, 1, "good", 2, -1))
	handle(map[string][]byte{"doubtful": {}}, end)
	store.unscored = nil
	store.unfolded = broken
	handle(map[string][]byte{"doubtful": {}}, endRecord(t, 3, schemas.Run{RunID: "good", Dataset: "d"}))
	store.unfolded = nil
	handle(map[string][]byte{"remove": {1, 2}}, lossRecord(t, 4, "good", 2, -1))
	if len(s.open) != 0 {
		t.Errorf("%d runs are open, want none: both have ended", len(s.open))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	store.unscored = map[string]error{"good": ctx.Err()}
	if _, err := s.HandleBatch(ctx, []schemas.Record{lossRecord(t, 5, "good", 2, -1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// TestDecisionsOfARetriedBatchAreTold: states were stored by the try that failed, and what follows from them still goes out, once.
func TestDecisionsOfARetriedBatchAreTold(t *testing.T) {
	store := &memory{set: decisions(t, schemas.Decision{Name: "wrong", Action: schemas.ActionReview, When: "aum < 0.0"})}
	s := step(t, store)
	s.cfg.DecideEvery = 0
	handle := func(records ...schemas.Record) map[string][]byte {
		t.Helper()
		emits, err := s.HandleBatch(t.Context(), records)
		if err != nil {
			t.Fatal(err)
		}
		return selected(t, emits)
	}
	want := func(when string, got, want map[string][]byte) {
		t.Helper()
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: -want +got\n%s", when, d)
		}
	}
	want("first", handle(lossRecord(t, 0, "r", 1, -1)), map[string][]byte{"review": {1}})
	for i, run := range []string{"other", "r"} { // the end of another run fails, then its own
		batch := []schemas.Record{lossRecord(t, int64(i+1), "r", run[0], -1), endRecord(t, 9, schemas.Run{RunID: run, Dataset: "d"})}
		store.unselected = errors.New("connection refused")
		for range 3 {
			if _, err := s.HandleBatch(t.Context(), batch); err == nil {
				t.Fatal("the batch is done without its selection")
			}
		}
		store.unselected = nil
		want(run, handle(batch[0]), map[string][]byte{"review": {run[0]}}) // one by one, as after a panic
		want(run, handle(batch...), map[string][]byte{"doubtful": {}})
	}
	// What is in the store before it fails is told, too.
	store.fullAfter = 4
	want("disk full", handle(lossRecord(t, 5, "s", 7, -1)), map[string][]byte{})
	store.fullAfter = 0
	want("disk free", handle(lossRecord(t, 6, "s", 8, -1)), map[string][]byte{"review": {7, 8}})
	want("quiet", handle(lossRecord(t, 7, "s", 8, -1)), map[string][]byte{})
}

// TestRulesWithoutDecisionsLift: what was in force is lifted when the last decision is gone from the rules, and said once. Rules that
// are not known lift nothing.
func TestRulesWithoutDecisionsLift(t *testing.T) {
	some := decisions(t, schemas.Decision{Name: "useless", Action: schemas.ActionRemove, When: "aum < 0.0"})
	store := &memory{}
	s := step(t, store)
	s.cfg.DecideEvery = 0
	for i, c := range []struct {
		set    *decide.Set
		want   map[string][]byte
		active bool
	}{
		{decisions(t), map[string][]byte{}, false},
		{some, map[string][]byte{"remove": {1}}, true},
		{nil, map[string][]byte{}, true},
		{decisions(t), map[string][]byte{"remove": {}}, false},
		{decisions(t), map[string][]byte{}, false},
		{some, map[string][]byte{"remove": {1}}, true},
		{decisions(t), map[string][]byte{"remove": {}}, false},
	} {
		store.set, store.edit = c.set, strings.Repeat("x", i)
		emits, err := s.HandleBatch(t.Context(), []schemas.Record{lossRecord(t, int64(i), "r", 1, -1)})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, selected(t, emits)); d != "" {
			t.Errorf("step %d: -want +got\n%s", i, d)
		}
		if active, err := InForce(t.Context(), store, "d"); err != nil || active != c.active {
			t.Errorf("step %d: in force %v (%v), want %v", i, active, err, c.active)
		}
	}
}

// TestLargeSelections go out with their picks in the blob store.
func TestLargeSelections(t *testing.T) {
	set, err := decide.Compile("d", []schemas.Decision{{Name: "all", Action: schemas.ActionCoreset, When: "true", Message: strings.Repeat("x", 300)}},
		func(path, format string, args ...any) { t.Fatalf(path+": "+format, args...) })
	if err != nil {
		t.Fatal(err)
	}
	store := &memory{set: set, blobs: map[string][]byte{}}
	const n = 12_000
	for i := range n {
		store.rows.Append(schemas.LossRow{RunID: "r", Dataset: "d", SampleID: schemas.SampleID{byte(i >> 8), byte(i)}})
	}
	emits, err := step(t, store).HandleBatch(t.Context(), []schemas.Record{endRecord(t, 0, schemas.Run{RunID: "r", Dataset: "d"})})
	if err != nil {
		t.Fatal(err)
	}
	var s schemas.Selection
	if err := json.Unmarshal(emits[1].Record.Value, &s); err != nil {
		t.Fatal(err)
	}
	var picks []schemas.Pick
	if s.Blob == nil || len(s.Picks) != 0 || json.Unmarshal(store.blobs[s.Blob.Key], &picks) != nil || len(picks) != n || int(s.Blob.Size) != len(store.blobs[s.Blob.Key]) {
		t.Errorf("blob %+v with %d picks, %d in the message", s.Blob, len(picks), len(s.Picks))
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
