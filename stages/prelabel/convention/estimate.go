package convention

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"gleaner/schemas"
)

const (
	folds = 5
	// corrections of enough images prove or disprove an estimate; one with fewer is judged with the class above.
	enough = 10
	// surely is the normal quantile of a one-sided test at 5 %, interval that of a two-sided one.
	surely   = 1.645
	interval = 1.96
	// siblingSpread is how far the offsets of siblings differ where there are none to tell, leastSpread how far those of roots
	// differ from zero at least.
	siblingSpread = 0.02 * 0.02
	leastSpread   = 0.001 * 0.001
)

// estimate turns the corrections of a dataset into estimates. An edge is moved when its interval leaves zero out and the estimate
// has proven itself: moved by what the other folds' images say, boxes gain IoU for sure.
func estimate(windows map[key][]observation, path func(string) []string) map[key]Estimate {
	by := number(windows)
	all := fit(windows, path, by, func(*observation) bool { return true })
	gains := map[key][]value{}
	for fold := range folds {
		others := fit(windows, path, by, func(o *observation) bool { return o.fold() != fold })
		for _, k := range sortedKeys(windows) {
			for i := range windows[k] {
				if o := &windows[k][i]; o.fold() == fold {
					gain := move(o.raw, others[k].offsets(), o.w, o.h).IoU(o.label) - o.raw.IoU(o.label)
					for n := all[k]; n != nil; n = n.above {
						gains[n.key] = append(gains[n.key], value{gain, o.image})
					}
				}
			}
		}
	}
	out := make(map[key]Estimate, len(all))
	for k, n := range all {
		e := Estimate{Class: k.class, Model: k.model, Edges: n.offsets(), N: len(gains[k])}
		var seen int // images
		for e.Gain, e.Error, seen = by.meanError(gains[k]); n.above != nil && seen < enough; n = n.above {
			e.Gain, e.Error, seen = by.meanError(gains[n.above.key])
		}
		for i := range e.Edges {
			e.Edges[i].Applied = e.Edges[i].Applied && e.Gain > surely*e.Error
		}
		out[k] = e
	}
	return out
}

// number gives the samples of a dataset numbers, in the order in which they first come.
func number(windows map[key][]observation) images {
	numbers := map[schemas.SampleID]int{}
	for _, k := range sortedKeys(windows) {
		for i := range windows[k] {
			o := &windows[k][i]
			n, known := numbers[o.sample]
			if !known {
				n = len(numbers)
				numbers[o.sample] = n
			}
			o.image = n
		}
	}
	return make(images, len(numbers))
}

// node is a class, or below a class one model's boxes of it, in the tree by which estimates support each other: an offset is
// normally distributed around the parent's, and a root's around zero. Leaves have the corrections.
type node struct {
	key
	above    *node
	below    []*node
	n        [4]int    // values in own and below
	own      [4]normal // what the node's own corrections say
	evidence [4]normal // with those of all below
	belief   [4]normal // with everything
}

// fit estimates every node from the observations that which holds, by exact inference in the tree of normals. The spreads, the
// variances around the parent and around zero, are estimated by the method of moments (empirical Bayes).
func fit(windows map[key][]observation, path func(string) []string, by images, which func(*observation) bool) map[key]*node {
	nodes := map[key]*node{}
	var order, roots []*node // order has parents after their children
	var values []value
	for _, k := range sortedKeys(windows) {
		leaf := &node{key: k}
		for edge := range leaf.own {
			values = values[:0]
			for i := range windows[k] {
				if o := &windows[k][i]; which(o) {
					if v, shown := o.offset(edge); shown {
						values = append(values, value{v, o.image})
					}
				}
			}
			leaf.own[edge], leaf.n[edge] = location(values, by), len(values)
		}
		nodes[k] = leaf
		grow(nodes, leaf, append([]string{k.class}, path(k.class)...))
	}
	for _, k := range sortedKeys(nodes) {
		if n := nodes[k]; n.above == nil {
			roots = append(roots, n)
		}
	}
	for _, r := range roots {
		order = r.list(order)
	}
	for _, n := range order {
		for _, c := range n.below {
			for edge := range n.n {
				n.n[edge] += c.n[edge]
			}
		}
	}
	spread := siblingSpread
	for range 3 { // what lies deeper depends on it
		for _, n := range order {
			n.gather(spread)
		}
		spread = siblings(order)
	}
	for _, n := range order {
		n.gather(spread)
	}
	around := normal{0, aroundZero(roots)}
	for _, r := range roots {
		r.settle([4]normal{around, around, around, around}, spread)
	}
	return nodes
}

