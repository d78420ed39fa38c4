package prelabel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"gleaner/schemas"
	"gleaner/stages/pixels"
)

// yard loads models that know whether they are used as they may be.
type yard struct {
	t    *testing.T
	fail map[string]func(*yardModel) error // by id: what goes wrong as that model is loaded

	mu    sync.Mutex
	loads map[string]int
	open  map[*yardModel]bool
}

type yardModel struct {
	yard   *yard
	model  schemas.Model
	trial  error
	closed atomic.Bool
}

func newYard(t *testing.T) *yard {
	return &yard{t: t, fail: map[string]func(*yardModel) error{}, loads: map[string]int{}, open: map[*yardModel]bool{}}
}

func (y *yard) fleet() *Fleet { return NewFleet(y.load, slog.New(slog.DiscardHandler)) }

func (y *yard) load(_ context.Context, m schemas.Model) (Loaded, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.loads[m.ID]++
	l := &yardModel{yard: y, model: m}
	if fail := y.fail[m.ID]; fail != nil {
		if err := fail(l); err != nil {
			return nil, err
		}
	}
	y.open[l] = true
	return l, nil
}

func (m *yardModel) Model() schemas.Model { return m.model }

func (m *yardModel) Detect(context.Context, *pixels.Image, float32) ([]schemas.Object, error) {
	if m.closed.Load() {
		m.yard.t.Errorf("%s is used after it was closed", m.model.ID)
	}
	return nil, m.trial
}

func (m *yardModel) DetectDense(ctx context.Context, img *pixels.Image, low float32, _ Dense) ([]schemas.Object, schemas.Candidates, error) {
	found, err := m.Detect(ctx, img, low)
	return found, schemas.Candidates{}, err
}

func (m *yardModel) Embed(context.Context, *pixels.Image) ([]float32, error) { return nil, nil }

func (m *yardModel) Close() error {
	if m.closed.Swap(true) {
		m.yard.t.Errorf("%s is closed twice", m.model.ID)
	}
	m.yard.mu.Lock()
	defer m.yard.mu.Unlock()
	delete(m.yard.open, m)
	return nil
}

// opened lists the models in memory.
func (y *yard) opened() (ids []string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for m := range maps.Keys(y.open) {
		ids = append(ids, m.model.ID)
	}
	slices.Sort(ids)
	return ids
}

// registered is a registry of some models, each of another digest.
func registered(ids ...string) Registry {
	r := NewRegistry()
	for i, id := range ids {
		r.Models[id] = entry(id, byte(i+1))
	}
	return r
}

func (r Registry) serve(s schemas.Serving) Registry {
	r = r.Clone()
	r.Serving[s.Dataset] = s
	return r
}

// taken is the ids of the models that a sample gets.
func taken(t *testing.T, f *Fleet, dataset string, id schemas.SampleID) string {
	t.Helper()
	detectors, release, err := f.Take(dataset, id)
	if err != nil {
		if _, fault := schemas.AsFault(err); fault {
			t.Errorf("the sample is blamed: %v", err)
		}
		return "error: " + err.Error()
	}
	defer release()
	var ids []string
	for _, d := range detectors {
		ids = append(ids, d.Model().ID)
		if _, err := d.Detect(t.Context(), nil, 0); err != nil {
			t.Error(err)
		}
	}
	return strings.Join(ids, " ")
}

