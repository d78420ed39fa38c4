package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"

	"gleaner/deploy/batch"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/lint"
	"gleaner/stages/lint/evidence"
	"gleaner/stages/lint/forest"
)

// rows are evidence with what was wrong.
type rows struct {
	box    [][]float32
	wrong  []schemas.FindingType
	edge   [][]float32 // of single edges, where not several are wrong
	moved  []bool
	absent [][]float32
	gone   []bool
	alike  [][]float32
	more   []bool // whether it is one more of what the labels name
}

// evidenceOf is the rows of each manner of looking.
type evidenceOf map[lint.Manner]*rows

func (e evidenceOf) of(v view) *rows {
	m := lint.Manner{Several: len(v.models) > 1, Closer: v.closer}
	if e[m] == nil {
		e[m] = &rows{}
	}
	return e[m]
}

// draws is how many times errors are put into the labels of each picture, rate the chance of each kind, and gone that of a missing
// label: higher, since labels of clean data miss things that a reviewer would add, which count as present here.
const (
	draws = 80
	rate  = 0.08
	gone  = 0.15
)

// views are those of the draws in turn. Models look closer at labels in half as many more.
var views = []view{
	{models: []int{0}},
	{models: []int{0, 1, 2}},
	{models: []int{1}},
	{models: []int{0}, tiles: true},
	{models: []int{0}},
	{models: []int{2}},
	{models: []int{0, 1, 2}, tiles: true},
	{models: []int{0, 2}},
}

// closely are views in which models look closer, too.
func closely(views []view) []view {
	out := slices.Clone(views)
	for i := range out {
		out[i].closer = true
	}
	return out
}