// grow links a leaf to its class and the classes above, up to where these are linked already.
func grow(nodes map[key]*node, child *node, classes []string) {
	for _, class := range classes {
		k := key{class: class}
		n, known := nodes[k]
		if !known {
			n = &node{key: k, own: [4]normal{nothing, nothing, nothing, nothing}}
			nodes[k] = n
		}
		if n == child {
			continue // the taxonomy's name is the dataset's
		}
		for a := n; a != nil; a = a.above {
			if a == child {
				return // the classes go round in a circle
			}
		}
		child.above = n
		n.below = append(n.below, child)
		if known {
			return
		}
		child = n
	}
}

func (n *node) list(order []*node) []*node {
	for _, c := range n.below {
		order = c.list(order)
	}
	return append(order, n)
}

// gather makes the evidence of a node of that of the nodes below.
func (n *node) gather(spread float64) {
	n.evidence = n.own
	for edge := range n.evidence {
		for _, c := range n.below {
			n.evidence[edge] = n.evidence[edge].and(c.evidence[edge].wider(spread))
		}
	}
}

// settle makes the beliefs of a node and those below, given what is believed of it without its evidence.
func (n *node) settle(prior [4]normal, spread float64) {
	for edge := range prior {
		n.belief[edge] = prior[edge].and(n.evidence[edge])
		if n.model == "" { // applied to what has no estimate of its own
			n.belief[edge] = n.belief[edge].wider(spread)
		}
	}
	for _, c := range n.below {
		rest := prior
		for edge := range rest {
			rest[edge] = rest[edge].and(n.own[edge])
			for _, other := range n.below {
				if other != c {
					rest[edge] = rest[edge].and(other.evidence[edge].wider(spread))
				}
			}
			rest[edge] = rest[edge].wider(spread)
		}
		c.settle(rest, spread)
	}
}

// siblings estimates the variance of offsets around their parent's (DerSimonian and Laird, "Meta-analysis in clinical trials",
// 1986), pooled over all parents and edges.
func siblings(nodes []*node) float64 {
	var q, c float64
	for _, n := range nodes {
		for edge := range n.own {
			var k, w, w2, wm, wmm float64
			for _, b := range n.below {
				if p := 1 / b.evidence[edge].variance; p > 0 {
					m := b.evidence[edge].mean
					k, w, w2, wm, wmm = k+1, w+p, w2+p*p, wm+p*m, wmm+p*m*m
				}
			}
			if k > 1 {
				q += wmm - wm*wm/w - (k - 1)
				c += w - w2/w
			}
		}
	}
	if c == 0 {
		return siblingSpread
	}
	return max(q/c, 0)
}

// aroundZero estimates the variance of the roots' offsets around zero: next to nothing where no edge shows a convention.
func aroundZero(roots []*node) float64 {
	var sum, n float64
	for _, r := range roots {
		for _, e := range r.evidence {
			if !math.IsInf(e.variance, 1) {
				sum += e.mean*e.mean - e.variance
				n++
			}
		}
	}
	return max(sum/max(n, 1), leastSpread)
}

// offsets is what is believed of the edges; those whose interval leaves zero out count as applied.
func (n *node) offsets() (out [4]Offset) {
	for i, b := range n.belief {
		r := interval * math.Sqrt(b.variance)
		out[i] = Offset{Mean: b.mean, Low: b.mean - r, High: b.mean + r, N: n.n[i], Applied: math.Abs(b.mean) > r}
	}
	return out
}

// meanError is the mean of values, its standard error over images, and the number of images.
func (by images) meanError(values []value) (mean, err float64, seen int) {
	n := float64(len(values))
	for _, v := range values {
		mean += v.of / n
	}
	off := make([]value, len(values))
	for i, v := range values {
		off[i] = value{v.of - mean, v.image}
	}
	squares, seen := by.squares(off)
	return mean, math.Sqrt(squares / max(n*(n-1), 1)), seen
}

func sortedKeys[V any](m map[key]V) []key {
	return slices.SortedFunc(maps.Keys(m), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.model, b.model))
	})
}
