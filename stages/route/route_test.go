package route

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/rules"
)

// folder keeps blobs as files.
type folder string

func (f folder) Put(_ context.Context, key string, data []byte) error {
	path := filepath.Join(string(f), filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

func (f folder) PutNew(ctx context.Context, key string, data []byte) (existing []byte, created bool, err error) {
	if existing, err = f.Get(ctx, key); err == nil {
		return existing, false, nil
	}
	return nil, true, f.Put(ctx, key, data)
}

func (f folder) Get(_ context.Context, key string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(f), filepath.FromSlash(key)))
}

// shelf is a catalog of a few samples.
type shelf struct {
	samples map[schemas.SampleID]schemas.Sample
	labels  map[schemas.SampleID]schemas.Label
}

func (c shelf) Sample(_ context.Context, id schemas.SampleID) (schemas.Sample, bool, error) {
	s, ok := c.samples[id]
	return s, ok, nil
}

func (c shelf) Label(_ context.Context, id schemas.SampleID) (schemas.Label, bool, error) {
	l, ok := c.labels[id]
	return l, ok, nil
}

var (
	linted = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	seen   = []schemas.Stamp{{Step: "prelabel", Model: "yolox_nano@1"}, {Step: "superpixel", Model: "slic@1"}, {Step: "lint", At: linted}}
)

func object(id string, score float32) schemas.Object {
	return schemas.Object{ID: id, Class: "person", Box: geometry.Box{X1: 1, Y1: 2, X2: 30, Y2: 40}, Score: score, Source: "yolox_nano@1"}
}

func sample(n byte) schemas.Sample {
	return schemas.Sample{
		ID: schemas.SampleID{n}, Group: schemas.SampleID{n}, Dataset: "street", UniqueID: fmt.Sprint("img-", n), Task: "detect",
		Image: schemas.ImageRef{SHA256: schemas.Hash{n}, Size: 3, MediaType: "image/png", W: 64, H: 48, Inline: []byte("png")},
		Stage: schemas.StageLinted, Stamps: seen, Objects: []schemas.Object{object("o1", 0.9), object("o2", 0.7)},
	}
}

func record(t *testing.T, s schemas.Sample) schemas.Record {
	t.Helper()
	value, err := schemas.EncodeSample(&s)
	if err != nil {
		t.Fatal(err)
	}
	return schemas.Record{Topic: schemas.Linted, Value: value, Headers: []schemas.Header{{Key: schemas.HeaderTrace, Value: []byte("trace-1")}}}
}

func newRoute(t *testing.T, cfg Config, c Catalog) (*Route, folder) {
	t.Helper()
	blobs := folder(t.TempDir())
	r, err := New(cfg, blobs, c, fixed{}, &rules.Registry{}, "v1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return r, blobs
}

func handle(t *testing.T, r *Route, rec schemas.Record) []schemas.Emit {
	t.Helper()
	emits, err := r.Handle(t.Context(), rec)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range emits {
		if e.Topic != e.Record.Topic {
			t.Fatalf("the emit is for %s, its record for %s", e.Topic, e.Record.Topic)
		}
		if trace, _ := e.Record.Header(schemas.HeaderTrace); e.Topic != schemas.Selections && trace != "trace-1" {
			t.Fatalf("the trace is lost: %q", trace)
		}
	}
	return emits
}

// task decodes a create command and the sample that it shows.
func task(t *testing.T, blobs folder, e schemas.Emit) (schemas.Command, schemas.CreateBody, schemas.Sample) {
	t.Helper()
	if e.Topic != schemas.Desk {
		t.Fatalf("emitted on %s, want the desk", e.Topic)
	}
	var c schemas.Command
	var b schemas.CreateBody
	if err := json.Unmarshal(e.Record.Value, &c); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(c.Body, &b); err != nil {
		t.Fatal(err)
	}
	if c.Kind != schemas.CommandCreate || c.Actor != "route" || c.At.IsZero() || !c.NotAfter.IsZero() {
		t.Fatalf("command %+v", c)
	}
	body, err := blobs.Get(t.Context(), b.Body.Key)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(body)) != b.Body.Size || b.Body.Key != schemas.BodyKey(sha256.Sum256(body)) {
		t.Fatalf("the body is not what %+v names", b.Body)
	}
	s, err := schemas.DecodeSample(body)
	if err != nil {
		t.Fatal(err)
	}
	if s.Image.Inline != nil {
		t.Fatal("the body carries pixels")
	}
	return c, b, s
}

