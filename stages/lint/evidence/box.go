package evidence

import "gleaner/schemas"

// Box is all the evidence about label i [features], in the order of BoxNames.
func (s *Scene) Box(i int) []float32 {
	v := &vector{values: make([]float32, 0, len(boxNames))}
	s.box(v, i)
	return v.values
}

// BoxNames are the names of the numbers of Box.
func BoxNames() []string { return boxNames }

var boxNames = func() []string {
	v := &vector{named: true}
	blank().box(v, 0)
	return v.names
}()

// blank is a scene with one label, of which there is no evidence.
func blank() *Scene {
	one := &schemas.Sample{Image: schemas.ImageRef{W: 1, H: 1}, Objects: []schemas.Object{{}}}
	return New(one, Context{Related: func(schemas.Object, []string) []bool { return nil }})
}

func (s *Scene) box(v *vector, i int) {
	s.addSupport(v, i)
	s.class(v, i)
	for w, by := range weightings {
		v.prefix = by.prefix
		s.edges(v, i, &s.fits[i][w])
	}
	v.prefix = ""
	s.nll(v, i)
	v.prefix = "pixels."
	s.pixels(v, i)
	v.prefix = "worst."
	s.worst(v, i)
	v.prefix = ""
	s.crowd(v, i)
	v.prefix = "habit."
	s.habit(v, s.Labels[i].Class, s.Labels[i].Box)
	v.prefix = ""
}
