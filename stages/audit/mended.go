package audit

import (
	"cmp"
	"maps"
	"slices"

	"gleaner/schemas"
)

// Same is the IoU from which a box is where it was. Of a box that is left alone it is 1; the rest is for hands that touch one without
// meaning to.
const Same = 0.9

// Mended reports whether people changed labels so that they were wrong before: an object was added or removed, has another class or
// other attributes, or its box has moved to an IoU below Same. Objects are matched by class and box, since who draws one anew
// has mended nothing: pairs are joined one to one, those that overlap most first.
func Mended(was, is []schemas.Object) bool {
	if len(was) != len(is) {
		return true
	}
	type pair struct {
		was, is int
		iou     float64
	}
	var pairs []pair
	for i, a := range was {
		for j, b := range is {
			if iou := a.Box.IoU(b.Box); iou >= Same && a.Class == b.Class && maps.Equal(a.Attributes, b.Attributes) {
				pairs = append(pairs, pair{i, j, iou})
			}
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(b.iou, a.iou), cmp.Compare(a.was, b.was), cmp.Compare(a.is, b.is))
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