func update(t *testing.T, f *Fleet, r Registry) {
	t.Helper()
	if err := f.Update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// TestFleetSwapsUnderLoad takes samples all the while that two sets of models that share one follow each other.
func TestFleetSwapsUnderLoad(t *testing.T) {
	y := newYard(t)
	f := y.fleet()
	r := registered("a@1", "a@2", "b@1")
	sets := []schemas.Serving{serving("*", "a@1", "b@1"), serving("*", "b@1", "a@2")}
	sets[1].At = sets[0].At.Add(1)
	update(t, f, r.serve(sets[0]))
	var wait sync.WaitGroup
	var swaps, takes atomic.Int64
	var seen sync.Map
	for range 4 {
		wait.Go(func() {
			for swaps.Load() < 60 {
				got := taken(t, f, "street", schemas.SampleID{})
				if got != "a@1 b@1" && got != "b@1 a@2" {
					t.Errorf("a sample got %q", got)
					return
				}
				seen.Store(got, true)
				takes.Add(1)
			}
		})
	}
	for i := range 60 {
		update(t, f, r.serve(sets[(i+1)%2]))
		for from := takes.Load(); takes.Load() < from+8 && !t.Failed(); {
			runtime.Gosched()
		}
		swaps.Add(1)
	}
	wait.Wait()
	for _, set := range []string{"a@1 b@1", "b@1 a@2"} {
		if _, ok := seen.Load(set); !ok {
			t.Errorf("no sample got %q", set)
		}
	}
	if got := y.opened(); !slices.Equal(got, []string{"a@1", "b@1"}) || y.loads["b@1"] != 1 || y.loads["a@2"] < 2 {
		t.Errorf("in memory: %v, loaded %v: b@1 was never out of use", got, y.loads)
	}
	_, release, err := f.Take("street", schemas.SampleID{})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if got := y.opened(); len(got) != 2 {
		t.Errorf("a sample still has its models, in memory are %v", got)
	}
	release()
	if got := y.opened(); len(got) != 0 {
		t.Errorf("after everything was released %v are in memory", got)
	}
	if got := taken(t, f, "street", schemas.SampleID{}); got != "error: the models are closed" {
		t.Errorf("a closed fleet gives %q", got)
	}
}

// TestFleetRefuses lets a version that must not serve follow one that does.
func TestFleetRefuses(t *testing.T) {
	for want, fail := range map[string]func(*yardModel) error{
		"corrupt":                            func(*yardModel) error { return schemas.NewFault("corrupt", errors.New("no such opset")) },
		"the entry says digest 02":           func(m *yardModel) error { m.model.SHA256 = schemas.Hash{9}; return nil },
		"what was loaded is other@1":         func(m *yardModel) error { m.model.ID = "other@1"; return nil },
		"and 2 classes, the entry says":      func(m *yardModel) error { m.model.Classes = []string{"cat", "dog"}; return nil },
		"trial-run: trial run: out of range": func(m *yardModel) error { m.trial = errors.New("out of range"); return nil },
		"panic: index out of range":          func(*yardModel) error { panic("index out of range") },
		"model a@2 is not registered":        nil,
	} {
		t.Run(want, func(t *testing.T) {
			y := newYard(t)
			f := y.fleet()
			y.fail["a@2"] = func(m *yardModel) error { y.mu.Unlock(); defer y.mu.Lock(); return fail(m) }
			r := registered("a@1", "a@2", "0@1")
			if fail == nil {
				delete(r.Models, "a@2")
			}
			update(t, f, r.serve(serving("*", "a@1")))
			bad := serving("*", "0@1", "a@2")
			bad.At = bad.At.Add(1)
			for range 2 { // the second time it is known
				update(t, f, r.serve(bad))
				if got := taken(t, f, "street", schemas.SampleID{}); got != "a@1" {
					t.Errorf("now serves %q", got)
				}
			}
			if got := y.opened(); !slices.Equal(got, []string{"a@1"}) {
				t.Errorf("in memory: %v", got)
			}
			got := f.Failures()
			if got.Refused != 1 || got.At.IsZero() || got.Last == nil || !strings.Contains(got.Last.Error(), want) || !strings.HasPrefix(got.Last.Error(), "models 0@1, a@2 of dataset *: ") {
				t.Errorf("%+v, want %q", got, want)
			}
			delete(y.fail, "a@2")
			r.Models["a@2"] = entry("a@2", 2)
			bad.At = bad.At.Add(1) // asked for again
			update(t, f, r.serve(bad))
			if got := taken(t, f, "street", schemas.SampleID{}); got != "0@1 a@2" {
				t.Errorf("after it was mended %q serves", got)
			}
		})
	}
}

// TestFleetStartsRefused starts on a registry whose newest models cannot serve: those before do, or samples wait.
func TestFleetStartsRefused(t *testing.T) {
	y := newYard(t)
	y.fail["a@2"] = func(*yardModel) error { return schemas.NewFault("corrupt", errors.New("short")) }
	r := registered("a@1", "a@2")
	bad := serving("*", "a@2")

	f := y.fleet()
	update(t, f, r.serve(bad))
	if got := taken(t, f, "street", schemas.SampleID{}); got != "error: no model serves yet: models a@2 of dataset *: model a@2: corrupt: short" {
		t.Errorf("without earlier models a sample gets %q", got)
	}
	bad.Previous = &schemas.ModelSet{Models: []string{"a@1"}}
	f = y.fleet()
	update(t, f, r.serve(bad))
	if got := taken(t, f, "street", schemas.SampleID{}); got != "a@1" || f.Failures().Refused != 1 {
		t.Errorf("with earlier models a sample gets %q, %+v", got, f.Failures())
	}
}

// TestFleetSaysWhatIsInForce: of each dataset what serves, which record that comes of, and why where it is not what was asked for.
func TestFleetSaysWhatIsInForce(t *testing.T) {
	y := newYard(t)
	y.fail["bad@1"] = func(*yardModel) error { return schemas.NewFault("corrupt", errors.New("short")) }
	y.fail["gone@1"] = func(*yardModel) error { return errors.New("its file is missing") }
	r := registered("a@1", "bad@1", "gone@1")
	f := y.fleet()
	first, second, street, cells := serving("*", "a@1"), serving("*", "gone@1"), serving("street", "bad@1"), serving("cells")
	second.At = first.At.Add(1)
	update(t, f, r.serve(first))
	if err := f.Update(t.Context(), r.serve(second).serve(street).serve(cells)); err == nil {
		t.Error("nobody would try again")
	}
	want := map[string]schemas.InForce{
		"*":      {ModelSet: first.ModelSet, Asked: second.At, Why: "model gone@1: its file is missing"},
		"street": {Asked: street.At, Why: "model bad@1: corrupt: short", Refused: true},
		"cells":  {Asked: cells.At},
	}
	if d := cmp.Diff(want, f.Serving()); d != "" {
		t.Error(d)
	}
	f = y.fleet()
	update(t, f, r.serve(serving("*", "bad@1")))
	if got := f.Serving()["*"]; !got.Waits || !got.Refused || len(got.Models) != 0 {
		t.Errorf("of a process that begins with what is refused: %+v", got)
	}
}

// TestFleetStartsRefusedAndStarved starts on a registry whose newest models cannot serve, and cannot load those before for a while.
func TestFleetStartsRefusedAndStarved(t *testing.T) {
	y := newYard(t)
	y.fail["a@1"] = func(*yardModel) error { return errors.New("connection refused") }
	y.fail["a@2"] = func(*yardModel) error { return schemas.NewFault("corrupt", errors.New("short")) }
	bad := serving("*", "a@2")
	bad.Previous = &schemas.ModelSet{Models: []string{"a@1"}}
	f, r := y.fleet(), registered("a@1", "a@2").serve(bad)
	for range 2 {
		if err := f.Update(t.Context(), r); err == nil || !strings.HasSuffix(err.Error(), "models a@1, which served before: model a@1: connection refused") {
			t.Fatalf("%v: nobody would try again", err)
		}
		if got := taken(t, f, "street", schemas.SampleID{}); !strings.HasPrefix(got, "error: no model serves yet: models a@2 of dataset *") {
			t.Errorf("a sample gets %q", got)
		}
	}
	delete(y.fail, "a@1")
	update(t, f, r)
	if got := taken(t, f, "street", schemas.SampleID{}); got != "a@1" || f.Failures().Refused != 1 {
		t.Errorf("a sample gets %q, %+v", got, f.Failures())
	}
}

// TestFleetStartsWithoutFile starts on a registry whose newest models have no file in the store for a while: those before serve
// until it is back.
func TestFleetStartsWithoutFile(t *testing.T) {
	for name, c := range map[string]struct {
		dataset  string
		previous []string
		others   []string // that serve datasets without models of their own
		want     string   // before the file is back
	}{
		"those before":                     {"*", []string{"a@1"}, nil, "a@1"},
		"none before":                      {"*", nil, nil, "error: no model serves yet: models a@2 of dataset *: model a@2: its file is missing"},
		"those before of its own":          {"cells", []string{"a@1"}, []string{"b@1"}, "a@1"},
		"none before of its own":           {"cells", nil, []string{"b@1"}, "b@1"},
		"none before, and nobody's either": {"cells", nil, nil, "error: no model serves yet: models a@2 of dataset cells: model a@2: its file is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t)
			y.fail["a@2"] = func(*yardModel) error { return errors.New("its file is missing") }
			f, r := y.fleet(), registered("a@1", "a@2", "b@1")
			if c.others != nil {
				r = r.serve(serving("*", c.others...))
			}
			s := serving(c.dataset, "a@2")
			s.Previous = &schemas.ModelSet{Models: c.previous}
			r = r.serve(s)
			for range 2 {
				if err := f.Update(t.Context(), r); err == nil || !strings.HasSuffix(err.Error(), "model a@2: its file is missing") {
					t.Fatalf("%v: nobody would try again", err)
				}
				if got := taken(t, f, "cells", schemas.SampleID{}); got != c.want || f.Failures().Refused != 0 {
					t.Errorf("a sample gets %q, %+v, want %q", got, f.Failures(), c.want)
				}
			}
			delete(y.fail, "a@2")
			update(t, f, r)
			if got := taken(t, f, "cells", schemas.SampleID{}); got != "a@2" {
				t.Errorf("with its file back a sample gets %q", got)
			}
			if got := y.opened(); slices.Contains(got, "a@1") {
				t.Errorf("in memory: %v", got)
			}
		})
	}
}

