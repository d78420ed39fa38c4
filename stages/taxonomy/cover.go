package taxonomy

import (
	"cmp"
	"math/bits"
	"slices"
)

// exactCover is up to how many models that serve anything all sets of them are tried: 2^20 sets take some tenths of a second.
const exactCover = 20

// cover is the set of models that Plan describes, ordered by index. Of more than exactCover useful models it is found greedily
// (Chvátal 1979), within a factor of 1 + ln(wanted classes) of the fewest; no model is in it whose classes the others serve.
func (j *job) cover() []int {
	var useful []int
	for i := range j.models {
		if slices.ContainsFunc(j.coverable(), func(k int) bool { return j.serves(i, k) }) {
			useful = append(useful, i)
		}
	}
	if len(useful) <= exactCover {
		return j.coverExactly(useful)
	}
	return j.coverGreedily(useful)
}

// coverable are the wanted classes that any model serves.
func (j *job) coverable() []int {
	var out []int
	for k, fit := range j.best {
		if fit != FitNone {
			out = append(out, k)
		}
	}
	return out
}

func (j *job) coverExactly(useful []int) []int {
	var needs []uint32 // for each class, which of the useful models serve it
	for _, k := range j.coverable() {
		var mask uint32
		for b, i := range useful {
			if j.serves(i, k) {
				mask |= 1 << b
			}
		}
		if !slices.Contains(needs, mask) {
			needs = append(needs, mask)
		}
	}
	var best []int
next:
	for set := range uint32(1) << len(useful) {
		if best != nil && bits.OnesCount32(set) > len(best) {
			continue
		}
		for _, mask := range needs {
			if set&mask == 0 {
				continue next
			}
		}
		var chosen []int
		for b, i := range useful {
			if set&(1<<b) != 0 {
				chosen = append(chosen, i)
			}
		}
		if best == nil || j.compare(chosen, best) < 0 {
			best = chosen
		}
	}
	return best
}

func (j *job) coverGreedily(useful []int) []int {
	var chosen []int
	for left := j.coverable(); len(left) > 0; {
		served := func(i int) int {
			n := 0
			for _, k := range left {
				if j.serves(i, k) {
					n++
				}
			}
			return n
		}
		next := slices.MinFunc(useful, func(a, b int) int {
			return cmp.Or(cmp.Compare(served(b), served(a)), j.compare([]int{a}, []int{b}))
		})
		chosen = append(chosen, next)
		left = slices.DeleteFunc(left, func(k int) bool { return j.serves(next, k) })
	}
	for _, i := range slices.Clone(chosen) { // the first were taken before it was known what the later ones serve
		without := slices.DeleteFunc(slices.Clone(chosen), func(c int) bool { return c == i })
		if !slices.ContainsFunc(j.coverable(), func(k int) bool { return j.server(without, k) < 0 }) {
			chosen = without
		}
	}
	slices.Sort(chosen)
	return chosen
}

// compare is negative where the models a are to be preferred to b.
func (j *job) compare(a, b []int) int {
	measured := func(models []int) (sum float64) {
		for _, k := range j.coverable() {
			if i := j.server(models, k); i >= 0 {
				sum += j.can[i][k].metric
			}
		}
		return sum
	}
	idle := func(models []int) (n int) {
		for _, i := range models {
			n += j.idle[i]
		}
		return n
	}
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(measured(b), measured(a)), cmp.Compare(idle(a), idle(b)), slices.Compare(a, b))
}
