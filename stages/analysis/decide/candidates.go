package decide

import (
	"cmp"
	"container/heap"
	"slices"

	"gleaner/schemas"
)

// candidate is a state that would change, before and after.
type candidate struct{ after, before schemas.DecisionState }

// candidates keeps the best, at most limit.
type candidates struct {
	limit int
	heap  worstFirst
}

// push adds c; what there is no room for comes back, and ok tells that there is such a one.
func (l *candidates) push(c candidate) (out candidate, ok bool) {
	switch {
	case len(l.heap) < l.limit:
		heap.Push(&l.heap, c)
		return out, false
	case compare(c, l.heap[0]) < 0:
		out, l.heap[0] = l.heap[0], c
		heap.Fix(&l.heap, 0)
		return out, true
	}
	return c, true
}

// best returns them from the best on.
func (l *candidates) best() []candidate {
	return slices.SortedFunc(slices.Values(l.heap), compare)
}

// compare orders by score, the highest first, and then by sample and object.
func compare(a, b candidate) int {
	return cmp.Or(cmp.Compare(b.after.Score, a.after.Score), order(a.after.SampleID, a.after.ObjectID, b.after.SampleID, b.after.ObjectID))
}

// worstFirst is a heap with the worst on top.
type worstFirst []candidate

func (h worstFirst) Len() int           { return len(h) }
func (h worstFirst) Less(i, j int) bool { return compare(h[i], h[j]) > 0 }
func (h worstFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *worstFirst) Push(x any)        { *h = append(*h, x.(candidate)) }
func (h *worstFirst) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