func label(t *testing.T, emits []schemas.Emit) schemas.Label {
	t.Helper()
	if len(emits) != 1 || emits[0].Topic != schemas.Labels {
		t.Fatalf("emitted %+v, want one label", emits)
	}
	l, err := schemas.DecodeLabel(emits[0].Record.Value)
	if err != nil {
		t.Fatal(err)
	}
	if string(emits[0].Record.Key) != l.SampleID.String() {
		t.Fatalf("key %q", emits[0].Record.Key)
	}
	return l
}

func TestConfidence(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*schemas.Sample)
		want   float64
		reason string
	}{
		"weakest object":   {func(*schemas.Sample) {}, 0.7, "no finding; least certain: person at 0.70"},
		"strongest doubt":  {func(s *schemas.Sample) { s.Findings = findings(0.2, 0.6) }, 0.4, "doubt 0.6; doubt 0.2"},
		"many doubts":      {func(s *schemas.Sample) { s.Findings = findings(0.1, 0.9, 0.2, 0.3) }, 0.1, "doubt 0.9; doubt 0.3; and 2 more"},
		"nothing seen":     {func(s *schemas.Sample) { s.Objects = nil }, 1, "the model saw nothing here"},
		"nothing accepted": {func(s *schemas.Sample) { s.Proposals, s.Objects = s.Objects[1:], nil }, 0.3, "the model saw nothing here"},
		"no model":         {func(s *schemas.Sample) { s.Objects, s.Stamps = nil, s.Stamps[1:] }, 0, "no model has labeled this image"},
		"super-class":      {func(s *schemas.Sample) { s.Objects[1].Refine = true }, 0, "what kind of person is this?"},
		"out of range":     {func(s *schemas.Sample) { s.Findings = findings(1.5) }, 0, "doubt 1.5"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sample(1)
			c.change(&s)
			if got := Confidence(&s, s.Proposals); got < c.want-1e-6 || got > c.want+1e-6 {
				t.Errorf("confidence %g, want %g", got, c.want)
			}
			if got := reason(&s, true); got != c.reason {
				t.Errorf("reason %q, want %q", got, c.reason)
			}
		})
	}
}

// TestUnwantedIsNoDoubt: an image that holds nothing of what its dataset wants is as sure as the model is of that, whatever else it
// sees there.
func TestUnwantedIsNoDoubt(t *testing.T) {
	r, _ := newRoute(t, Config{Datasets: map[string]Dataset{"street": {AcceptAbove: 0.8}}}, shelf{})
	s := sample(1)
	s.Proposals, s.Objects = s.Objects[:1], nil
	if e := handle(t, r, record(t, s)); e[0].Topic != schemas.Desk {
		t.Errorf("a person may have been overlooked, and %s gets the image", e[0].Topic)
	}
	for _, wants := range []schemas.ObjectRule{{Class: "car"}, {Class: "person", MinSize: schemas.MinSize{Height: 40}}} {
		of := &rules.Registry{}
		if err := of.Put(schemas.DatasetRules{Dataset: "street", Objects: []schemas.ObjectRule{wants}}); err != nil {
			t.Fatal(err)
		}
		r.rules = of
		if e := handle(t, r, record(t, s)); e[0].Topic != schemas.Labels {
			t.Errorf("%+v: %s gets the image", wants, e[0].Topic)
		}
	}
}

// TestDoubtIsRanked: images that all need a person for the same certain reason come in the order of what else is in doubt, and before
// those that may not need one.
func TestDoubtIsRanked(t *testing.T) {
	r, blobs := newRoute(t, Config{}, shelf{})
	broken := schemas.Finding{Type: schemas.FindingRule, ObjectID: "o1", Score: 1, Why: "person is to be refined."}
	last := 2.0
	for i, change := range []func(*schemas.Sample){
		func(s *schemas.Sample) { s.Objects[0].Refine, s.Findings = true, append(findings(0.6), broken) },
		func(s *schemas.Sample) { s.Objects[0].Refine, s.Findings = true, append(findings(0.5), broken) },
		func(s *schemas.Sample) { s.Objects[0].Refine = true },
		func(s *schemas.Sample) { s.Objects[1].Score, s.Findings = 0.8, []schemas.Finding{broken} },
		func(s *schemas.Sample) { s.Findings = findings(0.9) },
		func(s *schemas.Sample) { s.Findings = []schemas.Finding{{Type: schemas.FindingRule, Score: 0.5}} },
		func(*schemas.Sample) {},
	} {
		s := sample(1)
		change(&s)
		_, b, _ := task(t, blobs, handle(t, r, record(t, s))[0])
		if !(b.Priority < last) {
			t.Errorf("case %d has priority %g, the one before %g", i, b.Priority, last)
		}
		last = b.Priority
	}
}

