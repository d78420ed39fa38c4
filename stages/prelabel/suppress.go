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
	const hair = 1e-9 // for the rounding of an IoU, which is at most the smaller area over the larger
	type place struct {
		box        geometry.Box // of the object, which is large
		area       float64
		at, before int // in objects, and of the one of its class before it among those kept
	}
	kept := make([]place, 0, 256) // so many are on the stack
	last := map[string]int{}      // by class, the number of those kept up to its last one; 0: none
next:
	for i := range objects {
		if len(kept) == limit {
			break
		}
		before, box := last[objects[i].Class], objects[i].Box
		area := box.Area()
		least, most := area*iou*(1-hair), area/iou*(1+hair)
		for k := before; k > 0; {
			other := &kept[k-1]
			if least <= other.area && other.area <= most && other.box.IoU(box) > iou {
				continue next
			}
			k = other.before
		}
		kept = append(kept, place{box, area, i, before})
		last[objects[i].Class] = len(kept)
	}
	out := slices.Grow([]schemas.Object(nil), len(kept)) // nil for none
	for i := range kept {
		out = append(out, objects[kept[i].at])
	}
	return out
}
