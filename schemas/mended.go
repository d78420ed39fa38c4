package schemas

import (
	"maps"

	"gleaner/schemas/geometry"
)

// Overlaps (IoU) from which a box is where it was. People do not move an edge by less than Nudged does, and boxes that were drawn
// anew are never quite where others were.
const (
	Nudged  = 0.995
	Redrawn = 0.9
)

// Moved reports whether a label lies elsewhere than before; same: it is the same object by its id, else it may have been drawn anew.
// Both boxes are to be clipped to the image, as people's are.
func Moved(was, is geometry.Box, same bool) bool {
	if same {
		return was.IoU(is) < Nudged
	}
	return was.IoU(is) < Redrawn
}

// Mended reports whether an object on an image of w x h pixels became another: its box moved, or its class or attributes differ.
func (o Object) Mended(is Object, w, h int) bool {
	return o.Class != is.Class || !maps.Equal(o.Attributes, is.Attributes) || Moved(o.Box.Clip(w, h), is.Box.Clip(w, h), o.ID == is.ID)
}
