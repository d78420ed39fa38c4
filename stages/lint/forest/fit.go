package forest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Options say how a forest is fitted.
type Options struct {
	Trees    int     // one after the other
	Leaves   int     // of a tree, at most: 1 to MaxLeaves
	Rate     float64 // what of each tree's answer counts
	MinRows  int     // in a leaf
	Ridge    float64 // draws answers to 0
	Features float64 // share of the features that each tree may ask for
	Rows     float64 // share of the rows that each tree sees
	Seed     uint64  // same rows, options and seed: same forest
}

const maxBins = 64

// Fit fits a forest by the logistic loss to rows, [n][features], and what each means. Questions are asked at up to 63 quantiles
// of a feature; trees grow leaf by leaf, the best question first. It takes 5 bytes for each number of the rows beside them. Without rows
// the odds are even. It panics where trees are to have more leaves than they can.
func Fit(rows [][]float32, yes []bool, o Options) *Forest {
	if o.Leaves > MaxLeaves {
		panic(fmt.Sprintf("forest: trees of %d leaves are asked for; they have %d at most", o.Leaves, MaxLeaves))
	}
	share := 0.5
	for _, y := range yes {
		if y {
			share++
		}
	}
	share /= float64(len(rows)) + 1
	f := &Forest{base: float32(math.Log(share / (1 - share)))}
	if len(rows) == 0 {
		return f
	}
	batch, d := NewBatch(rows), bin(rows)
	odds := slices.Repeat([]float64{float64(f.base)}, len(rows))
	g := &grower{data: d, o: o, slope: make([]float64, len(rows)), curve: make([]float64, len(rows)), random: rand.New(rand.NewPCG(o.Seed, 1))}
	for range o.Trees {
		for i, s := range odds {
			p := 1 / (1 + math.Exp(-s))
			g.slope[i], g.curve[i] = -p, p*(1-p)
			if yes[i] {
				g.slope[i]++
			}
		}
		f.trees = append(f.trees, g.grow())
		one := Forest{trees: f.trees[len(f.trees)-1:]}
		for i, s := range one.Scores(batch) {
			odds[i] += float64(s)
		}
	}
	return f
}

// binned is the rows by feature, each number as that of its bin; the last bin of a feature holds what is greater than all cuts, and NaN.
type binned struct {
	cuts [][]float32 // [features]: upper ends of bins, inclusive
	bins [][]uint8   // [features][rows]
}

func bin(rows [][]float32) *binned {
	n := len(rows[0])
	d := &binned{make([][]float32, n), make([][]uint8, n)}
	values := make([]float32, 0, len(rows))
	for c := range n {
		values = values[:0]
		for _, r := range rows {
			if v := r[c]; v == v {
				values = append(values, v)
			}
		}
		slices.Sort(values)
		var cuts []float32
		for q := 1; q < maxBins && len(values) > 0; q++ {
			if v := values[min(q*len(values)/maxBins, len(values)-1)]; len(cuts) == 0 || v > cuts[len(cuts)-1] {
				cuts = append(cuts, v)
			}
		}
		d.cuts[c], d.bins[c] = cuts, make([]uint8, len(rows))
		for i, r := range rows {
			b := len(cuts)
			if v := r[c]; v == v {
				b, _ = slices.BinarySearch(cuts, v)
			}
			d.bins[c][i] = uint8(b) //nolint:gosec // at most 63
		}
	}
	return d
}

type grower struct {
	data         *binned
	o            Options
	slope, curve []float64 // [rows]: first and second derivatives of the loss, the first negated
	random       *rand.Rand
	features     []int // that the tree may ask for
}

// branch is a part of a tree: the rows in it, and the best question about them.
type branch struct {
	rows         []int32
	slope, curve float64
	gain         float64 // of the question; 0: none is worth it
	feature, cut int
	left, right  *branch
}

// grow makes a tree for the derivatives.
func (g *grower) grow() (t tree) {
	g.features = g.random.Perm(len(g.data.cuts))
	g.features = g.features[:max(int(g.o.Features*float64(len(g.features))+0.5), 1)]
	root := &branch{}
	for i := range g.slope {
		if g.o.Rows >= 1 || g.random.Float64() < g.o.Rows {
			root.rows = append(root.rows, int32(i)) //nolint:gosec // rows are in memory
		}
	}
	g.ask(root)
	leaves := []*branch{root}
	for len(leaves) < g.o.Leaves {
		at := 0
		for i, b := range leaves {
			if b.gain > leaves[at].gain {
				at = i
			}
		}
		b := leaves[at]
		if b.gain <= 0 {
			break
		}
		g.split(b)
		leaves[at] = b.left
		leaves = append(leaves, b.right)
	}
	g.flatten(&t, root)
	return t
}

func (g *grower) split(b *branch) {
	b.left, b.right = &branch{}, &branch{}
	bins := g.data.bins[b.feature]
	for _, i := range b.rows {
		if int(bins[i]) <= b.cut {
			b.left.rows = append(b.left.rows, i)
		} else {
			b.right.rows = append(b.right.rows, i)
		}
	}
	b.rows = nil
	g.ask(b.left)
	g.ask(b.right)
}

// ask finds the best question about a branch.
func (g *grower) ask(b *branch) {
	for _, i := range b.rows {
		b.slope, b.curve = b.slope+g.slope[i], b.curve+g.curve[i]
	}
	if len(b.rows) < 2*g.o.MinRows {
		return
	}
	worth := func(slope, curve float64) float64 { return slope * slope / (curve + g.o.Ridge) }
	whole := worth(b.slope, b.curve)
	for _, feature := range g.features {
		var slope, curve [maxBins]float64
		var count [maxBins]int
		bins := g.data.bins[feature]
		for _, i := range b.rows {
			k := bins[i] % maxBins
			slope[k] += g.slope[i]
			curve[k] += g.curve[i]
			count[k]++
		}
		var s, c float64
		n := 0
		for cut := range g.data.cuts[feature] {
			s, c, n = s+slope[cut], c+curve[cut], n+count[cut]
			if n < g.o.MinRows || len(b.rows)-n < g.o.MinRows {
				continue
			}
			if gain := worth(s, c) + worth(b.slope-s, b.curve-c) - whole; gain > b.gain+1e-9 {
				b.gain, b.feature, b.cut = gain, feature, cut
			}
		}
	}
}

// flatten adds a branch to a tree.
func (g *grower) flatten(t *tree, b *branch) {
	if b.left == nil {
		t.leaf(float32(g.o.Rate * b.slope / (b.curve + g.o.Ridge)))
		return
	}
	at := t.ask(uint32(b.feature), g.data.cuts[b.feature][b.cut]) //nolint:gosec // features are few
	g.flatten(t, b.left)
	t.closed(at)
	g.flatten(t, b.right)
}
