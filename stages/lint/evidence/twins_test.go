package evidence

import (
	"testing"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// TestDisagreements: the labels of an image of 200 by 200 that people labeled, and of twins.
func TestDisagreements(t *testing.T) {
	box, far := rect(50, 50, 150, 150), rect(0, 0, 20, 20)
	of := func(class string, b geometry.Box) schemas.Object { return schemas.Object{Class: class, Box: b} }
	type objects = []schemas.Object
	twin := func(rank schemas.Rank, distance int, o ...schemas.Object) Twin {
		return Twin{schemas.Label{Rank: rank, Image: schemas.ImageRef{W: 200, H: 200}, Objects: o}, distance}
	}
	human := func(o ...schemas.Object) Twin { return twin(schemas.RankHuman, 0, o...) }
	double := human(of("cat", rect(120, 20, 280, 60)))
	double.Image = schemas.ImageRef{W: 400, H: 100}
	cat := of("cat", box)
	none := Disagreement{}
	for name, c := range map[string]struct {
		labels objects
		twins  []Twin
		want   Disagreement // Score is within a hundredth; First does not count
	}{
		"no twins":                        {objects{cat}, nil, none},
		"the same":                        {objects{cat}, []Twin{human(cat)}, none},
		"a class above":                   {objects{cat}, []Twin{human(of("animal", box))}, none},
		"of another size":                 {objects{of("cat", rect(60, 40, 140, 120))}, []Twin{double}, none},
		"jitter":                          {objects{cat}, []Twin{human(of("cat", rect(60, 55, 150, 155)))}, none},
		"jitter of a small box":           {objects{of("cat", rect(0, 0, 6, 6))}, []Twin{human(of("cat", rect(2, 2, 8, 8)))}, none},
		"elsewhere":                       {objects{cat}, []Twin{human(of("cat", rect(50, 50, 150, 80)))}, Disagreement{Box: rect(50, 50, 150, 80), Score: 1 / 2.25, Agree: 1}},
		"elsewhere in each: it moves":     {objects{cat}, []Twin{human(of("cat", rect(50, 50, 150, 80))), human(of("cat", rect(50, 120, 150, 150)))}, Disagreement{Box: rect(50, 50, 150, 80), Score: 1 / 3.25, Agree: 1}},
		"moved away":                      {objects{of("cat", far)}, []Twin{human(of("cat", rect(20, 0, 40, 20)))}, none},
		"extra":                           {objects{cat}, []Twin{human()}, Disagreement{Score: 1 / 2.25, Agree: 1}},
		"extra by two":                    {objects{cat}, []Twin{human(), human()}, Disagreement{Score: 2 / 3.25, Agree: 2}},
		"extra by one, but not another":   {objects{cat}, []Twin{human(), human(cat)}, Disagreement{Score: 1 / 3.25, Agree: 1}},
		"a model's silence":               {objects{cat}, []Twin{twin(schemas.RankAutomatic, 0)}, none},
		"renamed":                         {objects{cat}, []Twin{human(of("dog", box))}, Disagreement{Class: "dog", Score: 1 / 2.25, Agree: 1}},
		"renamed by a reviewer":           {objects{cat}, []Twin{twin(schemas.RankReviewed, 0, of("dog", box))}, Disagreement{Class: "dog", Score: 2 / 3.25, Agree: 1}},
		"renamed by a model":              {objects{cat}, []Twin{twin(schemas.RankAutomatic, 0, of("dog", box))}, Disagreement{Class: "dog", Score: 0.25 / 1.5, Agree: 1}},
		"renamed, four bits away":         {objects{cat}, []Twin{twin(schemas.RankHuman, 4, of("dog", box))}, Disagreement{Class: "dog", Score: 0.5 / 1.75, Agree: 1}},
		"missing":                         {nil, []Twin{human(cat)}, Disagreement{Label: -1, Class: "cat", Box: box, Score: 1 / 2.25, Agree: 1}},
		"missing, in one of another size": {nil, []Twin{double}, Disagreement{Label: -1, Class: "cat", Box: rect(60, 40, 140, 120), Score: 1 / 2.25, Agree: 1}},
		"missing by two, told once":       {nil, []Twin{human(cat), human(of("animal", rect(52, 50, 150, 150)))}, Disagreement{Label: -1, Class: "cat", Box: box, Score: 2 / 3.25, Agree: 2}},
		"missing in a twin too":           {nil, []Twin{human(cat), human()}, Disagreement{Label: -1, Class: "cat", Box: box, Score: 1 / 3.25, Agree: 1}},
		"a model's silence about missing": {nil, []Twin{human(cat), twin(schemas.RankAutomatic, 0)}, Disagreement{Label: -1, Class: "cat", Box: box, Score: 1 / 2.25, Agree: 1}},
		"a twin without a size":           {nil, []Twin{{Label: schemas.Label{Objects: objects{cat}}}}, none},
	} {
		s := &schemas.Sample{Image: schemas.ImageRef{W: 200, H: 200}, Rank: schemas.RankHuman, Objects: c.labels}
		got := Disagreements(s, c.twins, func(a, b string) bool { return a == b || (a != "dog" && b != "dog") })
		if c.want.Score == 0 {
			if len(got) != 0 {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		if len(got) != 1 {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
			continue
		}
		g := got[0]
		near(t, name+": score", g.Score, c.want.Score, 0.01)
		if g.Label != c.want.Label || g.Class != c.want.Class || g.Box != c.want.Box || g.Agree != c.want.Agree {
			t.Errorf("%s: %+v, want %+v", name, g, c.want)
		}
	}
}
