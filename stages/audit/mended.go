package audit

import (
	"cmp"
	"slices"

	"gleaner/schemas"
)

// Mended reports whether people changed the labels of an image so that they were wrong before: an object was added, removed or
// mended (schemas.Object.Mended). An object is paired with that of its id, or else with one that was drawn anew in its place,
// which mends nothing: pairs are joined one to one, those of one id first, then those that overlap most.
func Mended(was, is []schemas.Object, image schemas.ImageRef) bool {
	if len(was) != len(is) {
		return true
	}
	type pair struct {
		was, is int
		other   int // 1: their ids differ
		iou     float64
	}
	var pairs []pair
	for i, a := range was {
		for j, b := range is {
			if a.Mended(b, image.W, image.H) {
				continue
			}
			p := pair{i, j, 0, a.Box.Clip(image.W, image.H).IoU(b.Box.Clip(image.W, image.H))}
			if a.ID != b.ID {
				p.other = 1
			}
			pairs = append(pairs, p)
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.other, b.other), cmp.Compare(b.iou, a.iou), cmp.Compare(a.was, b.was), cmp.Compare(a.is, b.is))
	})
	left, right, joined := make([]bool, len(was)), make([]bool, len(is)), 0
	for _, p := range pairs {
		if !left[p.was] && !right[p.is] {
			left[p.was], right[p.is] = true, true
			joined++
		}
	}
	return joined < len(was)
}
