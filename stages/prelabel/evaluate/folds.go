package evaluate

import (
	"cmp"
	"hash/fnv"
	"slices"
)

// Folds deals ids to n folds of nearly equal size, in the order of a hash of each.
func Folds(ids []string, n int) []int {
	order, hashes := make([]int, len(ids)), make([]uint64, len(ids))
	for i, id := range ids {
		h := fnv.New64a()
		h.Write([]byte(id))
		order[i], hashes[i] = i, h.Sum64()
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(hashes[a], hashes[b]), cmp.Compare(ids[a], ids[b])) })
	out := make([]int, len(ids))
	for place, i := range order {
		out[i] = place % n
	}
	return out
}
