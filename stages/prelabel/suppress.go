package prelabel

import (
	"cmp"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// sortByScore puts the best first; equals are ordered by place and class, so that the result does not depend on the order given.
func sortByScore(objects []schemas.Object) {
	slices.SortFunc(objects, func(a, b schemas.Object) int {
		if c := cmp.Compare(b.Score, a.Score); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.Box.X1, b.Box.X1), cmp.Compare(a.Box.Y1, b.Box.Y1),
			cmp.Compare(a.Box.X2, b.Box.X2), cmp.Compare(a.Box.Y2, b.Box.Y2), cmp.Compare(a.Class, b.Class))
	})
}

// Suppress is greedy non-maximum suppression within each class: of objects, best first, it keeps those whose IoU with
// every kept one of their class is at most iou, and at most limit of them. It returns a new slice, best first.
func Suppress(objects []schemas.Object, iou float64, limit int) []schemas.Object {
	type place struct {
		box        geometry.Box // of the object, which is large
		at, before int          // in objects, and of the one of its class before it among those kept
	}
	kept := make([]place, 0, min(len(objects), limit))
	last := map[string]int{} // by class, the number of those kept up to its last one; 0: none
next:
	for i := range objects {
		if len(kept) == limit {
			break
		}
		before := last[objects[i].Class]
		for k := before; k > 0; k = kept[k-1].before {
			if kept[k-1].box.IoU(objects[i].Box) > iou {
				continue next
			}
		}
		kept = append(kept, place{objects[i].Box, i, before})
		last[objects[i].Class] = len(kept)
	}
	out := slices.Grow([]schemas.Object(nil), len(kept)) // nil for none
	for _, k := range kept {
		out = append(out, objects[k.at])
	}
	return out
}
