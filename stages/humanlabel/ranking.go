package humanlabel

// The order of claims and of leases: binary heaps of tasks that know their place, so that claiming, expiring and moving one
// of n tasks take O(log n).

import "slices"

// agePerSecond is what a task's priority gains by waiting: 1 in a week, so that a task without any doubt comes before one of full
// doubt (1) that was opened a week later. Because all age alike, their order never changes and a fixed rank expresses it.
const agePerSecond = 1.0 / (7 * 24 * 3600)

// rank is the priority less the age it would have at the time zero. The conversion keeps the product from being fused with
// the difference, which would round differently from one processor to another.
func rank(priority float64, opened int64) float64 {
	aged := float64(float64(opened) / 1e9 * agePerSecond)
	return priority - aged
}

// claimedBefore orders open tasks: the higher rank first, then the one that was opened first.
func claimedBefore(a, b *task) bool {
	if a.rank != b.rank {
		return a.rank > b.rank
	}
	return a.seq < b.seq
}

// endsBefore orders claimed tasks by the end of their lease.
func endsBefore(a, b *task) bool {
	if a.lease != b.lease {
		return a.lease < b.lease
	}
	return a.seq < b.seq
}

// ranking is a heap (container/heap) of tasks; before is a total order.
type ranking struct {
	items  []*task
	before func(a, b *task) bool
}

func (r *ranking) Len() int           { return len(r.items) }
func (r *ranking) Less(i, j int) bool { return r.before(r.items[i], r.items[j]) }

func (r *ranking) Swap(i, j int) {
	r.items[i], r.items[j] = r.items[j], r.items[i]
	r.items[i].pos, r.items[j].pos = i, j
}

func (r *ranking) Push(x any) {
	t := x.(*task)
	t.pos = len(r.items)
	r.items = append(r.items, t)
}

func (r *ranking) Pop() any {
	n := len(r.items) - 1
	t := r.items[n]
	r.items[n] = nil
	r.items = r.items[:n]
	return t
}

// first returns the first n tasks in order without disturbing the heap: the next one is always a child of one taken before.
func (r *ranking) first(n int) []*task {
	var out []*task
	edge := []int{}
	if len(r.items) > 0 {
		edge = append(edge, 0)
	}
	for len(out) < n && len(edge) > 0 {
		best := 0
		for i := range edge {
			if r.Less(edge[i], edge[best]) {
				best = i
			}
		}
		i := edge[best]
		edge = slices.Delete(edge, best, best+1)
		out = append(out, r.items[i])
		for child := 2*i + 1; child <= 2*i+2 && child < len(r.items); child++ {
			edge = append(edge, child)
		}
	}
	return out
}
