package coreset

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"gleaner/stages/analysis/coreset/vectors"
)

// Sieve maximizes facility location over a stream that it sees once and never holds: Sieve-Streaming++ (Kazemi et al. 2019,
// "Submodular Streaming in All its Glory: Tight Approximation, Minimum Memory and Low Adaptive Complexity"; Badanidiyuru et al. 2014,
// "Streaming Submodular Maximization: Massive Data Summarization on the Fly"). Each sieve takes what gains at least its threshold,
// until it has k. The thresholds are powers of 1+ε around the unknown right one, and the best sieve reaches 1/2-ε of the best value.
// The objective is over reference samples, a random sample of the stream, which stands for all of it (Badanidiyuru et al. 2014,
// section 6). What the best sieve leaves of k is filled by greedy from what the others took.
//
// Memory: with W reference samples of D numbers, 4 W D bytes, up to ln(2k)/ε sieves of 4 W bytes each, and their at most O(k/ε)
// vectors. Nothing grows with the stream. It is not safe for concurrent use.
type Sieve struct {
	t         *task
	reference *vectors.Matrix
	k         int
	base      float64
	covered   []float32 // what is had already gives each reference sample
	sieves    []*sieve  // by threshold, ascending
	single    float64   // largest gain of one sample alone
	lower     float64   // largest value of a sieve
	queries   vectors.Queries
	sims      []float32
}

// sieve is what one threshold took.
type sieve struct {
	power int // the threshold is base^power
	from  int // element of the block in hand from which it takes
	value float64
	best  []float32
	taken []member
}

type member struct {
	place  int
	vector []float32
}

// SieveBlock is how many elements Add takes at a time.
const SieveBlock = 256

// NewSieve returns a sieve for k picks beside those that are covered; epsilon is in (0,1). All vectors have length 1. What makes the
// products with the covered ones blocks.
func NewSieve(ctx context.Context, reference, covered *vectors.Matrix, k int, epsilon float64, w Work) (*Sieve, error) {
	switch {
	case reference.Len() < 1:
		return nil, fmt.Errorf("sieve: there is no reference sample")
	case k < 1:
		return nil, fmt.Errorf("sieve: %d picks: want at least 1", k)
	case !(epsilon > 0 && epsilon < 1):
		return nil, fmt.Errorf("sieve: epsilon %g: want it between 0 and 1", epsilon)
	}
	s := &Sieve{
		t: &task{Work: w}, reference: reference, k: k, base: 1 + epsilon,
		covered: make([]float32, reference.Stride()), sims: make([]float32, SieveBlock*reference.Stride()),
	}
	return s, s.t.nearest(ctx, s.covered, reference, covered)
}

// Add shows up to 256 more elements of the stream to the sieves, the first of which is at place first. It blocks; after an error the
// sieve is of no use.
func (s *Sieve) Add(ctx context.Context, block *vectors.Matrix, first int) error {
	n, stride := block.Len(), s.reference.Stride()
	if n > SieveBlock {
		return fmt.Errorf("sieve: %d elements at a time: at most %d", n, SieveBlock)
	}
	s.queries.TakeRange(block, 0, n)
	const size = panelsAtOnce
	err := s.t.each(ctx, (s.reference.Panels()+size-1)/size, func(_, b int) error {
		s.reference.Products(s.sims[b*size*vectors.Panel:], stride, &s.queries, b*size, min(s.reference.Panels(), (b+1)*size))
		return nil
	})
	if err != nil {
		return err
	}
	single := make([]float64, n)
	for i := range single {
		if single[i] = vectors.Gain(s.sims[i*stride:(i+1)*stride], s.covered); single[i] > s.single {
			s.single = single[i]
			s.open(i)
		}
	}
	// Sieves know nothing of each other, so each may go through the block on its own.
	err = s.t.each(ctx, len(s.sieves), func(_, at int) error {
		v := s.sieves[at]
		threshold := s.threshold(v.power)
		for i := v.from; i < n && len(v.taken) < s.k; i++ {
			if single[i] < threshold { // no gain is larger than that of the sample alone
				continue
			}
			sim := s.sims[i*stride : (i+1)*stride]
			if gain := vectors.Gain(sim, v.best); gain >= threshold {
				vectors.Raise(v.best, sim)
				v.value += gain
				vector := make([]float32, block.Dim())
				block.Row(vector, i)
				v.taken = append(v.taken, member{first + i, vector})
			}
		}
		v.from = 0
		return nil
	})
	if err != nil {
		return err
	}
	for _, v := range s.sieves {
		s.lower = max(s.lower, v.value)
	}
	least := s.least()
	s.sieves = slices.DeleteFunc(s.sieves, func(v *sieve) bool { return v.power < least })
	return nil
}