// collect puts errors into the labels of the pictures that keep admits, in draws of such numbers, and gathers the evidence about them. In some draws no pixels,
// no superpixels and no habits are at hand, as in some flows. missing says that
// the models know what the pictures show, so that what they see beside the labels is evidence.
func (b *bench) collect(ctx context.Context, r evidenceOf, set []*picture, from, to int, views []view, missing bool, keep func(i int) bool) error {
	for d := from; d < to; d++ {
		v := views[d%len(views)]
		n := b.newNoise(set, uint64(d)) //nolint:gosec // not below 0
		drawn := make([]noisy, len(set))
		for i, p := range set {
			drawn[i] = n.put(p.sample.Objects, p.img.W, p.img.H)
		}
		habits := habitsOf(set, keep, func(i int) []schemas.Object { return drawn[i].labels })
		err := r.of(v).gather(ctx, set, keep, func(i int) (*rows, error) {
			s, err := b.seen(ctx, set[i], v, drawn[i].labels)
			if err != nil {
				return nil, err
			}
			with := evidence.Context{Maps: b.maps, Related: related, Image: set[i].img, Habits: habits}
			switch d % 5 {
			case 3:
				with.Image = nil
			case 4:
				with.Habits = nil
			}
			if d%3 == 1 {
				s.Superpixels = schemas.Superpixels{}
			}
			of, scene := &rows{}, evidence.New(s, with)
			of.labels(scene, drawn[i])
			if missing {
				of.missing(scene, drawn[i])
			}
			return of, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// labels adds the evidence about the labels of a scene.
func (r *rows) labels(scene *evidence.Scene, n noisy) {
	for k, wrong := range n.wrong {
		r.box, r.wrong = append(r.box, scene.Box(k)), append(r.wrong, wrong)
		switch wrong {
		case schemas.FindingLoose, schemas.FindingTight, schemas.FindingShift:
		default:
			for e, x := range scene.Edges(k) {
				r.edge, r.moved = append(r.edge, x), append(r.moved, wrong == schemas.FindingEdge && n.moved[k] == e)
			}
		}
	}
}

// missing adds the evidence about what the labels of a scene miss.
func (r *rows) missing(scene *evidence.Scene, n noisy) {
	taken := make([]bool, len(n.deleted))
	for _, q := range scene.Proposals(lint.MissingFloor) {
		if right, counts := claim(n.deleted, taken, q.Box); counts {
			r.absent, r.gone = append(r.absent, scene.Absent(q)), append(r.gone, right)
		}
	}
}

// gather adds the rows of the pictures that keep admits, in their order.
func (r *rows) gather(ctx context.Context, set []*picture, keep func(i int) bool, of func(i int) (*rows, error)) error {
	all, errs := make([]*rows, len(set)), make([]error, len(set))
	ended := batch.Each(ctx, len(set), runtime.GOMAXPROCS(0), func(i int) struct{} {
		if keep(i) {
			all[i], errs[i] = of(i)
		}
		return struct{}{}
	}, func(int, struct{}) {})
	if err := cmp.Or(ended, errors.Join(errs...)); err != nil {
		return err
	}
	for _, x := range all {
		if x != nil {
			r.add(x)
		}
	}
	return nil
}

func (r *rows) add(x *rows) {
	r.box, r.wrong = append(r.box, x.box...), append(r.wrong, x.wrong...)
	r.edge, r.moved = append(r.edge, x.edge...), append(r.moved, x.moved...)
	r.absent, r.gone = append(r.absent, x.absent...), append(r.gone, x.gone...)
	r.alike, r.more = append(r.alike, x.alike...), append(r.more, x.more...)
}

// habitsOf are those of the pictures that keep admits, with other labels.
func habitsOf(set []*picture, keep func(i int) bool, labels func(i int) []schemas.Object) *evidence.Habits {
	return evidence.HabitsOf(func(yield func(*schemas.Sample) bool) {
		for i, p := range set {
			if keep(i) && !yield(p.labeled(labels(i))) {
				return
			}
		}
	})
}

// claim tells whether a box is of a label that was deleted. Beside one that has taken the label already it counts neither as right nor
// as wrong.
func claim(deleted []schemas.Object, taken []bool, b geometry.Box) (right, counts bool) {
	at, top := -1, 0.5
	for k, o := range deleted {
		if x := o.Box.IoU(b); x >= top {
			at, top = k, x
		}
	}
	if at < 0 {
		return false, true
	}
	counts, taken[at] = !taken[at], true
	return counts, counts
}

func related(label schemas.Object, classes []string) []bool {
	out := make([]bool, len(classes))
	for i, c := range classes {
		out[i] = c == label.Class
	}
	return out
}

// fit makes weights of evidence. Where there is none of a manner its forests say even odds, and are not to be asked.
func (e evidenceOf) fit() *lint.Weights {
	of := map[lint.Manner]lint.Forests{}
	for _, m := range lint.Manners() {
		of[m] = lint.Forests{}
		for i, t := range m.Fitted() {
			of[m][t] = e.judged(t, m).forest(t, uint64(i)) //nolint:gosec // not below 0
		}
	}
	return lint.NewWeights(of)
}

// judged are the rows of all manners in which a type of finding is judged by the forest of one.
func (e evidenceOf) judged(t schemas.FindingType, by lint.Manner) *rows {
	all := &rows{}
	for _, m := range lint.Manners() {
		if r := e[m]; r != nil && m.By(t) == by {
			all.add(r)
		}
	}
	return all
}

// forest is fitted for a type of finding.
func (r *rows) forest(t schemas.FindingType, seed uint64) *forest.Forest {
	o := forest.Options{Trees: 120, Leaves: 12, Rate: 0.08, MinRows: 60, Ridge: 2, Features: 0.4, Rows: 0.7, Seed: seed}
	switch t {
	case schemas.FindingMissing:
		o = forest.Options{Trees: 200, Leaves: 6, Rate: 0.02, MinRows: 400, Ridge: 10, Features: 1, Rows: 0.5, Seed: 99}
		return forest.Fit(r.absent, r.gone, o)
	case lint.MissingAlike:
		o = forest.Options{Trees: 100, Leaves: 6, Rate: 0.06, MinRows: 200, Ridge: 5, Features: 0.6, Rows: 0.5, Seed: 98}
		return forest.Fit(r.alike, r.more, o)
	case schemas.FindingEdge:
		return forest.Fit(r.edge, r.moved, o)
	}
	yes := make([]bool, len(r.wrong))
	for k, w := range r.wrong {
		yes[k] = w == t
	}
	return forest.Fit(r.box, yes, o)
}

// ship fits the weights that are shipped, to all of coco128 and raccoon, and writes them.
func (b *bench) ship(ctx context.Context, path string) error {
	r, err := b.gather(ctx, func(int) bool { return true })
	if err != nil {
		return err
	}
	for _, m := range lint.Manners() {
		if r[m] == nil {
			return fmt.Errorf("there is no evidence of %+v", m)
		}
	}
	data, err := r.fit().Encode()
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// gather collects the evidence of the pictures of coco128 that keep admits, and of raccoon's. bccd's labels hold errors of their own,
// and are what the weights are tried on.
func (b *bench) gather(ctx context.Context, keep func(i int) bool) (evidenceOf, error) {
	r := evidenceOf{}
	for _, part := range []struct {
		name  string
		draws int
		keep  func(int) bool
	}{{"coco128", draws, keep}, {"raccoon", draws / 5, func(int) bool { return true }}} {
		set, err := b.set(ctx, part.name)
		if err != nil {
			return nil, err
		}
		known := part.name == "coco128"
		if err := b.collect(ctx, r, set, 0, part.draws, views, known, part.keep); err != nil {
			return nil, err
		}
		if err := b.collect(ctx, r, set, part.draws, part.draws+part.draws/2, closely(views), known, part.keep); err != nil {
			return nil, err
		}
		if err := b.collectAlike(ctx, r, set, part.draws, part.keep); err != nil {
			return nil, err
		}
	}
	return r, nil
}
