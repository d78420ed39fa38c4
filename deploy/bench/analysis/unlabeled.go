package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"gleaner/deploy/bench/cifar"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/analysis/coreset"
	"gleaner/stages/analysis/coreset/vectors"
	"gleaner/trainers/probe"
)

// Of the unlabeled section: what waits, what judges, and how many labels there are in each round.
const (
	waitingImages = 20_000
	seeds         = 5
)

func labelCounts() []int { return []int{100, 200, 400, 800, 1600, 3200} }

// strategies are the ways to choose what to label next.
func strategies() []string { return []string{coreset.Random, coreset.Uncertain, "hardest", "kcenter"} }

// unlabeled simulates labeling CIFAR-10 image by image in the order that each strategy asks for, with a linear probe trained anew in
// each round on what has labels.
func (b *bench) unlabeled(ctx context.Context, out io.Writer) error {
	train, err := readFeatures(ctx, "train", waitingImages, 1)
	if err != nil {
		return err
	}
	test, err := readFeatures(ctx, "test", math.MaxInt, 1)
	if err != nil {
		return err
	}
	standardize(train, test)
	counts, names := labelCounts(), strategies()
	curves := map[string][][]float64{} // [seeds, counts]
	for _, name := range names {
		for seed := range int64(seeds) {
			curve, err := simulate(ctx, train, test, name, counts, seed)
			if err != nil {
				return err
			}
			curves[name] = append(curves[name], curve)
		}
	}
	fmt.Fprintf(out, "\nLabels against accuracy, %% of %d test images of CIFAR-10, by a linear probe on colors and gradients (`trainers/probe`, %d numbers): mean and standard deviation of %d seeds, "+
		"that also draw the first %d labels. %d images wait. `uncertain` is what `gleaner pick --unlabeled` does; `hardest` goes by uncertainty alone, and `kcenter` by diversity alone.\n\n| labels |",
		len(test.class), probe.PixelDim, seeds, counts[0], len(train.class))
	for _, name := range names {
		fmt.Fprintf(out, " %s |", name)
	}
	fmt.Fprint(out, "\n|---|"+strings.Repeat("---|", len(names))+"\n")
	for at, n := range counts {
		fmt.Fprintf(out, "| %d |", n)
		for _, name := range names {
			mean, deviation := spread(curves[name], at)
			fmt.Fprintf(out, " %.1f ± %.1f |", 100*mean, 100*deviation)
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "\n```\n%s```\n\n", plot(curves, counts))
	last := len(counts) - 1
	wins, gain := 0, 0.0
	for at := 1; at <= last; at++ {
		asked, _ := spread(curves[coreset.Uncertain], at)
		random, _ := spread(curves[coreset.Random], at)
		if gain += (asked - random) / float64(last); asked > random {
			wins++
		}
	}
	fmt.Fprintln(out, verdict(wins == last, "better than random at every number of labels beyond the first: at %d of %d, %+.1f points on average", wins, last, 100*gain))
	return nil
}

func spread(curves [][]float64, at int) (mean, deviation float64) {
	for _, c := range curves {
		mean += c[at] / float64(len(curves))
	}
	for _, c := range curves {
		deviation += (c[at] - mean) * (c[at] - mean) / float64(len(curves)-1)
	}
	return mean, math.Sqrt(deviation)
}

// described are images by their features.
type described struct {
	x       [][]float32
	class   []int
	classes []string
}

// readFeatures describes up to n images of a split of CIFAR-10, drawn at random.
func readFeatures(ctx context.Context, split string, n int, seed uint64) (*described, error) {
	var pictures []cifar.Picture
	d := &described{}
	for p, err := range cifar.Pictures(ctx, split) {
		if err != nil {
			return nil, err
		}
		pictures = append(pictures, p)
		if !slices.Contains(d.classes, p.Class) {
			d.classes = append(d.classes, p.Class)
		}
	}
	slices.Sort(d.classes)
	rng := rand.New(rand.NewPCG(seed, 0))
	rng.Shuffle(len(pictures), func(i, j int) { pictures[i], pictures[j] = pictures[j], pictures[i] })
	for _, p := range pictures[:min(n, len(pictures))] {
		d.x = append(d.x, probe.PixelFeatures(p.Image, geometry.Box{X2: cifar.Side, Y2: cifar.Side}))
		d.class = append(d.class, slices.Index(d.classes, p.Class))
	}
	return d, nil
}

// standardize gives every feature mean 0 and variance 1 over the first, which needs no label; those that do not vary become 0.
func standardize(fit *described, others ...*described) {
	for d := range fit.x[0] {
		mean, square := 0.0, 0.0
		for _, x := range fit.x {
			mean += float64(x[d]) / float64(len(fit.x))
		}
		for _, x := range fit.x {
			square += (float64(x[d]) - mean) * (float64(x[d]) - mean) / float64(len(fit.x))
		}
		scale := 0.0
		if square > 1e-12 {
			scale = 1 / math.Sqrt(square)
		}
		for _, set := range append(others, fit) {
			for _, x := range set.x {
				x[d] = float32((float64(x[d]) - mean) * scale)
			}
		}
	}
}

// simulate labels as a strategy asks, and returns the accuracy at each number of labels.
func simulate(ctx context.Context, train, test *described, strategy string, counts []int, seed int64) ([]float64, error) {
	n, dim := len(train.x), len(train.x[0])
	labeled := rand.New(rand.NewPCG(uint64(seed), 99)).Perm(n)[:counts[0]]
	var curve []float64
	for round := 0; ; round++ {
		p := fit(train, labeled)
		curve = append(curve, p.accuracy(test))
		if round+1 == len(counts) {
			return curve, nil
		}
		var waiting []int
		has := make([]bool, n)
		for _, i := range labeled {
			has[i] = true
		}
		for i := range n {
			if !has[i] {
				waiting = append(waiting, i)
			}
		}
		pool := &coreset.Pool{Vectors: vectors.NewMatrix(len(waiting), dim), Covered: vectors.NewMatrix(len(labeled), dim)}
		scores := make([]float64, len(train.classes))
		for at, i := range waiting {
			var id schemas.SampleID
			binary.BigEndian.PutUint32(id[:], uint32(i))
			if err := pool.Vectors.SetUnit(at, train.x[i]); err != nil {
				return nil, err
			}
			p.probabilities(train.x[i], scores)
			most := 0.0
			for _, s := range scores {
				most = max(most, coreset.Entropy(s))
			}
			pool.IDs, pool.Hardness = append(pool.IDs, id), append(pool.Hardness, most)
		}
		for at, i := range labeled {
			if err := pool.Covered.SetUnit(at, train.x[i]); err != nil {
				return nil, err
			}
		}
		q := coreset.Query{Method: strategy, Count: counts[round+1] - len(labeled), Options: coreset.DefaultOptions()}
		picks, err := coreset.Pick(ctx, pool, q, coreset.Work{Seed: seed})
		if err != nil {
			return nil, err
		}
		for _, c := range picks {
			labeled = append(labeled, waiting[c.Sample])
		}
	}
}

// linear is softmax regression.
type linear struct {
	classes, dim int
	w            []float64 // [classes, dim+1], the last of a row its bias
}

// fit minimizes cross-entropy with a decay of the weights by Nesterov's accelerated gradient, from zeros: nothing is drawn.
func fit(d *described, of []int) *linear {
	const steps, rate, momentum, decay = 120, 0.02, 0.9, 0.02
	p := &linear{classes: len(d.classes), dim: len(d.x[0])}
	size := p.classes * (p.dim + 1)
	p.w = make([]float64, size)
	velocity, gradient, scores := make([]float64, size), make([]float64, size), make([]float64, p.classes)
	for range steps {
		for i := range p.w { // the gradient is taken where the velocity leads
			p.w[i] += momentum * velocity[i]
			gradient[i] = decay * p.w[i]
		}
		for _, at := range of {
			p.probabilities(d.x[at], scores)
			for c, s := range scores {
				if c == d.class[at] {
					s--
				}
				s /= float64(len(of))
				row := gradient[c*(p.dim+1) : (c+1)*(p.dim+1)]
				for i, x := range d.x[at] {
					row[i] += s * float64(x)
				}
				row[p.dim] += s
			}
		}
		for i, g := range gradient {
			p.w[i] -= rate * g
			velocity[i] = momentum*velocity[i] - rate*g
		}
	}
	return p
}

func (p *linear) probabilities(x []float32, out []float64) {
	most := math.Inf(-1)
	for c := range out {
		row := p.w[c*(p.dim+1) : (c+1)*(p.dim+1)]
		sum := row[p.dim]
		for i, v := range x {
			sum += row[i] * float64(v)
		}
		out[c], most = sum, max(most, sum)
	}
	total := 0.0
	for c, s := range out {
		out[c] = math.Exp(s - most)
		total += out[c]
	}
	for c := range out {
		out[c] /= total
	}
}

func (p *linear) accuracy(d *described) float64 {
	right, scores := 0, make([]float64, p.classes)
	for i, x := range d.x {
		p.probabilities(x, scores)
		if slices.Index(scores, slices.Max(scores)) == d.class[i] {
			right++
		}
	}
	return float64(right) / float64(len(d.x))
}

// plot draws the mean curves in text: labels to the right, twice as many each time, and accuracy upwards.
func plot(curves map[string][][]float64, counts []int) string {
	const height, step = 16, 9
	names := strategies()
	low, high := 1.0, 0.0
	for _, name := range names {
		for at := range counts {
			mean, _ := spread(curves[name], at)
			low, high = min(low, mean), max(high, mean)
		}
	}
	lines := make([][]byte, height)
	for i := range lines {
		lines[i] = []byte(strings.Repeat(" ", step*(len(counts)-1)+len(names)))
	}
	for i, name := range names {
		for at := range counts {
			mean, _ := spread(curves[name], at)
			lines[height-1-int(math.Round((mean-low)/(high-low)*(height-1)))][at*step+i] = name[0]
		}
	}
	var text strings.Builder
	for i, line := range lines {
		fmt.Fprintf(&text, "%5.1f | %s\n", 100*(high-(high-low)*float64(i)/(height-1)), strings.TrimRight(string(line), " "))
	}
	text.WriteString("labels  ")
	for _, n := range counts {
		fmt.Fprintf(&text, "%-*d", step, n)
	}
	text.WriteString("\nfirst letters: " + strings.Join(names, ", ") + "\n")
	return text.String()
}