// TestFleetRefusesOwn lets a dataset that others' models serve get broken ones of its own, in a running fleet and in one that
// begins: others' models go on.
func TestFleetRefusesOwn(t *testing.T) {
	y := newYard(t)
	y.fail["b@1"] = func(*yardModel) error { return schemas.NewFault("corrupt", errors.New("short")) }
	r := registered("a@1", "b@1").serve(serving("*", "a@1"))
	own := serving("cells", "b@1")
	own.Previous = &schemas.ModelSet{}
	running := y.fleet()
	update(t, running, r)
	for name, f := range map[string]*Fleet{"running": running, "new": y.fleet()} {
		update(t, f, r.serve(own))
		if got := taken(t, f, "cells", schemas.SampleID{}); got != "a@1" || f.Failures().Refused != 1 {
			t.Errorf("%s: cells are served by %q, %+v", name, got, f.Failures())
		}
	}
	// The first models ever are refused: samples pass as they did.
	f := y.fleet()
	update(t, f, registered("b@1"))
	update(t, f, registered("b@1").serve(serving("*", "b@1")))
	if got := taken(t, f, "cells", schemas.SampleID{}); got != "" {
		t.Errorf("samples that passed unlabeled get %q", got)
	}
}

// TestFleetRemoved: a removed model comes back neither as what served before one that is refused, nor because it is asked for,
// nor by the samples that still see it.
func TestFleetRemoved(t *testing.T) {
	y := newYard(t)
	y.fail["a@2"] = func(*yardModel) error { return schemas.NewFault("corrupt", errors.New("short")) }
	r := registered("a@1", "a@2", "a@3")
	f := y.fleet()
	update(t, f, r.serve(serving("*", "a@1")))
	_, release, err := f.Take("street", schemas.SampleID{})
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	good := serving("*", "a@3")
	good.At = good.At.Add(1)
	update(t, f, r.serve(good))
	r.Removed["a@1"] = schemas.ModelRemoval{ID: "a@1"}
	again := serving("*", "a@1")
	again.At = again.At.Add(2)
	update(t, f, r.serve(again))
	if got := taken(t, f, "street", schemas.SampleID{}); got != "a@3" || f.Failures().Refused != 1 || !strings.HasSuffix(f.Failures().Last.Error(), "model a@1 was removed") {
		t.Errorf("a sample gets %q, %+v", got, f.Failures())
	}

	bad := serving("*", "a@2")
	bad.Previous = &schemas.ModelSet{Models: []string{"a@1"}}
	f = y.fleet()
	update(t, f, r.serve(bad))
	if got := taken(t, f, "street", schemas.SampleID{}); !strings.HasPrefix(got, "error: no model serves yet: models a@2 ") || y.loads["a@1"] != 1 {
		t.Errorf("at a start a sample gets %q, loaded %v", got, y.loads)
	}
}