func findings(scores ...float32) []schemas.Finding {
	out := make([]schemas.Finding, len(scores))
	for i, s := range scores {
		out[i] = schemas.Finding{Type: schemas.FindingSpurious, ObjectID: "o1", Score: s, Why: fmt.Sprintf("doubt %.1f", s)}
	}
	return out
}

// Nothing is accepted unless its dataset says so: it becomes a task, the same one however often the record comes.
func TestToPeople(t *testing.T) {
	r, blobs := newRoute(t, Config{Datasets: map[string]Dataset{"street": {Priority: 2, Queue: "night"}}}, shelf{})
	s := sample(1)
	s.Objects[0].Score, s.Objects[1].Score = 1, 1
	s.Findings = findings(0.25)
	c, b, shown := task(t, blobs, handle(t, r, record(t, s))[0])
	again, bodyAgain, _ := task(t, blobs, handle(t, r, record(t, s))[0])
	if c.ID != again.ID || b != bodyAgain {
		t.Errorf("a redelivery asks for something else: %+v %+v", again, bodyAgain)
	}
	want := schemas.CreateBody{
		SampleID: s.ID, Dataset: "street", UniqueID: "img-1", Task: "detect", Queue: "night", Priority: 2.25, Reason: "doubt 0.2", Body: b.Body,
	}
	if diff := cmp.Diff(want, b); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(s.Objects, shown.Objects); diff != "" || len(shown.Findings) != 1 {
		t.Errorf("the labeler sees other objects: %s", diff)
	}
	s.Revision = 1
	if other, _, _ := task(t, blobs, handle(t, r, record(t, s))[0]); other.ID == c.ID {
		t.Error("another revision has the same command id")
	}
}

func TestAccepted(t *testing.T) {
	r, blobs := newRoute(t, Config{Datasets: map[string]Dataset{"street": {AcceptAbove: 0.7}}}, shelf{})
	l := label(t, handle(t, r, record(t, sample(1))))
	if l.Rank != schemas.RankAutomatic || l.Actor != "route" || len(l.Objects) != 2 || !l.At.Equal(linted) || l.Stamps[3].Step != "route" {
		t.Errorf("label %+v", l)
	}
	s := sample(1)
	s.Findings = findings(0.31)
	if emits := handle(t, r, record(t, s)); emits[0].Topic != schemas.Desk {
		t.Errorf("confidence 0.69 went to %s", emits[0].Topic)
	}
	s = sample(2)
	s.Dataset = "other"
	task(t, blobs, handle(t, r, record(t, s))[0])
}

// What people submitted is a label, whatever lint says.
func TestSubmitted(t *testing.T) {
	r, _ := newRoute(t, DefaultConfig(), shelf{})
	s := sample(1)
	s.Rank, s.Revision, s.Actor, s.Findings = schemas.RankHuman, 7, "simulated:coco", findings(1)
	s.Overrides = []schemas.Override{{Type: schemas.FindingSpurious, ObjectID: "o1", Reason: "doubt 1.0"}}
	submitted := linted.Add(-time.Minute) // when lint saw it depends on the delivery, and is not when the label came to be
	s.Stamps = []schemas.Stamp{seen[0], {Step: "desk", At: submitted}, seen[2]}
	l := label(t, handle(t, r, record(t, s)))
	s.Image.Inline = nil // labels stay forever, pixels must not
	want := schemas.Label{
		SampleID: s.ID, Dataset: s.Dataset, UniqueID: s.UniqueID, Task: s.Task, Image: s.Image, Group: s.Group, Rank: schemas.RankHuman,
		Revision: 7, Objects: s.Objects, Overrides: s.Overrides, Actor: "simulated:coco", At: submitted, Stamps: l.Stamps,
	}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Error(diff)
	}
}

