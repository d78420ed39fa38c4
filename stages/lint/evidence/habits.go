package evidence

import (
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// Habits are how the boxes of a dataset usually are, class by class: medians and robust deviations (1.4826 times the median
// absolute deviation) of the logarithms of size and aspect, and of the center's height in the image. They are read-only.
type Habits struct{ of map[string]habit }

type habit struct {
	n            int
	size, aspect spread
	height       spread
}

type spread struct{ median, deviation float64 }

// HabitsOf learns the habits of the samples of a dataset by their labels. At most maxHabit boxes of a class count, which takes 24
// bytes each while they are learned.
func HabitsOf(samples func(yield func(*schemas.Sample) bool)) *Habits {
	const maxHabit = 100_000
	type lists struct{ size, aspect, height []float64 }
	by := map[string]*lists{}
	for s := range samples {
		for _, o := range s.Objects {
			l := by[o.Class]
			if l == nil {
				l = &lists{}
				by[o.Class] = l
			}
			if size, aspect, height, ok := shape(o.Box, s.Image.W, s.Image.H); ok && len(l.size) < maxHabit {
				l.size, l.aspect, l.height = append(l.size, size), append(l.aspect, aspect), append(l.height, height)
			}
		}
	}
	h := &Habits{of: map[string]habit{}}
	for class, l := range by {
		if len(l.size) > 0 {
			h.of[class] = habit{n: len(l.size), size: robust(l.size), aspect: robust(l.aspect), height: robust(l.height)}
		}
	}
	return h
}

func shape(b geometry.Box, w, h int) (size, aspect, height float64, ok bool) {
	if b.Clip(w, h).Empty() {
		return 0, 0, 0, false
	}
	size = math.Log(b.Area()/(float64(w)*float64(h))) / 2
	aspect = math.Log(float64(b.W() / b.H()))
	height = float64(b.Y1+b.Y2) / 2 / float64(h)
	return size, aspect, height, !math.IsInf(size, 0) && !math.IsInf(aspect, 0)
}

func robust(x []float64) spread {
	slices.Sort(x)
	m := x[len(x)/2]
	away := make([]float64, len(x))
	for i, v := range x {
		away[i] = math.Abs(v - m)
	}
	slices.Sort(away)
	return spread{m, 1.4826 * away[len(away)/2]}
}

// z is a distance from the median in deviations. Of few boxes the deviation is drawn towards a wide one: twenty count as much as it.
func (s spread) z(x float64, n int) float64 {
	const prior, wide = 20, 0.5
	d := (s.deviation*float64(n) + wide*prior) / float64(n+prior)
	return (x - s.median) / max(d, 0.02)
}

var habitNames = []string{"size", "sizeabs", "aspectabs", "height", "boxes"}

// habit is how usual a box of a class is in its dataset.
func (s *Scene) habit(v *vector, class string, b geometry.Box) {
	size, aspect, height, ok := shape(b, s.W, s.H)
	var h habit
	if s.habits != nil {
		h = s.habits.of[class]
	}
	if !ok || h.n < 2 {
		v.addAll(habitNames)
		return
	}
	z := h.size.z(size, h.n)
	v.addAll(habitNames, z, math.Abs(z), math.Abs(h.aspect.z(aspect, h.n)), math.Abs(h.height.z(height, h.n)), math.Log(float64(h.n)))
}
