package prelabel

import (
	"cmp"
	"slices"

	"gleaner/schemas"
)

// sortByScore puts the best first; equals are ordered by place and class, so that the result does not depend on the order given.
func sortByScore(objects []schemas.Object) {
	slices.SortFunc(objects, func(a, b schemas.Object) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Box.X1, b.Box.X1), cmp.Compare(a.Box.Y1, b.Box.Y1),
			cmp.Compare(a.Box.X2, b.Box.X2), cmp.Compare(a.Box.Y2, b.Box.Y2), cmp.Compare(a.Class, b.Class))
	})
}

// Suppress is greedy non-maximum suppression within each class: of objects, best first, it keeps those whose IoU with
// every kept one of their class is at most iou, and at most limit of them. It returns a new slice, best first.
func Suppress(objects []schemas.Object, iou float64, limit int) []schemas.Object {
	var kept []schemas.Object
next:
	for _, o := range objects {
		if len(kept) == limit {
			break
		}
		for i := range kept {
			if kept[i].Class == o.Class && kept[i].Box.IoU(o.Box) > iou {
				continue next
			}
		}
		kept = append(kept, o)
	}
	return kept
}