// TestFleetTriesAgain has a store that does not answer for a while, and a machine without memory.
func TestFleetTriesAgain(t *testing.T) {
	y := newYard(t)
	down := func(*yardModel) error { return errors.New("connection refused") }
	y.fail["a@1"] = down
	f := y.fleet()
	r := registered("a@1", "a@2")
	first := r.serve(serving("*", "a@1"))
	if err := f.Update(t.Context(), first); err == nil || !strings.Contains(err.Error(), "models a@1 of dataset *: model a@1: connection refused") {
		t.Fatal(err)
	}
	if got := taken(t, f, "street", schemas.SampleID{}); !strings.HasPrefix(got, "error: ") {
		t.Errorf("a sample gets %q before anything is loaded", got)
	}
	delete(y.fail, "a@1")
	update(t, f, first)
	second := serving("*", "a@2")
	second.At = second.At.Add(1)
	starved := func(m *yardModel) error { m.trial = fmt.Errorf("the runtime: %w", schemas.ErrOutOfMemory); return nil }
	for what, fail := range map[string]func(*yardModel) error{"connection refused": down, "trial run: the runtime: out of memory": starved} {
		y.fail["a@2"] = fail
		if err := f.Update(t.Context(), r.serve(second)); err == nil || !strings.HasSuffix(err.Error(), what) {
			t.Errorf("%v, want %s", err, what)
		}
		if got := taken(t, f, "street", schemas.SampleID{}); got != "a@1" || f.Failures().Refused != 0 {
			t.Errorf("%s: a sample gets %q, refused %+v", what, got, f.Failures())
		}
		if got := y.opened(); !slices.Equal(got, []string{"a@1"}) {
			t.Errorf("%s: in memory: %v", what, got)
		}
	}
	delete(y.fail, "a@2")
	update(t, f, r.serve(second))
	if got := taken(t, f, "street", schemas.SampleID{}); got != "a@2" {
		t.Errorf("a sample gets %q", got)
	}
}

