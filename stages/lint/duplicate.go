package lint

import (
	"fmt"
	"slices"

	"gleaner/schemas"
)

// crossClassIoU is from where on two labels of different classes are likely to be about one object where the classes are unrelated: things that stand before
// one another rarely share this much of their outlines.
const crossClassIoU = 0.8

// aCopy is the IoU from which on a label of the same class is another one once more.
const aCopy = 0.9

// isCopy tells whether a label is another one once more, at the very place: then nothing else is worth saying of its box, its class or its like in twins.
func (v *view) isCopy(id string) bool {
	i := slices.IndexFunc(v.Objects, func(o schemas.Object) bool { return o.ID == id })
	for j, other := range v.Objects {
		if o := v.Objects[i]; second(o, other, i, j) && o.Class == other.Class && o.Box.IoU(other.Box) >= aCopy {
			return true
		}
	}
	return false
}

// second tells which of two labels is doubted where they are about one object: that which scores lower, or else comes later.
func second(o, other schemas.Object, i, j int) bool {
	return o.Score < other.Score || o.Score == other.Score && i > j
}

// duplicate doubts the second of two labels that seem to be about one object.
func duplicate(v *view) []schemas.Finding {
	var out []schemas.Finding
	for i, o := range v.Objects {
		if v.ended() {
			return nil
		}
		var top schemas.Finding
		for j, other := range v.Objects {
			if !second(o, other, i, j) {
				continue
			}
			iou := o.Box.IoU(other.Box)
			if iou <= v.DuplicateIoU {
				continue
			}
			from, what := v.DuplicateIoU, "has the same class"
			if o.Class != other.Class {
				what = "is called " + other.Class
			}
			if !v.related(o.Class, other.Class) {
				from = max(from, crossClassIoU)
			}
			if iou <= from {
				continue
			}
			if score := float32(0.3 + 0.7*ramp(iou, from, 0.95)); score > top.Score {
				top = schemas.Finding{
					Type: schemas.FindingDuplicate, ObjectID: o.ID, Class: o.Class, Box: o.Box, Score: score,
					Why: fmt.Sprintf("Another label covers the same place (overlap %.0f %%) and %s.", 100*iou, what),
				}
			}
		}
		if top.Score > 0 {
			out = append(out, top)
		}
	}
	return out
}
