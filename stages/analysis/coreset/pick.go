package coreset

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/stages/analysis/coreset/vectors"
)

// task is what one call of a method gets: the candidates, of which it orders up to want. Indexes within it are of the candidates,
// which ascend by sample id.
type task struct {
	Work
	Options
	ids      []schemas.SampleID
	classes  []int // nil: not known
	names    int   // how many classes there are
	hardness []float64
	vectors  *vectors.Matrix
	covered  *vectors.Matrix // vectors of the must-keep samples and of what is had already
	want     int
}

// Pick returns the picks, the must-keep samples first and then the most wanted, class after class where it is per class. There are
// fewer than asked for where the pool has no more, or the method knows no more that it would pick. Samples without a score are
// passed over by methods that read one. It blocks until done; ctx ends it early.
func Pick(ctx context.Context, p *Pool, q Query, w Work) ([]Choice, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	m, err := find(q.Method)
	if err != nil {
		return nil, err
	}
	if err := p.validate(m, q); err != nil {
		return nil, err
	}
	s, err := split(p, m, q)
	if err != nil {
		return nil, fmt.Errorf("pick %s: %w", m.name, err)
	}
	picks := make([]Choice, 0, len(s.kept))
	for _, i := range s.kept {
		picks = append(picks, Choice{Sample: i, Weight: 1, Kept: true})
	}
	first := 0.0
	for _, part := range s.parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t := newTask(p, part, q, w)
		chosen, err := m.order(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("pick %s: %w", m.name, err)
		}
		for i, c := range chosen {
			chosen[i].Sample, first = part.candidates[c.Sample], max(first, c.Score)
		}
		picks = append(picks, cut(p, part, chosen)...)
	}
	for i := range s.kept {
		picks[i].Score = first
	}
	if m.weigh != nil && len(picks) > 0 {
		if err := m.weigh(ctx, p, s.pool, picks, w); err != nil {
			return nil, fmt.Errorf("pick %s: %w", m.name, err)
		}
	}
	return picks, nil
}

// cut takes of the choices what the part's budget holds.
func cut(p *Pool, part part, chosen []Choice) []Choice {
	if part.bytes == noLimit {
		return chosen[:min(len(chosen), part.want)]
	}
	var out []Choice
	left := part.bytes
	for _, c := range chosen {
		if size := p.Bytes[c.Sample]; size <= left {
			out, left = append(out, c), left-size
		}
	}
	return out
}

func newTask(p *Pool, part part, q Query, w Work) *task {
	t := &task{Work: w, Options: q.Options, names: len(p.Names), want: min(part.want, len(part.candidates))}
	t.ids = take(p.IDs, part.candidates)
	if p.Classes != nil {
		t.classes = take(p.Classes, part.candidates)
	}
	if p.Hardness != nil {
		t.hardness = take(p.Hardness, part.candidates)
	}
	if p.Vectors == nil {
		return t
	}
	if t.vectors = p.Vectors; len(part.candidates) < len(p.IDs) {
		t.vectors = p.Vectors.Take(part.candidates)
	}
	t.covered = vectors.NewMatrix(0, p.Vectors.Dim())
	if p.Covered != nil {
		t.covered = p.Covered
	}
	if len(part.kept) > 0 {
		t.covered = vectors.Join(t.covered, p.Vectors.Take(part.kept))
	}
	return t
}

func take[T any](from []T, places []int) []T {
	out := make([]T, len(places))
	for i, at := range places {
		out[i] = from[at]
	}
	return out
}

// ranked makes choices of an order whose scores do not fall: the first gets 1, and the last just more than 0.
func ranked(places []int) []Choice {
	out := make([]Choice, len(places))
	for i, at := range places {
		out[i] = Choice{Sample: at, Score: 1 - float64(i)/float64(len(places)), Weight: 1}
	}
	return out
}

// highest makes choices of the want highest scores; of equal ones draw decides, so that no order of ids does.
func (t *task) highest(score []float64) []Choice {
	draws := t.draws("ties")
	places := make([]int, 0, len(score))
	for i, s := range score {
		if !math.IsNaN(s) {
			places = append(places, i)
		}
	}
	slices.SortFunc(places, func(a, b int) int {
		return cmp.Or(cmp.Compare(score[b], score[a]), cmp.Compare(draws[a], draws[b]), cmp.Compare(a, b))
	})
	out := make([]Choice, min(t.want, len(places)))
	for i := range out {
		out[i] = Choice{Sample: places[i], Score: score[places[i]], Weight: 1}
	}
	return out
}
