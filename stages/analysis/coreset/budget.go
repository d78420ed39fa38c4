package coreset

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gleaner/schemas"
)

// noLimit is a budget in bytes that was not set.
const noLimit = math.MaxInt64

// part is what one call of a method picks from: a class, or all.
type part struct {
	candidates []int // ascending places in the pool
	kept       []int // picked already
	want       int   // at most so many more
	bytes      int64 // at most so many more, or noLimit
}

// parts are the pieces of a query.
type parts struct {
	pool  []int // all that may be picked, kept ones included
	kept  []int
	parts []part
}

// split shares the budget out.
func split(p *Pool, m method, q Query) (parts, error) {
	var s parts
	state := make([]int8, len(p.IDs)) // 1 to keep, -1 to drop
	for _, mark := range []struct {
		what string
		ids  []schemas.SampleID
		as   int8
	}{{"keep", q.Keep, 1}, {"drop", q.Drop, -1}} {
		for _, id := range mark.ids {
			i, ok := slices.BinarySearchFunc(p.IDs, id, func(a, b schemas.SampleID) int { return slices.Compare(a[:], b[:]) })
			switch {
			case !ok && mark.as < 0: // not there to be picked, which is what is wanted
			case !ok:
				return s, fmt.Errorf("sample %s is to be kept, but it is not in the pool", id)
			case state[i] == -mark.as:
				return s, fmt.Errorf("sample %s is to be kept and to be dropped", id)
			default:
				state[i] = mark.as
			}
		}
	}
	for i := range p.IDs {
		if state[i] >= 0 {
			s.pool = append(s.pool, i)
		}
		if state[i] > 0 {
			s.kept = append(s.kept, i)
		}
	}
	if len(s.pool) == 0 {
		return s, fmt.Errorf("the pool is empty")
	}
	groups := 1
	classOf := func(int) int { return 0 }
	if m.perClass || q.PerClass != "" {
		groups, classOf = len(p.Names), func(i int) int { return p.Classes[i] }
	}
	all := make([]part, groups)
	for _, i := range s.pool {
		g := &all[classOf(i)]
		switch {
		case state[i] > 0:
			g.kept = append(g.kept, i)
		case !m.hardness || !math.IsNaN(p.Hardness[i]):
			g.candidates = append(g.candidates, i)
		}
	}
	if err := share(p, q, &s, all); err != nil {
		return s, err
	}
	s.parts = slices.DeleteFunc(all, func(g part) bool { return g.want <= 0 || len(g.candidates) == 0 })
	return s, nil
}

// share gives every group its part of what the must-keep samples leave of the budget.
func share(p *Pool, q Query, s *parts, all []part) error {
	unit, total := func(int) int64 { return 1 }, int64(q.Count)
	switch {
	case q.Fraction != 0:
		total = int64(math.Round(q.Fraction * float64(len(s.pool))))
	case q.Bytes != 0:
		unit, total = func(i int) int64 { return p.Bytes[i] }, q.Bytes
	}
	sum := func(places []int) (n int64) {
		for _, i := range places {
			n += unit(i)
		}
		return n
	}
	kept := sum(s.kept)
	if kept > total {
		return fmt.Errorf("what must be kept comes to %d, more than the budget of %d", kept, total)
	}
	sizes := make([]int64, len(all))
	for g := range all {
		sizes[g] = sum(all[g].candidates)
	}
	quotas := apportion
	if q.PerClass == Equal {
		quotas = fill
	}
	for g, quota := range quotas(sizes, total-kept) {
		if all[g].bytes, all[g].want = noLimit, int(quota); q.Bytes != 0 {
			all[g].bytes, all[g].want = quota, fits(p, all[g].candidates, quota)
		}
	}
	return nil
}

// fits is how many of the candidates a budget in bytes holds, the smallest first: no order takes more of them.
func fits(p *Pool, candidates []int, left int64) int {
	sizes := take(p.Bytes, candidates)
	slices.Sort(sizes)
	for i, size := range sizes {
		if left -= size; left < 0 {
			return i
		}
	}
	return len(sizes)
}

// apportion shares a total out in proportion to sizes, by largest remainders; nobody gets more than its size. Equal remainders go to
// the first.
func apportion(sizes []int64, total int64) []int64 {
	var all int64
	for _, s := range sizes {
		all += s
	}
	total = min(total, all)
	quotas := make([]int64, len(sizes))
	if all == 0 {
		return quotas
	}
	type rest struct {
		at    int
		share float64
	}
	rests := make([]rest, len(sizes))
	left := total
	for i, s := range sizes {
		exact := float64(total) * (float64(s) / float64(all))
		quotas[i] = min(int64(exact), s)
		left -= quotas[i]
		rests[i] = rest{i, exact - float64(quotas[i])}
	}
	slices.SortStableFunc(rests, func(a, b rest) int { return cmp.Compare(b.share, a.share) })
	for left > 0 {
		for _, r := range rests {
			if left > 0 && quotas[r.at] < sizes[r.at] {
				quotas[r.at]++
				left--
			}
		}
	}
	return quotas
}

// fill shares a total out alike: nobody gets more than its size, what the small leave goes to the others, and what does not divide
// to the largest.
func fill(sizes []int64, total int64) []int64 {
	quotas := make([]int64, len(sizes))
	places := make([]int, len(sizes))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(sizes[a], sizes[b]) })
	for i, at := range places {
		n := int64(len(places) - i)
		quotas[at] = min(sizes[at], total/n)
		total -= quotas[at]
	}
	return quotas
}