func TestFleetByDataset(t *testing.T) {
	y := newYard(t)
	f := y.fleet()
	r := registered("a@1", "b@1")
	step := func(want string, r Registry) {
		t.Helper()
		update(t, f, r)
		if got := taken(t, f, "street", schemas.SampleID{}) + "|" + taken(t, f, "cells", schemas.SampleID{}); got != want {
			t.Errorf("street|cells are served by %q, want %q", got, want)
		}
	}
	step("|", r)
	r = r.serve(serving("cells", "b@1"))
	step("|b@1", r)
	r = r.serve(serving("*", "a@1"))
	step("a@1|b@1", r)
	r = r.serve(serving("cells"))
	step("a@1|a@1", r)
	delete(r.Serving, "*")
	step("|", r)
	if got := y.opened(); len(got) != 0 {
		t.Errorf("in memory: %v", got)
	}
}

// TestFleetCanary gives the canary its share of the samples, within 5 standard deviations, and shows it in the metrics.
func TestFleetCanary(t *testing.T) {
	const n, share = 4000, 0.25
	y := newYard(t)
	f := y.fleet()
	s := serving("*", "a@1")
	s.Canary, s.Share = []string{"a@2"}, share
	update(t, f, registered("a@1", "a@2").serve(s))
	canary := 0
	for i := range n {
		id := schemas.NewSampleID("street", string(rune('a'+i%26))+time.Duration(i).String(), schemas.Hash{})
		first := taken(t, f, "street", id)
		if again := taken(t, f, "street", id); again != first {
			t.Fatalf("sample %s got %q and then %q", id, first, again)
		}
		if first == "a@2" {
			canary++
		}
	}
	if sd := math.Sqrt(n * share * (1 - share)); math.Abs(float64(canary)-n*share) > 5*sd {
		t.Errorf("the canary has %d of %d samples", canary, n)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(f)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	var samples float64
	for _, family := range families {
		for _, m := range family.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetValue())
			}
			if family.GetName() == "gleaner_model_samples_total" {
				samples += m.Counter.GetValue()
				continue
			}
			got = append(got, strings.Join(append([]string{family.GetName()}, labels...), " "))
		}
	}
	if want := []string{"gleaner_model_refused_total", "gleaner_model_serving * a@1 models", "gleaner_model_serving * a@2 canary"}; !slices.Equal(got, want) || samples != 2*n {
		t.Errorf("metrics %q with %g samples, want %q with %d", got, samples, want, 2*n)
	}
}
