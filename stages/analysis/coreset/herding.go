package coreset

import "context"

// herding orders samples so that the mean of any first few of them is near the mean of all, by iCaRL's rule: the next is the x that
// minimizes |μ - (x + Σ p)/k|, p being those before it, must-keep ones included, and k their number and one (Rebuffi et al. 2017,
// "iCaRL: Incremental Classifier and Representation Learning", Algorithm 4; Welling 2009). Vectors have length 1, so that is the
// largest x·(kμ - Σ p). Scores are ranks. Memory: 8 bytes a sample.
func herding(ctx context.Context, t *task) ([]Choice, error) {
	dim := t.vectors.Dim()
	mean, sum := t.sum(upTo(len(t.ids))), make([]float64, dim)
	for d := range mean {
		mean[d] /= float64(len(t.ids))
	}
	row := make([]float32, dim)
	for i := range t.covered.Len() {
		t.covered.Row(row, i)
		add(sum, row)
	}
	picked := make([]bool, len(t.ids))
	sim, toward := make([]float32, t.vectors.Stride()), make([]float32, dim)
	var places []int
	for len(places) < t.want {
		k := float64(t.covered.Len() + len(places) + 1)
		for d := range toward {
			toward[d] = float32(k*mean[d] - sum[d])
		}
		if err := t.dots(ctx, sim, t.vectors, toward); err != nil {
			return nil, err
		}
		at := -1
		for i := range t.ids {
			if !picked[i] && (at < 0 || sim[i] > sim[at]) {
				at = i
			}
		}
		picked[at] = true
		places = append(places, at)
		t.vectors.Row(row, at)
		add(sum, row)
		t.progress(len(places), t.want, "picks")
	}
	return ranked(places), nil
}

// sum adds up the vectors of some candidates.
func (t *task) sum(of []int) []float64 {
	sum, row := make([]float64, t.vectors.Dim()), make([]float32, t.vectors.Dim())
	for _, i := range of {
		t.vectors.Row(row, i)
		add(sum, row)
	}
	return sum
}

func add(sum []float64, v []float32) {
	for d, x := range v {
		sum[d] += float64(x)
	}
}
