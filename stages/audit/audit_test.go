package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

func object(id, class string, x1, y1, x2, y2 float32) schemas.Object {
	return schemas.Object{ID: id, Class: class, Box: geometry.Box{X1: x1, Y1: y1, X2: x2, Y2: y2}}
}

func TestMended(t *testing.T) {
	car, dog := object("o1", "car", 10, 10, 110, 60), object("o2", "dog", 200, 10, 250, 60)
	parked := car
	parked.Attributes = map[string]string{"parked": "yes"}
	type objects = []schemas.Object
	for name, c := range map[string]struct {
		was, is objects
		want    bool
	}{
		"nothing there":         {nil, nil, false},
		"left alone":            {objects{car, dog}, objects{dog, car}, false},
		"an edge moved":         {objects{car}, objects{object("o1", "car", 11, 10, 110, 60)}, true},
		"rounded":               {objects{car}, objects{object("o1", "car", 10.1, 10, 110, 60.1)}, false},
		"cut by the image":      {objects{object("o1", "car", -20, 10, 20, 60)}, objects{object("o1", "car", 0, 10, 20, 60)}, false},
		"drawn anew":            {objects{car}, objects{object("n7", "car", 12, 10, 112, 61)}, false},
		"moved":                 {objects{car}, objects{object("o1", "car", 20, 10, 120, 60)}, true},
		"added":                 {objects{car}, objects{car, dog}, true},
		"removed":               {objects{car, dog}, objects{car}, true},
		"another class":         {objects{car}, objects{object("o1", "bus", 10, 10, 110, 60)}, true},
		"another attribute":     {objects{car}, objects{parked}, true},
		"one for another":       {objects{car, dog}, objects{car, object("o2", "dog", 0, 0, 50, 50)}, true},
		"twice where once":      {objects{car, dog}, objects{car, car}, true},
		"doubles that stay two": {objects{car, car}, objects{car, car}, false},
	} {
		if got := Mended(c.was, c.is, schemas.ImageRef{W: 320, H: 240}); got != c.want {
			t.Errorf("%s: mended is %t", name, got)
		}
	}
}

// memory is a Store and Blobs that remember what they were given.
type memory struct {
	blobs  map[string][]byte
	tokens []string
	drawn  []schemas.SampleID
	rows   []schemas.Audit
	err    error
}

func (m *memory) PutDraws(_ context.Context, _ string, rows []schemas.Audit) error {
	for _, a := range rows {
		m.drawn = append(m.drawn, a.SampleID)
	}
	return nil
}

func (m *memory) PutNew(_ context.Context, key string, data []byte) ([]byte, bool, error) {
	if existing, ok := m.blobs[key]; ok {
		return existing, false, nil
	}
	m.blobs[key] = data
	return nil, true, nil
}

func (m *memory) PutAudits(_ context.Context, token string, rows []schemas.Audit) error {
	m.tokens, m.rows = append(m.tokens, token), append(m.rows, rows...)
	return m.err
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	if data, ok := m.blobs[key]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("get %s: %w", key, fs.ErrNotExist)
}

