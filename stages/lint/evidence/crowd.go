package evidence

import (
	"math"

	"gleaner/schemas/geometry"
)

// touch is another label that has a part in common with one.
type touch struct {
	label  int
	iou    float32
	common float64 // square pixels
}

func (s *Scene) touches(i int) (all []touch) {
	b := s.Labels[i].Box
	for j, l := range s.Labels {
		if common := b.Intersect(l.Box).Area(); j != i && common > 0 {
			all = append(all, touch{j, iou(b, l.Box), common})
		}
	}
	return all
}

// crowd is how label i lies among the other labels and in its image.
func (s *Scene) crowd(v *vector, i int) {
	b := s.Labels[i].Box
	area := max(b.Area(), 1)
	var same, other, inSame, in, around, n float64
	for _, t := range s.touch[i] {
		l := &s.Labels[t.label]
		overlap := float64(t.iou)
		other, in, around = max(other, overlap), max(in, t.common/area), max(around, t.common/max(l.Box.Area(), 1))
		if l.Class == s.Labels[i].Class {
			same, inSame = max(same, overlap), max(inSame, t.common/area)
		}
	}
	for j, l := range s.Labels {
		n += flag(j != i && l.Class == s.Labels[i].Class)
	}
	v.add("crowd.same", same)
	v.add("crowd.other", other)
	v.add("crowd.insame", inSame)
	v.add("crowd.in", in)
	v.add("crowd.around", around)
	v.add("crowd.alike", math.Log1p(n))
	v.add("crowd.labels", math.Log1p(float64(len(s.Labels))))
	s.frame(v, b)
}

// frame is a box's size, shape and place in the image.
func (s *Scene) frame(v *vector, b geometry.Box) {
	area := max(b.Area(), 1)
	touches := 0.0
	for _, d := range [4]float32{b.X1, b.Y1, float32(s.W) - b.X2, float32(s.H) - b.Y2} {
		touches += flag(d < 2)
	}
	v.add("frame.size", math.Log(area/max(float64(s.W)*float64(s.H), 1))/2)
	v.add("frame.pixels", math.Log(area)/2)
	v.add("frame.aspect", math.Abs(math.Log(float64(max(b.W(), 1)/max(b.H(), 1)))))
	v.add("frame.touches", touches)
}
