package corrections

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/rules"
)

// zoo is a taxonomy: raccoons and dogs are animals, a waschbär is what the dataset calls a raccoon, and a pup is a kind of dog.
func zoo(_, class string) []string {
	switch class {
	case "waschbär":
		class = "raccoon"
	case "pup":
		return []string{"pup", "dog", "animal"}
	}
	if class == "raccoon" || class == "dog" {
		return []string{class, "animal"}
	}
	return []string{class}
}

func box(x1, y1, x2, y2 float32) geometry.Box { return geometry.Box{X1: x1, Y1: y1, X2: x2, Y2: y2} }

func proposal(id, class string, score float32, b geometry.Box) schemas.Object {
	return schemas.Object{ID: id, Class: class, Score: score, Box: b, Source: "m@1"}
}

func by(model string, o schemas.Object) schemas.Object {
	o.Source = model
	return o
}

func label(id, class string, b geometry.Box) schemas.Object {
	return schemas.Object{ID: id, Class: class, Box: b, Source: "person:ana"}
}

var submitted = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func sample(name string, proposals, objects []schemas.Object) schemas.Sample {
	return schemas.Sample{
		ID: schemas.NewSampleID("zoo", name, schemas.Hash{}), Dataset: "zoo", Revision: 4, Rank: schemas.RankHuman, Actor: "ana",
		Image: schemas.ImageRef{W: 640, H: 480}, Slices: map[string]string{"night": "yes"}, Stage: schemas.StageSubmitted,
		Proposals: proposals, Objects: objects,
		Stamps: []schemas.Stamp{{Step: "prelabel", Model: "n@1"}, {Step: "prelabel", Model: "m@1"}, {Step: "superpixel", Model: "slic-fast@2"}, {Step: "desk", At: submitted}},
	}
}

