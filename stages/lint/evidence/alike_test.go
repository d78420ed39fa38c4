package evidence

import (
	"math"
	"slices"
	"testing"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
)

// TestAlike: of two things that no label covers, the one with the shape, the color and the name of the labels resembles them more.
func TestAlike(t *testing.T) {
	cells, other := rect(20, 20, 60, 60), rect(20, 120, 60, 160)
	twin, stranger := rect(120, 20, 160, 60), rect(100, 100, 190, 150)
	img := &pixels.Image{W: 200, H: 200, Pix: make([]uint8, 3*200*200)}
	paint := func(b geometry.Box, color [3]uint8) {
		for y := int(b.Y1); y < int(b.Y2); y++ {
			for x := int(b.X1); x < int(b.X2); x++ {
				copy(img.Pix[3*(y*200+x):], color[:])
			}
		}
	}
	c := schemas.Candidates{Model: "m@1", Classes: []string{"donut", "bowl"}}
	for _, thing := range []struct {
		box   geometry.Box
		color [3]uint8
		class uint16
	}{{cells, [3]uint8{200, 80, 80}, 0}, {other, [3]uint8{196, 84, 80}, 0}, {twin, [3]uint8{200, 84, 84}, 0}, {stranger, [3]uint8{20, 20, 240}, 1}} {
		paint(thing.box, thing.color)
		for range 2 {
			c.Cells = append(c.Cells, schemas.Candidate{Box: thing.box, Score: 0.5, Scores: []schemas.ClassScore{{Class: thing.class, Score: 0.5}}})
		}
	}
	s := &schemas.Sample{
		Image: schemas.ImageRef{W: 200, H: 200}, Objects: []schemas.Object{{ID: "a", Class: "rbc", Box: cells}, {ID: "b", Class: "rbc", Box: other}, {ID: "c", Class: "wbc", Box: stranger}},
		Candidates: []schemas.Candidates{c},
	}
	scene := New(s, Context{Related: same, Image: img})
	exemplars := scene.Exemplars(func(l schemas.Object) bool { return l.Class == "rbc" })
	read := func(b geometry.Box) (class string, of func(name string) float64) {
		t.Helper()
		things := scene.Things(0.1)
		at := slices.IndexFunc(things, func(x Thing) bool { return x.Box == b })
		if at < 0 || len(things) != 4 {
			t.Fatalf("things %+v", things)
		}
		class, features := exemplars.Alike(things[at])
		return class, func(name string) float64 { return float64(features[slices.Index(AlikeNames(), name)]) }
	}
	class, of := read(twin)
	if class != "rbc" {
		t.Errorf("it resembles %q", class)
	}
	near(t, "size", of("size"), 0, 1e-6)
	near(t, "colors", of("colors"), 8.0/3, 1e-3)
	near(t, "names", of("called"), 1, 1e-6)
	near(t, "usual score", of("score.usual"), 0, 1e-6)
	near(t, "cells", of("cells"), math.Log(3), 1e-6)
	near(t, "labels", of("labels"), math.Log(3), 1e-6)
	near(t, "cover", of("cover.any"), 0, 0)
	mine := of("distance")
	if _, of = read(stranger); !(of("distance") > 4*mine) || of("called") != 0 || of("cover.any") != 1 {
		t.Errorf("distance %.2f to %.2f, names %.2f, covered %.2f", of("distance"), mine, of("called"), of("cover.any"))
	}
	if !scene.Exemplars(func(schemas.Object) bool { return false }).None() {
		t.Error("there are exemplars of no label")
	}
	blind := New(s, Context{Related: same})
	_, features := blind.Exemplars(func(schemas.Object) bool { return true }).Alike(blind.Things(0.1)[0])
	if x := features[slices.Index(AlikeNames(), "colors")]; x == x {
		t.Errorf("colors without pixels: %g", x)
	}
}