// TestHandleBatch: of a batch only what a person submitted and was drawn is audited; a draw that cannot be read is one record's
// fault, and an erased sample leaves nothing.
func TestHandleBatch(t *testing.T) {
	var (
		routed    = time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
		submitted = routed.Add(time.Hour)
		was       = object("o1", "car", 10, 10, 110, 60)
		m         = &memory{blobs: map[string][]byte{}}
		records   []schemas.Record
	)
	add := func(name string, rank schemas.Rank, draw any, objects ...schemas.Object) schemas.SampleID {
		s := schemas.Sample{
			ID: schemas.NewSampleID("street", name, schemas.Hash{}), Dataset: "street", Rank: rank, Revision: 3, Actor: "ana", Objects: objects,
			Image: schemas.ImageRef{W: 320, H: 240},
			Stage: schemas.StageSubmitted, Stamps: []schemas.Stamp{{Step: "lint", At: routed}, {Step: "desk", At: submitted}},
		}
		value, err := schemas.EncodeSample(&s)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, schemas.Record{Topic: schemas.Submitted, Offset: int64(len(records)), Value: value})
		if d, ok := draw.(schemas.Draw); ok {
			d.SampleID = s.ID
			draw = d
		}
		if draw != nil {
			if m.blobs[schemas.DrawKey(s.ID)], err = json.Marshal(draw); err != nil {
				t.Fatal(err)
			}
		}
		return s.ID
	}
	draw := schemas.Draw{Confidence: .875, Probability: .25, Routed: routed, Objects: []schemas.Object{was}}
	kept := add("kept", schemas.RankHuman, draw, was)
	add("not drawn", schemas.RankHuman, nil, was)
	mended := add("mended", schemas.RankReviewed, draw)
	add("no person's", schemas.RankAutomatic, draw, was)
	add("unreadable", schemas.RankHuman, "no draw", was)
	gone := add("gone", schemas.RankHuman, draw, was)
	m.blobs[schemas.TombstoneKey(gone)] = []byte("{}")
	records = append(records, schemas.Record{Topic: schemas.Submitted, Offset: 6, Value: []byte("no sample")})

	step := New(m, m, slog.New(slog.DiscardHandler))
	emits, err := step.HandleBatch(t.Context(), records)
	var failed *schemas.WriteError
	if len(emits) != 0 || !errors.As(err, &failed) || len(failed.Failed) != 3 || !errors.Is(failed.Failed[5], schemas.ErrDropped) {
		t.Fatalf("%v, %v", emits, err)
	}
	for _, i := range []int{4, 6} {
		if f, ok := schemas.AsFault(failed.Failed[i]); !ok || f.Reason != "undecodable" {
			t.Errorf("record %d: %v", i, failed.Failed[i])
		}
	}
	want := schemas.Audit{
		SampleID: kept, Dataset: "street", Revision: 3, Confidence: .875, Probability: .25, Actor: "ana", Routed: routed, At: submitted,
	}
	wrong := want
	wrong.SampleID, wrong.Wrong = mended, true
	if diff := cmp.Diff([]schemas.Audit{want, wrong}, m.rows); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	m.err = errors.New("the database is gone")
	if _, err := step.HandleBatch(t.Context(), records); !errors.Is(err, m.err) || errors.As(err, &failed) {
		t.Errorf("without a database: %v", err)
	}
	if m.tokens[0] != m.tokens[1] {
		t.Errorf("a retry has another token: %v", m.tokens)
	}
}

// TestFirstSubmissionCounts: what was drawn is known when its task is created; of a sample that people see again the audit stays the
// first one's, however often either comes.
func TestFirstSubmissionCounts(t *testing.T) {
	routed := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	was := object("o1", "car", 10, 10, 110, 60)
	id := schemas.NewSampleID("street", "a", schemas.Hash{})
	draw, err := json.Marshal(schemas.Draw{SampleID: id, Confidence: .5, Probability: .25, Routed: routed, Objects: []schemas.Object{was}})
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{blobs: map[string][]byte{schemas.DrawKey(id): draw}}
	step := New(m, m, slog.New(slog.DiscardHandler))
	handle := func(rec schemas.Record) {
		t.Helper()
		if _, err := step.HandleBatch(t.Context(), []schemas.Record{rec}); err != nil {
			t.Fatal(err)
		}
	}
	create := func(id schemas.SampleID) schemas.Record {
		body, err := json.Marshal(schemas.CreateBody{SampleID: id, Dataset: "street"})
		if err != nil {
			t.Fatal(err)
		}
		rec, err := schemas.Command{ID: "c", Kind: schemas.CommandCreate, Body: body}.Record()
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}
	submit := func(revision uint64, objects ...schemas.Object) schemas.Record {
		value, err := schemas.EncodeSample(&schemas.Sample{
			ID: id, Dataset: "street", Rank: schemas.RankHuman, Revision: revision, Actor: "ana", Objects: objects, Stage: schemas.StageSubmitted,
			Image: schemas.ImageRef{W: 320, H: 240}, Stamps: []schemas.Stamp{{Step: "desk", At: routed.Add(time.Duration(revision) * time.Hour)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return schemas.Record{Topic: schemas.Submitted, Value: value}
	}
	handle(create(schemas.SampleID{1})) // not drawn
	handle(schemas.Record{Topic: schemas.Desk, Value: []byte("no command")})
	handle(create(id))
	if len(m.rows) != 0 || len(m.drawn) != 1 || m.drawn[0] != id {
		t.Fatalf("draws %v, audits %v", m.drawn, m.rows)
	}
	handle(submit(1, was))
	handle(submit(2)) // reopened, and mended
	handle(submit(1, was))
	for _, a := range m.rows {
		if a.Revision != 1 || a.Wrong || !a.At.Equal(routed.Add(time.Hour)) {
			t.Errorf("audit %+v, want the first submission's", a)
		}
	}
	if len(m.rows) != 3 {
		t.Errorf("%d audits", len(m.rows))
	}
}