// open makes the sieves that are missing up to the largest gain of one sample, which take from element i of the block on.
func (s *Sieve) open(i int) {
	next := s.least()
	if n := len(s.sieves); n > 0 {
		next = max(next, s.sieves[n-1].power+1)
	}
	for ; s.threshold(next) <= s.single; next++ {
		s.sieves = append(s.sieves, &sieve{power: next, from: i, best: slices.Clone(s.covered)})
	}
}

// least is the power of the lowest threshold that may still be the right one.
func (s *Sieve) least() int {
	return int(math.Ceil(math.Log(max(s.lower, s.single)/float64(2*s.k)/s.base) / math.Log(s.base)))
}

func (s *Sieve) threshold(power int) float64 { return math.Pow(s.base, float64(power)) }

// Picks returns up to k places of the stream, in the order in which they were taken, with scores that are ranks.
func (s *Sieve) Picks(ctx context.Context) ([]Choice, error) {
	if len(s.sieves) == 0 {
		return nil, ctx.Err()
	}
	winner := s.sieves[0]
	for _, v := range s.sieves {
		if v.value > winner.value {
			winner = v
		}
	}
	places := make([]int, 0, s.k)
	vectorOf := map[int][]float32{}
	for _, v := range s.sieves {
		for _, m := range v.taken {
			vectorOf[m.place] = m.vector
		}
	}
	for _, m := range winner.taken {
		places = append(places, m.place)
		delete(vectorOf, m.place)
	}
	others := slices.Sorted(maps.Keys(vectorOf))
	if len(places) == s.k || len(others) == 0 {
		return ranked(places), nil
	}
	sim := make([]float32, s.reference.Stride())
	value := func(i int) float64 {
		// The products of one vector fail only where ctx ends, and then greedy says so.
		_ = s.t.dots(ctx, sim, s.reference, vectorOf[others[i]])
		return vectors.Gain(sim, winner.best)
	}
	queue := make(gains, len(others))
	for i := range queue {
		queue[i] = gain{sample: i, value: value(i)}
	}
	fill := *s.t
	fill.want = s.k - len(places)
	more, err := fill.greedy(ctx, queue, value, func(i int) {
		_ = value(i)
		vectors.Raise(winner.best, sim)
	})
	for _, c := range more {
		places = append(places, others[c.Sample])
	}
	return ranked(places), err
}

// facilitySieve shows the pool to a Sieve, in the order of ids, Reference samples of it drawn at random standing for all. Must-keep
// samples and those that are covered count as picked. Where the sieves took less than the budget, draws make up for it. It reads the
// pool once.
func facilitySieve(ctx context.Context, t *task) ([]Choice, error) {
	some := *t
	some.want = t.Reference
	reference := make([]int, 0, t.Reference)
	for _, c := range some.highest(t.draws("reference")) {
		reference = append(reference, c.Sample)
	}
	s, err := NewSieve(ctx, t.vectors.Take(reference), t.covered, t.want, t.Epsilon, t.Work)
	if err != nil {
		return nil, err
	}
	n := t.vectors.Len()
	all := upTo(n)
	for first := 0; first < n; first += SieveBlock {
		if err := s.Add(ctx, t.vectors.Take(all[first:min(n, first+SieveBlock)]), first); err != nil {
			return nil, err
		}
		t.progress(first, n, "samples")
	}
	picks, err := s.Picks(ctx)
	if err != nil {
		return nil, err
	}
	places, score := make([]int, len(picks)), t.draws("ties")
	for i, c := range picks {
		places[i], score[c.Sample] = c.Sample, -1
	}
	for _, c := range t.highest(score)[:t.want-len(places)] {
		places = append(places, c.Sample)
	}
	return ranked(places), nil
}
