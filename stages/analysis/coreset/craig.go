package coreset

import (
	"context"
	"math"
)

// craig picks, within each class, weighted samples whose gradients sum up to nearly those of all (Mirzasoleiman et al. 2020,
// "Coresets for Data-efficient Training of Machine Learning Models"): facility location of L minus the distance, L being the largest
// that there is, by lazy greedy; a pick's weight is how many samples of its class it is nearest to, itself included. Gradients of one
// class are no farther apart than a constant times the inputs of the last layer, so distances are those of the embeddings. Scores are
// gains. Memory: 4 bytes a pair of samples of a class.
func craig(ctx context.Context, t *task) ([]Choice, error) {
	return t.lazy(ctx, nearness)
}

// largest distance of two vectors of length 1.
const largest = 2

// nearness makes L - |a-b| of cosines.
func nearness(cosines []float32) {
	for i, c := range cosines {
		cosines[i] = largest - float32(math.Sqrt(max(0, 2-2*float64(c))))
	}
}

// craigWeights counts who is nearest to each pick of its class, of equally near ones the first.
func craigWeights(ctx context.Context, p *Pool, among []int, picks []Choice, w Work) error {
	t := &task{Work: w}
	members, chosen := make([][]int, len(p.Names)), make([][]int, len(p.Names)) // places in the pool, places in picks
	for _, i := range among {
		members[p.Classes[i]] = append(members[p.Classes[i]], i)
	}
	for at, c := range picks {
		chosen[p.Classes[c.Sample]] = append(chosen[p.Classes[c.Sample]], at)
	}
	for class, of := range chosen {
		if len(of) == 0 {
			continue
		}
		places := make([]int, len(of))
		for i, at := range of {
			places[i], picks[at].Weight = picks[at].Sample, 0
		}
		owner, _, err := t.assign(ctx, p.Vectors.Take(places), p.Vectors.Take(members[class]))
		if err != nil {
			return err
		}
		for _, o := range owner {
			picks[of[o]].Weight++
		}
	}
	return nil
}