func TestErased(t *testing.T) {
	r, blobs := newRoute(t, DefaultConfig(), shelf{})
	if err := blobs.Put(t.Context(), schemas.TombstoneKey(schemas.SampleID{1}), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if emits := handle(t, r, record(t, sample(1))); len(emits) != 0 {
		t.Errorf("an erased sample goes on: %+v", emits)
	}
}

func TestDoubtful(t *testing.T) {
	labeled := func(n byte, rank schemas.Rank, revision uint64, at time.Time) schemas.Label {
		return schemas.Label{
			SampleID: schemas.SampleID{n}, Dataset: "street", Task: "detect", Rank: rank, Revision: revision, Actor: "alice", At: at,
			Objects: []schemas.Object{{ID: "p1", Class: "dog", Box: geometry.Box{X1: 5, Y1: 5, X2: 9, Y2: 9}, Source: "person:alice"}},
		}
	}
	end := linted.Add(time.Hour)
	c := shelf{map[schemas.SampleID]schemas.Sample{}, map[schemas.SampleID]schemas.Label{}}
	for n := range byte(6) {
		s := sample(n)
		s.Image.Inline, s.Findings = nil, findings(0.5)
		c.samples[s.ID] = s
	}
	c.labels[schemas.SampleID{1}] = labeled(1, schemas.RankHuman, 4, linted)
	c.labels[schemas.SampleID{2}] = labeled(2, schemas.RankAutomatic, 0, linted)
	c.labels[schemas.SampleID{3}] = labeled(3, schemas.RankHuman, 9, end.Add(time.Second)) // labeled anew
	c.labels[schemas.SampleID{4}] = labeled(4, schemas.RankHuman, 4, linted)               // erased
	r, blobs := newRoute(t, Config{Datasets: map[string]Dataset{"street": {Priority: 1}}}, c)
	if err := blobs.Put(t.Context(), schemas.TombstoneKey(schemas.SampleID{4}), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	picks := []schemas.Pick{
		{SampleID: schemas.SampleID{1}, ObjectID: "p1", Score: 2, Weight: 1, Reason: "the model never learns it"},
		{SampleID: schemas.SampleID{2}, Score: 0, Weight: 1},
		{SampleID: schemas.SampleID{3}, Score: 1},
		{SampleID: schemas.SampleID{4}, Score: 1},
		{SampleID: schemas.SampleID{5}, Score: 1},
		{SampleID: schemas.SampleID{1}, ObjectID: "gone", Score: 1, Reason: "nor this"},
	}
	sel := schemas.Selection{ID: "street/doubtful/r1", Dataset: "street", Kind: "doubtful", RunID: "r1", At: end, Picks: picks}
	send := func(sel schemas.Selection) []schemas.Emit {
		value, err := json.Marshal(sel)
		if err != nil {
			t.Fatal(err)
		}
		emits := handle(t, r, schemas.Record{
			Topic: schemas.Selections, Key: []byte(sel.Key()), Value: value, Headers: []schemas.Header{{Key: schemas.HeaderTrace, Value: []byte("trace-1")}},
		})
		if sel.Kind == "coreset" {
			return emits
		}
		last := len(emits) - 1
		if last < 0 || emits[last].Topic != schemas.Selections || string(emits[last].Record.Key) != sel.Key() || emits[last].Record.Value != nil {
			t.Fatalf("emitted %+v: want the request taken back at last", emits)
		}
		if again := handle(t, r, emits[last].Record); len(again) != 0 {
			t.Fatalf("what is taken back emits %+v", again)
		}
		return emits[:last]
	}
	emits := send(sel)
	if len(emits) != 2 {
		t.Fatalf("%d tasks, want 2: the others are labeled anew, erased, or without a label", len(emits))
	}
	command, b, shown := task(t, blobs, emits[0])
	if !b.Reopen || b.Revision != 4 || b.Reason != "the model never learns it; and 1 more" || b.Priority < 1.88 || b.Priority > 1.89 {
		t.Errorf("command %+v", b)
	}
	if diff := cmp.Diff(c.labels[schemas.SampleID{1}].Objects, shown.Objects); diff != "" {
		t.Errorf("the labeler does not see the label: %s", diff)
	}
	if len(shown.Findings) != 2 || shown.Findings[0].Type != schemas.FindingLoss || shown.Findings[0].Class != "dog" || shown.Findings[1].Class != "" {
		t.Errorf("findings %+v: those of another revision must go, those of the losses be there", shown.Findings)
	}
	_, b, shown = task(t, blobs, emits[1])
	if b.Revision != 0 || !strings.Contains(b.Reason, "run r1") || len(shown.Findings) != 2 {
		t.Errorf("an automatic label: command %+v, findings %+v", b, shown.Findings)
	}

	// A label that was made while the run was under way is not the one that it learned from.
	c.labels[schemas.SampleID{1}] = labeled(1, schemas.RankHuman, 6, end.Add(-time.Minute))
	sel.AsOf = end.Add(-time.Hour / 2)
	if emits := send(sel); len(emits) != 1 {
		t.Errorf("%d tasks, want that of sample 2 alone: the label of sample 1 is newer than the start of the run", len(emits))
	}
	sel.AsOf = time.Time{}

	// What a person has kept in spite of the losses is not asked again; another doubt about the sample is.
	settled := labeled(1, schemas.RankHuman, 4, linted)
	settled.Overrides = []schemas.Override{{Type: schemas.FindingLoss, ObjectID: "p1", Reason: "an odd dog"}}
	c.labels[schemas.SampleID{1}] = settled
	if _, b, shown := task(t, blobs, send(sel)[0]); b.Reason != "nor this" || len(shown.Findings) != 1 || len(shown.Overrides) != 1 {
		t.Errorf("command %+v, findings %+v", b, shown.Findings)
	}
	settled.Overrides = append(settled.Overrides, schemas.Override{Type: schemas.FindingLoss, ObjectID: "gone"})
	c.labels[schemas.SampleID{1}] = settled
	if emits := send(sel); len(emits) != 1 {
		t.Errorf("%d tasks, want that of sample 2 alone: every doubt about sample 1 is settled", len(emits))
	}
	c.labels[schemas.SampleID{1}] = labeled(1, schemas.RankHuman, 4, linted)

	// The same selection again, now by reference, asks for the same; another run asks anew.
	value, err := json.Marshal(picks)
	if err != nil {
		t.Fatal(err)
	}
	if err := blobs.Put(t.Context(), "bodies/picks", value); err != nil {
		t.Fatal(err)
	}
	sel.Picks, sel.Blob = nil, &schemas.BlobRef{Key: "bodies/picks", Size: int64(len(value))}
	if again, _, _ := task(t, blobs, send(sel)[0]); again.ID != command.ID {
		t.Error("a redelivered selection has another command id")
	}
	sel.RunID = "r2"
	if other, _, _ := task(t, blobs, send(sel)[0]); other.ID == command.ID {
		t.Error("another run's doubts have the same command id")
	}
	sel.RunID = "r1"
	// A decision asks for a review once, however many selections say so; a later one asks anew.
	review := func(sel schemas.Selection, since ...time.Duration) string {
		sel.Kind, sel.Blob, sel.Picks = "review", nil, nil
		for _, d := range since {
			sel.Picks = append(sel.Picks, schemas.Pick{SampleID: schemas.SampleID{1}, ObjectID: "p1", Since: linted.Add(d)})
		}
		command, _, _ := task(t, blobs, send(sel)[0])
		return command.ID
	}
	first := review(sel, 1)
	sel.ID, sel.At = "street/review/r1/7", end.Add(time.Hour)
	if again := review(sel, 1); again != first || again == command.ID {
		t.Error("a review has another command id in a later evaluation of its run, or that of a doubt")
	}
	later := review(sel, time.Minute)
	if later == first || review(sel, 1, time.Minute) != later {
		t.Error("a later decision has the command id of the one before, or another when both are told")
	}
	sel.RunID = "r2"
	if review(sel, 1) == first {
		t.Error("a review by another run has the same command id")
	}
	sel.Kind = "coreset"
	if emits := send(sel); len(emits) != 0 {
		t.Errorf("a coreset went to people: %+v", emits)
	}
}

func TestFaults(t *testing.T) {
	r, _ := newRoute(t, DefaultConfig(), shelf{})
	for _, rec := range []schemas.Record{
		{Topic: schemas.Linted, Value: []byte("no arrow")},
		{Topic: schemas.Selections, Value: []byte("no json")},
		{Topic: schemas.Selections, Value: []byte(`{"kind":"doubtful"}`)},
		{Topic: schemas.Selections, Value: []byte(`{"id":"a","kind":"doubtful","blob":{"key":"bodies/none"}}`)},
		{Topic: schemas.Raw},
	} {
		if _, err := r.Handle(t.Context(), rec); err == nil {
			t.Errorf("%s %q: no error", rec.Topic, rec.Value)
		} else if _, ok := schemas.AsFault(err); !ok {
			t.Errorf("%s %q: %v is no fault", rec.Topic, rec.Value, err)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	for _, c := range []struct {
		set  Dataset
		want string
	}{
		{Dataset{AcceptAbove: 1, Priority: -3}, ""},
		{Dataset{AcceptAbove: 1.1}, "datasets: x: accept_above: 1.1: must lie in [0,1]"},
		{Dataset{Queue: strings.Repeat("q", schemas.MaxName+1)}, "datasets: x: queue: 1025 bytes: at most 1024"},
		{Dataset{Priority: 1e9}, "datasets: x: priority: 1e+09: must lie within"},
	} {
		err := Config{Datasets: map[string]Dataset{"x": c.set}}.Validate()
		if (err == nil) != (c.want == "") || (err != nil && !bytes.Contains([]byte(err.Error()), []byte(c.want))) {
			t.Errorf("%+v: %v, want %q", c.set, err, c.want)
		}
	}
}
