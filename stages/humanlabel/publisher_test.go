package humanlabel

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// What a person settled holds over later rounds for as long as its object stays as it was.
func TestSettled(t *testing.T) {
	box := geometry.Box{X1: 1, Y1: 1, X2: 9, Y2: 9}
	was := []schemas.Object{{ID: "same", Class: "car", Box: box}, {ID: "moved", Class: "car", Box: box}, {ID: "renamed", Class: "car", Box: box}, {ID: "gone", Class: "car", Box: box}}
	moved := box
	moved.X2 = 10
	now := []schemas.Object{{ID: "same", Class: "car", Box: box, Source: "person:bob"}, {ID: "moved", Class: "car", Box: moved}, {ID: "renamed", Class: "bus", Box: box}}
	about := func(id, why string) schemas.Override {
		return schemas.Override{Type: schemas.FindingLoss, ObjectID: id, Reason: why}
	}
	missing := schemas.Override{Type: schemas.FindingMissing, Reason: "a car here"}
	before := []schemas.Override{about("same", "first round"), about("moved", ""), about("renamed", ""), about("gone", ""), missing}
	for name, c := range map[string]struct{ now, want []schemas.Override }{
		"nothing new":   {nil, []schemas.Override{about("same", "first round"), missing}},
		"settled again": {[]schemas.Override{about("same", "second round")}, []schemas.Override{about("same", "second round"), missing}},
		"another":       {[]schemas.Override{about("moved", "now")}, []schemas.Override{about("moved", "now"), about("same", "first round"), missing}},
	} {
		if d := cmp.Diff(c.want, settled(before, was, schemas.Annotation{Objects: now, Overrides: c.now})); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
}
