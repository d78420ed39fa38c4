package coreset

import "context"

// coverageSample is how many samples speak for a larger pool.
const coverageSample = 4096

// Coverage is how well picks stand for their pool: the mean over its samples, or over 4096 of them drawn by the seed, of the cosine
// with the pick most like it, at least 0 and at most 1. It is facility location's objective for one sample.
func Coverage(ctx context.Context, p *Pool, picks []Choice, w Work) (float64, error) {
	if p.Vectors == nil || p.Vectors.Len() == 0 {
		return 0, nil
	}
	places := make([]int, len(picks))
	for i, c := range picks {
		places[i] = c.Sample
	}
	t := &task{Work: w, ids: p.IDs, want: coverageSample}
	m := p.Vectors
	if m.Len() > coverageSample {
		sample := t.highest(t.draws("coverage"))
		of := make([]int, len(sample))
		for i, c := range sample {
			of[i] = c.Sample
		}
		m = p.Vectors.Take(of)
	}
	best := make([]float32, m.Stride())
	if err := t.nearest(ctx, best, m, p.Vectors.Take(places)); err != nil {
		return 0, err
	}
	sum := 0.0
	for _, b := range best[:m.Len()] {
		sum += float64(b)
	}
	return sum / float64(m.Len()), nil
}
