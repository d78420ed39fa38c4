package decide

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gleaner/schemas"
)

// compiled compiles decisions that must be right.
func compiled(t testing.TB, list ...schemas.Decision) *Set {
	t.Helper()
	s, err := Compile("d", list, func(path, format string, args ...any) { t.Fatalf("%s: %s", path, fmt.Sprintf(format, args...)) })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// scored is an object after some epoch, with the values of columns named in pairs.
func scored(id byte, epoch uint32, values ...any) schemas.Scored {
	s := schemas.Scored{Dataset: "d", SampleID: schemas.SampleID{id}, Class: "cat", Bytes: 1000, Seen: epoch + 1, Epochs: epoch + 1}
	for _, c := range schemas.ScoreColumns() {
		v := math.NaN()
		for i := 0; i < len(values); i += 2 {
			if values[i] == c.Name {
				v = values[i+1].(float64)
			}
		}
		s.Values = append(s.Values, v)
	}
	return s
}

// book holds states as the store does: written and read again, in order.
type book map[string][]byte

func (b book) put(t testing.TB, s schemas.DecisionState) {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	b[fmt.Sprint(s.SampleID, "/", s.ObjectID, "/", s.Class, "/", s.Decision, "/", s.Action)] = data
}

func (b book) all() iter.Seq2[schemas.DecisionState, error] {
	var list []schemas.DecisionState
	for _, data := range b {
		var s schemas.DecisionState
		if err := json.Unmarshal(data, &s); err != nil {
			panic(err)
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b schemas.DecisionState) int {
		return slices.Compare([]string{a.SampleID.String(), a.ObjectID}, []string{b.SampleID.String(), b.ObjectID})
	})
	return seq(list)
}

func seq[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// evaluate applies a set, keeps what changed in the book, and writes the verdicts as DECISION:SAMPLE CHANGE.
func evaluate(t testing.TB, s *Set, b book, run string, rows ...schemas.Scored) ([]string, *Gathering, Summary) {
	t.Helper()
	g := s.Gather(Evaluated{Run: schemas.Run{RunID: run, Dataset: "d"}, Rules: "d@1"})
	var said []string
	sum, err := s.Evaluate(t.Context(), run, seq(rows), b.all(), func(v Verdict) error {
		name := fmt.Sprint(v.State.SampleID[0])
		if v.State.Action == schemas.ActionDistill {
			name = v.State.Class
		}
		said = append(said, fmt.Sprintf("%s:%s %s", v.State.Decision, name, v.Change))
		if v.Changed {
			b.put(t, v.State)
		}
		g.Add(v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return said, g, sum
}

// TestHysteresis goes through what one object shows, an evaluation a word, and holds the changes to be those of the second line:
// Enters, Stays, Leaves, waits; - is silence. A figure with ' is evaluated again at the same epoch.
func TestHysteresis(t *testing.T) {
	for name, c := range map[string]struct {
		d             schemas.Decision
		figures, want string
	}{
		"one threshold": {schemas.Decision{When: "aum < 0.0"}, "1 -1 -1 1 1 -1", "- E S L - E"},
		"two":           {schemas.Decision{When: "aum < -2.0", Until: "aum > 2.0"}, "-1 -3 -1 1 3 1 -3", "- E S S L - E"},
		"patience":      {schemas.Decision{When: "aum < 0.0", Persist: 3}, "-1 -1 1 -1 -1 -1 1 -1 1 1 1", "w w w w w E S S S S L"},
		"both":          {schemas.Decision{When: "aum < -2.0", Until: "aum > 2.0", Persist: 2}, "-3 -3 3 1 3 3", "w E S S S L"},
		"no news":       {schemas.Decision{When: "aum < 0.0", Persist: 2}, "-1 -1' -1' -1 1 1' 1' 1", "w - - E S S S L"},
		"no figure":     {schemas.Decision{When: "aum < 0.0"}, "-1 NaN -1", "E L E"},
		"by the class":  {schemas.Decision{When: `class == "cat" && !never_learned && slices["night"] == "yes"`}, "0", "E"},
	} {
		t.Run(name, func(t *testing.T) {
			c.d.Name, c.d.Action = "x", schemas.ActionRemove
			b, epoch := book{}, uint32(0)
			var got []string
			for word := range strings.FieldsSeq(c.figures) {
				figure, again := strings.CutSuffix(word, "'")
				v, err := strconv.ParseFloat(figure, 64)
				if err != nil {
					t.Fatal(err)
				}
				if !again {
					epoch++
				}
				row := scored(1, epoch, "aum", v)
				row.Slices = map[string]string{"night": "yes"}
				// A new set each time: what it needs to know is in the book.
				said, g, _ := evaluate(t, compiled(t, c.d), b, "r", row)
				change := "-"
				if len(said) > 0 {
					change = map[Change]string{Enters: "E", Stays: "S", Leaves: "L", Waits: "w"}[Change(strings.Fields(said[0])[1])]
				}
				got = append(got, change)
				if sel := g.Selections(); len(sel) != 1 || (len(sel[0].Picks) == 1) != (change == "E" || change == "S") {
					t.Errorf("%s: selection %+v", change, sel)
				}
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("%s: got %s, want %s", c.figures, s, c.want)
			}
		})
	}
}

// TestRunsTakeTurns: what a run has shown counts once, however often others are evaluated in between; those that have not been heard of
// for long are forgotten.
func TestRunsTakeTurns(t *testing.T) {
	s := compiled(t, schemas.Decision{Name: "x", Action: schemas.ActionRemove, When: "aum < 0.0", Persist: 4})
	b := book{}
	look := func(run string, epoch uint32) string {
		said, _, _ := evaluate(t, s, b, run, scored(1, epoch, "aum", -1.))
		return strings.Join(said, "")
	}
	for i, c := range []struct {
		run   string
		epoch uint32
		want  string
	}{
		{"a", 0, "x:1 waits"}, {"b", 0, "x:1 waits"}, {"a", 0, ""}, {"b", 0, ""}, {"a", 1, "x:1 waits"}, {"b", 0, ""}, {"a", 1, ""}, {"b", 1, "x:1 enters"}, {"a", 1, "x:1 stays"},
	} {
		if got := look(c.run, c.epoch); got != c.want {
			t.Errorf("look %d, of run %s: %q, want %q", i, c.run, got, c.want)
		}
	}
	for i := range 2 * maxOthers {
		look(fmt.Sprint("run", i), 0)
	}
	for state, err := range b.all() {
		if err != nil || len(state.Others) != maxOthers || state.Others[0].RunID != fmt.Sprint("run", 2*maxOthers-2) {
			t.Errorf("remembered: %+v, want the last %d", state.Others, maxOthers)
		}
	}
}

// TestLimit: the best enter where there is room, and those that wait come when there is some.
func TestLimit(t *testing.T) {
	s := compiled(t, schemas.Decision{Name: "x", Action: schemas.ActionRemove, When: "el2n > 0.5", By: "el2n", Limit: 2})
	b := book{}
	row := func(id byte, epoch uint32, v float64) schemas.Scored { return scored(id, epoch, "el2n", v) }
	got, _, _ := evaluate(t, s, b, "r", row(1, 0, .6), row(2, 0, .9), row(3, 0, .7), row(4, 0, .1))
	if want := []string{"x:1 waits", "x:2 enters", "x:3 enters"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	got, g, _ := evaluate(t, s, b, "r", row(1, 1, .6), row(2, 1, .1), row(3, 1, .7), row(4, 1, .55))
	if want := []string{"x:2 leaves", "x:3 stays", "x:1 enters", "x:4 waits"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if p := g.Selections()[0].Picks; len(p) != 2 || p[0].SampleID[0] != 3 || p[0].Score != .7 || p[1].Reason != "x: el2n 0.6" {
		t.Errorf("picks %+v", p)
	}
	// What another run does not present stays, and takes its room.
	got, g, _ = evaluate(t, s, b, "other", row(2, 0, .9))
	if want := []string{"x:1 stays", "x:3 stays", "x:2 waits"}; !slices.Equal(got, want) || len(g.Selections()[0].Picks) != 2 {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestReviewsAreToldOnce: people hear of what is new, and a process that has just begun says all of the run's again.
func TestReviewsAreToldOnce(t *testing.T) {
	s := compiled(t, schemas.Decision{Name: "doubt", Action: schemas.ActionReview, When: "aum < 0.0", By: "-aum", Limit: 1, Message: "The label may be wrong"})
	b := book{}
	rows := func(epoch uint32) []schemas.Scored {
		return []schemas.Scored{scored(1, epoch, "aum", -3.), scored(2, epoch, "aum", -4.)}
	}
	_, g, _ := evaluate(t, s, b, "r", rows(0)...)
	sel := g.Selections()
	if len(sel) != 1 || len(sel[0].Picks) != 1 || sel[0].Picks[0].SampleID[0] != 2 || sel[0].Picks[0].Reason != "The label may be wrong (aum -4)" || !strings.HasPrefix(sel[0].ID, "d/review/r/1/") {
		t.Fatalf("selections %+v", sel)
	}
	if _, g, _ = evaluate(t, s, b, "r", rows(1)...); len(g.Selections()) != 0 {
		t.Errorf("said twice: %+v", g.Selections())
	}
	again := s.Gather(Evaluated{Run: schemas.Run{RunID: "r", Dataset: "d"}, Again: true})
	if _, err := s.Evaluate(t.Context(), "r", seq(rows(2)), b.all(), func(v Verdict) error { again.Add(v); return nil }); err != nil {
		t.Fatal(err)
	}
	if sel := again.Selections(); len(sel) != 1 || len(sel[0].Picks) != 1 {
		t.Errorf("not said again: %+v", sel)
	}
	again.Drop(map[schemas.SampleID]bool{{2}: true})
	if sel := again.Selections(); len(sel) != 0 {
		t.Errorf("of samples that were dropped: %+v", sel)
	}
	// Another run may send as many again.
	if _, g, _ = evaluate(t, s, b, "r2", rows(0)...); len(g.Selections()) != 1 || g.Selections()[0].Picks[0].SampleID[0] != 1 {
		t.Errorf("another run: %+v", g.Selections())
	}
}

// TestRulesChange: what the rules no longer say is lifted, also where a name means another action now.
func TestRulesChange(t *testing.T) {
	b := book{}
	row := func(epoch uint32) schemas.Scored { return scored(1, epoch, "aum", -1.) }
	evaluate(t, compiled(t, schemas.Decision{Name: "x", Action: schemas.ActionRemove, When: "aum < 0.0"}), b, "r", row(0))
	got, g, _ := evaluate(t, compiled(t, schemas.Decision{Name: "x", Action: schemas.ActionOversample, When: "aum < 0.0", Factor: "1.0 - aum"}), b, "r", row(1))
	if want := []string{"x:1 leaves", "x:1 enters"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if sel := g.Selections(); len(sel) != 2 || sel[0].Kind != "oversample" || sel[0].Picks[0].Weight != 2 || sel[1].Kind != "remove" || len(sel[1].Picks) != 0 {
		t.Errorf("selections %+v", sel)
	}
	if got, _, _ := evaluate(t, compiled(t), b, "r", row(2)); !slices.Equal(got, []string{"x:1 leaves"}) {
		t.Errorf("without rules: %q", got)
	}
	if got, _, _ := evaluate(t, compiled(t), b, "r", row(3)); len(got) != 0 {
		t.Errorf("lifted twice: %q", got)
	}
}

// TestDistill: a class sets off distillation when its picks have been the same for some epochs and it is large.
func TestDistill(t *testing.T) {
	s := compiled(t, schemas.Decision{
		Name: "small", Action: schemas.ActionDistill, By: "el2n", Top: 2, Persist: 2, When: "stability >= 0.9 && replay_bytes > 2500.0", Until: "stability < 0.5",
	})
	b := book{}
	for epoch, c := range []struct {
		el2n [3]float64
		want string
	}{
		{[3]float64{3, 2, 1}, "waits"},
		{[3]float64{1, 2, 3}, "waits"}, // one of two is another: 1/3
		{[3]float64{1, 2, 3}, "waits"},
		{[3]float64{1, 2, 3}, "enters"},
		{[3]float64{1, 2, 3}, "stays"},
		{[3]float64{3, 2, 1}, "stays"},
		{[3]float64{1, 2, 3}, "leaves"},
	} {
		var rows []schemas.Scored
		for i, v := range c.el2n {
			rows = append(rows, scored(byte(i+1), uint32(epoch), "el2n", v))
			rows = append(rows, rows[2*i]) // a second object of the image, not to be paid twice
			rows[2*i+1].ObjectID, rows[2*i+1].Values = "o2", scored(0, 0, "el2n", 0.).Values
		}
		dog := scored(9, uint32(epoch), "el2n", 1.)
		dog.Class = "dog" // small
		got, g, _ := evaluate(t, s, b, "r", append(rows, dog)...)
		if want := []string{"small:cat " + c.want, "small:dog waits"}; !slices.Equal(got, want) {
			t.Errorf("epoch %d: got %q, want %q", epoch, got, want)
		}
		triggers := g.Triggers()
		if len(triggers) != 0 != (c.want == "enters") {
			t.Errorf("epoch %d: triggers %+v", epoch, triggers)
		}
		for _, x := range triggers {
			if x.ID != "d/distill/small/cat/r/4" || x.Evidence["replay_bytes"] != 3000 || x.Evidence["objects"] != 6 || x.Evidence["top"] != 2 {
				t.Errorf("trigger %+v", x)
			}
		}
	}
}

// TestFaults: what cannot be evaluated is counted and leaves all as it was.
func TestFaults(t *testing.T) {
	b := book{}
	evaluate(t, compiled(t, schemas.Decision{Name: "x", Action: schemas.ActionOversample, When: "aum < 0.0", Factor: "2"}), b, "r", scored(1, 0, "aum", -1.))
	for name, c := range map[string]struct{ when, factor, want string }{
		"no such slice":  {`slices["night"] == "yes"`, "2.0", "no such key: night"},
		"unknown figure": {"true", "trend_p", "not a number"},
		"huge factor":    {"true", "1e9", "factor is 1e+09: want more than 0"},
		"cost":           {`[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].all(a, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].all(b, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].all(c, a + b + c < 100)))`, "2.0", "too many operations"},
	} {
		t.Run(name, func(t *testing.T) {
			d := schemas.Decision{Name: "x", Action: schemas.ActionOversample, When: c.when, Factor: c.factor}
			got, g, sum := evaluate(t, compiled(t, d), maps.Clone(b), "r", scored(1, 1, "aum", -1.), scored(2, 1, "aum", -1.))
			if f := sum.Faults["x"]; f.Count != 2 || !strings.Contains(f.First, c.want) {
				t.Errorf("faults %+v, want 2: %s", sum.Faults, c.want)
			}
			if !slices.Equal(got, []string{"x:1 stays"}) || len(g.Selections()[0].Picks) != 1 || g.Selections()[0].Picks[0].Weight != 2 {
				t.Errorf("got %q, %+v", got, g.Selections())
			}
		})
	}
}

func TestBadDecisions(t *testing.T) {
	for name, c := range map[string]struct {
		d    schemas.Decision
		path string
		want string
	}{
		"name":           {schemas.Decision{Name: "a b", Action: "remove", When: "true"}, "[0].name", "a letter first"},
		"action":         {schemas.Decision{Name: "x", Action: "drop", When: "true"}, "[0].action", "want remove, review"},
		"nothing":        {schemas.Decision{Name: "x", Action: "remove"}, "[0].when", "no expression"},
		"misspelled":     {schemas.Decision{Name: "x", Action: "remove", When: "amu < 0.0"}, "[0].when", `decision "x": line 1, column 1 of the expression: undeclared reference to 'amu'`},
		"type":           {schemas.Decision{Name: "x", Action: "remove", When: "aum"}, "[0].when", "want a condition"},
		"number":         {schemas.Decision{Name: "x", Action: "remove", When: "true", By: "class"}, "[0].by", "want a number"},
		"class's figure": {schemas.Decision{Name: "x", Action: "remove", When: "stability > 0.5"}, "[0].when", "undeclared"},
		"object's":       {schemas.Decision{Name: "x", Action: "distill", When: "aum > 0.5", By: "aum"}, "[0].when", "undeclared"},
		"no order":       {schemas.Decision{Name: "x", Action: "distill", When: "true"}, "[0].by", "no expression"},
		"no factor":      {schemas.Decision{Name: "x", Action: "oversample", When: "true"}, "[0].factor", "no expression"},
		"factor":         {schemas.Decision{Name: "x", Action: "remove", When: "true", Factor: "2.0"}, "[0].factor", "oversample alone"},
		"top":            {schemas.Decision{Name: "x", Action: "remove", When: "true", Top: 3}, "[0].top", "distill alone"},
		"persist":        {schemas.Decision{Name: "x", Action: "remove", When: "true", Persist: -1}, "[0].persist", "at most 100"},
		"limit":          {schemas.Decision{Name: "x", Action: "remove", When: "true", Limit: -1}, "[0].limit", "any number"},
		"message":        {schemas.Decision{Name: "x", Action: "remove", When: "true", Message: "a\nb"}, "[0].message", "printable"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			_, err := Compile("d", []schemas.Decision{c.d}, func(path, format string, args ...any) {
				if path == c.path {
					got = append(got, fmt.Sprintf(format, args...))
				}
			})
			if err != nil || len(got) != 1 || !strings.Contains(got[0], c.want) {
				t.Errorf("%q (%v), want %q", got, err, c.want)
			}
		})
	}
}

func TestErrorsEndIt(t *testing.T) {
	s := compiled(t, schemas.Decision{Name: "x", Action: schemas.ActionRemove, When: "aum < 0.0"})
	none := func(Verdict) error { return nil }
	rows := []schemas.Scored{scored(2, 0), scored(1, 0)}
	if _, err := s.Evaluate(t.Context(), "r", seq(rows), book{}.all(), none); err == nil || !strings.Contains(err.Error(), "order") {
		t.Errorf("%v: want the order", err)
	}
	broken := errors.New("connection lost")
	failing := func(yield func(schemas.DecisionState, error) bool) { yield(schemas.DecisionState{}, broken) }
	if _, err := s.Evaluate(t.Context(), "r", seq(rows[:1]), failing, none); !errors.Is(err, broken) {
		t.Errorf("%v, want the store's", err)
	}
	if _, err := s.Evaluate(t.Context(), "r", seq([]schemas.Scored{}), failing, none); !errors.Is(err, broken) {
		t.Errorf("%v, want the store's", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(broken)
	if _, err := s.Evaluate(ctx, "r", seq(rows[:1]), book{}.all(), none); !errors.Is(err, broken) {
		t.Errorf("%v, want the context's", err)
	}
}

// BenchmarkEvaluate is of three decisions about an object.
func BenchmarkEvaluate(b *testing.B) {
	s := compiled(b,
		schemas.Decision{Name: "r", Action: schemas.ActionReview, When: "aum < 0.0 && presentations >= 3.0", By: "-aum", Limit: 100},
		schemas.Decision{Name: "o", Action: schemas.ActionOversample, When: `class == "cat" && forgetting_events > 2.0`, Factor: "1.0 + forgetting_events / 4.0"},
		schemas.Decision{Name: "d", Action: schemas.ActionDistill, When: "stability > 0.9", By: "el2n"},
	)
	rows := func(yield func(schemas.Scored, error) bool) {
		for i := range b.N {
			r := scored(0, 3, "aum", float64(i%100), "presentations", 4., "forgetting_events", float64(i%4), "el2n", float64(i%7))
			r.SampleID = schemas.SampleID{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
			if !yield(r, nil) {
				return
			}
		}
	}
	if _, err := s.Evaluate(b.Context(), "r", rows, book{}.all(), func(Verdict) error { return nil }); err != nil {
		b.Fatal(err)
	}
}
