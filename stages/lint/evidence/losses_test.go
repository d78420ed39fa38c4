package evidence

import (
	"math"
	"testing"

	"gleaner/schemas"
)

func TestLosses(t *testing.T) {
	wrong := Losses{RunID: "r", ObjectID: "a", Class: "cat", Kind: LabelError, Presentations: 6, AUM: -3, Outlier: 2, TrendQ: math.NaN()}
	with := func(change func(*Losses)) Losses {
		l := wrong
		change(&l)
		return l
	}
	cat, dog := schemas.Object{ID: "a", Class: "cat"}, schemas.Object{ID: "b", Class: "dog"}
	type objects = []schemas.Object
	for name, c := range map[string]struct {
		losses Losses
		labels objects
		of     int // -1: none
		doubt  float64
	}{
		"a label error":                     {wrong, objects{dog, cat}, 1, 0.881},
		"that stands out by less":           {with(func(l *Losses) { l.Outlier = 1 }), objects{cat}, 0, 0.269},
		"an edge case":                      {with(func(l *Losses) { l.Kind, l.TrendQ = "edge", 0.01 }), objects{cat}, 0, 0},
		"without a margin":                  {with(func(l *Losses) { l.Outlier = math.NaN() }), objects{cat}, 0, 0},
		"of an object that has gone":        {wrong, objects{dog}, -1, 0.881},
		"of another class since":            {wrong, objects{{ID: "a", Class: "dog"}}, -1, 0.881},
		"of a class that nobody knows":      {with(func(l *Losses) { l.Class = "" }), objects{{ID: "a"}}, -1, 0.881},
		"of a lineage":                      {with(func(l *Losses) { l.Class = "zoo@1 coco@2017:cat=cat" }), objects{{ID: "a", Class: "cat", Lineage: "zoo@1 coco@2017:cat=cat"}}, 0, 0.881},
		"of an image with one label":        {with(func(l *Losses) { l.ObjectID = "" }), objects{cat}, 0, 0.881},
		"of an image with several":          {with(func(l *Losses) { l.ObjectID = "" }), objects{cat, {ID: "c", Class: "cat"}}, -1, 0.881},
		"of an image that is another class": {with(func(l *Losses) { l.ObjectID = "" }), objects{dog}, -1, 0.881},
	} {
		i, ok := c.losses.Of(c.labels)
		if ok != (c.of >= 0) || ok && i != c.of {
			t.Errorf("%s: of label %d, %t, want %d", name, i, ok, c.of)
		}
		near(t, name, c.losses.Doubt(), c.doubt, 0.001)
	}
}