// TestJudge: what fared how, as "proposal label" pairs in order; a dash stands for none.
func TestJudge(t *testing.T) {
	a, b, far := box(100, 100, 200, 200), box(105, 100, 205, 200), box(400, 300, 500, 400)
	type objects = []schemas.Object
	for name, c := range map[string]struct {
		proposals, labels objects
		want              []string
	}{
		"accepted, rejected and missed": {
			objects{proposal("p1", "dog", 0.9, a), proposal("p2", "dog", 0.8, box(300, 0, 400, 100))},
			objects{label("o1", "dog", b), label("o2", "dog", far)},
			[]string{"p1 o1", "p2 -", "- o2"},
		},
		"another class is no match": {
			objects{proposal("p1", "cat", 0.9, a)},
			objects{label("o1", "dog", a)},
			[]string{"p1 -", "- o1"},
		},
		"a class above or below is one":        {objects{proposal("p1", "animal", 0.9, a)}, objects{label("o1", "waschbär", b)}, []string{"p1 o1"}},
		"refined the other way":                {objects{proposal("p1", "raccoon", 0.9, a)}, objects{label("o1", "animal", b)}, []string{"p1 o1"}},
		"by another name":                      {objects{proposal("p1", "raccoon", 0.9, a)}, objects{label("o1", "waschbär", b)}, []string{"p1 o1"}},
		"a kind of it":                         {objects{proposal("p1", "dog", 0.9, a)}, objects{label("o1", "pup", b)}, []string{"p1 o1"}},
		"siblings are none":                    {objects{proposal("p1", "dog", 0.9, a)}, objects{label("o1", "raccoon", a)}, []string{"p1 -", "- o1"}},
		"too little overlap":                   {objects{proposal("p1", "dog", 0.9, a)}, objects{label("o1", "dog", box(160, 100, 260, 200))}, []string{"p1 -", "- o1"}},
		"the nearest pair first":               {objects{proposal("p1", "dog", 0.5, a), proposal("p2", "animal", 0.9, b)}, objects{label("o1", "dog", a)}, []string{"p2 -", "p1 o1"}},
		"one label, one proposal":              {objects{proposal("p1", "dog", 0.9, a), proposal("p2", "animal", 0.8, a)}, objects{label("o1", "dog", a)}, []string{"p1 o1", "p2 -"}},
		"doubles of a better one do not count": {objects{proposal("p1", "dog", 0.9, b), proposal("p2", "dog", 0.2, a)}, objects{label("o1", "dog", a)}, []string{"p1 o1"}},
		"each model is judged by itself": {
			objects{proposal("p1", "dog", 0.9, b), by("n@1", proposal("p2", "dog", 0.8, a)), by("n@1", proposal("p3", "dog", 0.7, b)), by("n@1", proposal("p4", "dog", 0.6, far))},
			objects{label("o1", "dog", a)},
			[]string{"p1 o1", "p2 o1", "p4 -"},
		},
		"missed is what no model found": {
			objects{proposal("p1", "dog", 0.9, a), by("n@1", proposal("p2", "dog", 0.8, far))},
			objects{label("o1", "dog", a), label("o2", "dog", far), label("o3", "dog", box(0, 0, 50, 50))},
			[]string{"p1 o1", "p2 o2", "- o3"},
		},
		"nothing at all": {nil, nil, []string{"- -"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := sample("a", c.proposals, c.labels)
			got := []string{}
			for _, r := range Judge(&s, zoo) {
				dash := func(id string) string {
					if id == "" {
						return "-"
					}
					return id
				}
				got = append(got, dash(r.ProposalID)+" "+dash(r.ObjectID))
				if r.Accepted != (r.ProposalID != "" && r.ObjectID != "") {
					t.Errorf("%+v", r)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestJudgeRows: a row says all that is known, and the model's own box and score, whatever was learned has made of them.
func TestJudgeRows(t *testing.T) {
	p := proposal("p1", "waschbär", 0.25, box(90, 100, 210, 200))
	p.Raw, p.RawScore = box(100, 100, 200, 200), 0.75
	s := sample("a", []schemas.Object{p}, []schemas.Object{label("o1", "raccoon", box(91, 100, 211, 200))})
	want := []schemas.Correction{{
		SampleID: s.ID, Dataset: "zoo", Revision: 4, ProposalID: "p1", ObjectID: "o1", Source: "m@1", Models: []string{"m@1", "n@1"}, Class: "waschbär", Canonical: "raccoon", Labeled: "raccoon",
		Score: 0.75, Accepted: true, Proposal: p.Raw, Label: box(91, 100, 211, 200), W: 640, H: 480, Slices: map[string]string{"night": "yes"}, Actor: "ana", At: submitted,
	}}
	if diff := cmp.Diff(want, Judge(&s, zoo)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	automatic, unseen := s, s
	automatic.Rank = schemas.RankAutomatic
	unseen.Stamps = s.Stamps[2:]
	if rows := append(Judge(&automatic, zoo), Judge(&unseen, zoo)...); len(rows) != 0 {
		t.Errorf("without a person, or without a model, there is nothing to judge: %+v", rows)
	}
}

// TestJudgeIsOneToOne: every proposal is in at most one row, and every label in one of each model, or in one alone, whatever the
// boxes.
func TestJudgeIsOneToOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func() geometry.Box {
		x, y := 200*rng.Float32(), 200*rng.Float32()
		return box(x, y, x+50+100*rng.Float32(), y+50+100*rng.Float32())
	}
	classes := []string{"dog", "raccoon", "animal", "cat"}
	for range 200 {
		var s schemas.Sample
		for n := range rng.IntN(12) {
			s.Proposals = append(s.Proposals, by([]string{"m@1", "n@1"}[rng.IntN(2)], proposal(fmt.Sprint("p", n), classes[rng.IntN(4)], rng.Float32(), random())))
		}
		for n := range rng.IntN(12) {
			s.Objects = append(s.Objects, label(fmt.Sprint("o", n), classes[rng.IntN(4)], random()))
		}
		s = sample("a", s.Proposals, s.Objects)
		proposals, labels := map[string]int{}, map[string]map[string]int{} // by label and source
		for _, r := range Judge(&s, zoo) {
			proposals[r.ProposalID]++
			if labels[r.ObjectID] == nil {
				labels[r.ObjectID] = map[string]int{}
			}
			labels[r.ObjectID][r.Source]++
		}
		for id, n := range proposals {
			if id != "" && n > 1 {
				t.Fatalf("proposal %s is in %d rows of %+v", id, n, s)
			}
		}
		for _, o := range s.Objects {
			of := labels[o.ID]
			if _, missed := of[""]; len(of) == 0 || of["m@1"] > 1 || of["n@1"] > 1 || missed && (of[""] > 1 || len(of) > 1) {
				t.Fatalf("label %s is in rows %v of %+v", o.ID, of, s)
			}
		}
	}
}

// memory is a Store and Blobs that remember what they were given.
type memory struct {
	tokens []string
	rows   []schemas.Correction
	judged []schemas.Judgment
	erased schemas.SampleID
	err    error
}

func (m *memory) PutCorrections(_ context.Context, token string, rows []schemas.Correction) error {
	m.tokens, m.rows = append(m.tokens, token), append(m.rows, rows...)
	return m.err
}

func (m *memory) PutJudgments(_ context.Context, token string, rows []schemas.Judgment) error {
	m.tokens, m.judged = append(m.tokens, token), append(m.judged, rows...)
	return nil
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	if key == schemas.TombstoneKey(m.erased) {
		return []byte("{}"), nil
	}
	return nil, fmt.Errorf("get %s: %w", key, fs.ErrNotExist)
}

func record(t *testing.T, offset int64, s schemas.Sample) schemas.Record {
	t.Helper()
	value, err := schemas.EncodeSample(&s)
	if err != nil {
		t.Fatal(err)
	}
	return schemas.Record{Topic: schemas.Submitted, Offset: offset, Value: value}
}

func TestHandleBatch(t *testing.T) {
	one := []schemas.Object{proposal("p1", "dog", 0.5, box(0, 0, 9, 9))}
	a, b, gone := sample("a", one, nil), sample("b", one, nil), sample("gone", one, nil)
	records := []schemas.Record{record(t, 0, a), {Topic: schemas.Submitted, Offset: 1, Value: []byte("no sample")}, record(t, 2, gone), record(t, 3, b)}
	m := &memory{erased: gone.ID}
	step := New(m, m, zoo, &rules.Registry{}, slog.New(slog.DiscardHandler))
	for range 2 {
		emits, err := step.HandleBatch(t.Context(), records)
		var failed *schemas.WriteError
		if len(emits) != 0 || !errors.As(err, &failed) || len(failed.Failed) != 2 || !errors.Is(failed.Failed[2], schemas.ErrDropped) {
			t.Fatalf("%v, %v", emits, err)
		}
		if f, ok := schemas.AsFault(failed.Failed[1]); !ok || f.Reason != "undecodable" {
			t.Fatalf("undecodable bytes are %v", failed.Failed[1])
		}
	}
	if len(m.rows) != 4 || m.rows[0].SampleID != a.ID || m.rows[1].SampleID != b.ID || len(m.tokens) != 2 || m.tokens[0] != m.tokens[1] {
		t.Errorf("rows %+v under tokens %v", m.rows, m.tokens)
	}
	m.err = errors.New("the database is gone")
	if _, err := step.HandleBatch(t.Context(), records); !errors.Is(err, m.err) {
		t.Errorf("error %v, want the store's", err)
	}
	doubted := sample("d", nil, nil)
	doubted.Findings = []schemas.Finding{{Type: schemas.FindingMissing, Box: box(0, 0, 9, 9), Score: 0.5}}
	judging := &memory{erased: gone.ID}
	gone.Findings = doubted.Findings
	_, err := New(judging, judging, zoo, &rules.Registry{}, slog.New(slog.DiscardHandler)).HandleBatch(t.Context(), []schemas.Record{record(t, 0, gone), record(t, 1, doubted)})
	if failed := (*schemas.WriteError)(nil); !errors.As(err, &failed) || len(judging.judged) != 1 || judging.judged[0].SampleID != doubted.ID {
		t.Errorf("judgments %+v, %v", judging.judged, err)
	}
	quiet, unseen := &memory{}, sample("c", nil, nil)
	unseen.Stamps = nil
	if _, err := New(quiet, quiet, zoo, &rules.Registry{}, slog.New(slog.DiscardHandler)).HandleBatch(t.Context(), []schemas.Record{record(t, 0, unseen)}); err != nil || len(quiet.tokens) != 0 {
		t.Errorf("a sample that no model has looked at: %v, %v", quiet.tokens, err)
	}
}

// TestForbiddenIsNotJudged: proposals of what the dataset's rules do not want, or want larger, make no corrections, nor do they
// stand in the way of those that do.
func TestForbiddenIsNotJudged(t *testing.T) {
	wanted := &rules.Registry{}
	if err := wanted.Put(schemas.DatasetRules{Dataset: "zoo", Objects: []schemas.ObjectRule{{Class: "dog", MinSize: schemas.MinSize{Height: 100}}}}); err != nil {
		t.Fatal(err)
	}
	labels := []schemas.Object{label("o1", "dog", box(100, 100, 200, 210))}
	allowed := []schemas.Object{proposal("p1", "dog", 0.5, box(100, 100, 200, 200)), proposal("p2", "dog", 0.4, box(300, 100, 400, 200))}
	broader := proposal("p3", "animal", 0.3, box(450, 100, 550, 200))
	broader.Refine = true
	allowed = append(allowed, broader)
	all := slices.Concat(allowed, []schemas.Object{
		proposal("p4", "dog", 0.9, box(100, 100, 200, 190)), proposal("p5", "dog", 0.9, box(10, 10, 30, 30)), proposal("p6", "cat", 0.9, box(300, 300, 450, 450)),
	})
	judged := func(r Rules, proposals []schemas.Object) []schemas.Correction {
		m := &memory{}
		if _, err := New(m, m, zoo, r, slog.New(slog.DiscardHandler)).HandleBatch(t.Context(), []schemas.Record{record(t, 0, sample("a", proposals, labels))}); err != nil {
			t.Fatal(err)
		}
		return m.rows
	}
	want := judged(&rules.Registry{}, allowed)
	if len(want) != 3 || !want[0].Accepted || want[1].Accepted || want[2].Accepted {
		t.Fatalf("%+v", want)
	}
	if diff := cmp.Diff(want, judged(wanted, all)); diff != "" {
		t.Errorf("-without forbidden proposals +with\n%s", diff)
	}
	if got := judged(&rules.Registry{}, all); len(got) != 5 {
		t.Errorf("without rules all are judged but the double of one: %+v", got)
	}
}
