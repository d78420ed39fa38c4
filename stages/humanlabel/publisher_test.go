package humanlabel

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// A class that a person has named is theirs: how the model's came to be is no longer its lineage.
func TestSignedKeepsLineageWithTheClass(t *testing.T) {
	was := []schemas.Object{
		{ID: "kept", Class: "animal", Score: 0.5, Source: "m@1", Canonical: "animal", Lineage: "animals@1 coco@2017:dog<animal", Refine: true},
		{ID: "named", Class: "animal", Score: 0.5, Source: "m@1", Canonical: "animal", Lineage: "animals@1 coco@2017:cat<animal", Refine: true},
	}
	now := []schemas.Object{was[0], was[1], {ID: "drawn", Class: "cat", Lineage: "made up", Refine: true}}
	now[0].Lineage, now[1].Class = "made up", "raccoon"
	want := []schemas.Object{
		{ID: "kept", Class: "animal", Source: "person:bob", Canonical: "animal", Lineage: was[0].Lineage, Refine: true},
		{ID: "named", Class: "raccoon", Source: "person:bob"},
		{ID: "drawn", Class: "cat", Source: "person:bob"},
	}
	if d := cmp.Diff(want, signed(was, now, "bob")); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

// What a person settled holds over later rounds for as long as its object stays as it was.
func TestSettled(t *testing.T) {
	box := geometry.Box{X1: 1, Y1: 1, X2: 9, Y2: 9}
	was := []schemas.Object{{ID: "same", Class: "car", Box: box}, {ID: "moved", Class: "car", Box: box}, {ID: "renamed", Class: "car", Box: box}, {ID: "gone", Class: "car", Box: box}, {ID: "painted", Class: "car", Box: box, Attributes: map[string]string{"color": "red"}}}
	moved := box
	moved.X2 = 10
	now := []schemas.Object{{ID: "same", Class: "car", Box: box, Source: "person:bob"}, {ID: "moved", Class: "car", Box: moved}, {ID: "renamed", Class: "bus", Box: box}, {ID: "painted", Class: "car", Box: box, Attributes: map[string]string{"color": "blue"}}}
	about := func(id, why string) schemas.Override {
		return schemas.Override{Type: schemas.FindingLoss, ObjectID: id, Reason: why}
	}
	missing := schemas.Override{Type: schemas.FindingMissing, Reason: "a car here"}
	before := []schemas.Override{about("same", "first round"), about("moved", ""), about("renamed", ""), about("gone", ""), about("painted", ""), missing}
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

// What a person was shown is what the task came with and what submissions were answered with, each once.
func TestShown(t *testing.T) {
	box, other := geometry.Box{X1: 1, Y1: 1, X2: 9, Y2: 9}, geometry.Box{X1: 1, Y1: 1, X2: 20, Y2: 9}
	s := schemas.Sample{Findings: []schemas.Finding{
		{Type: schemas.FindingDuplicate, ObjectID: "o1", Box: box, Score: 0.9},
		{Type: schemas.FindingSpurious, ObjectID: "o1", Box: box, Score: 0.3},
	}}
	asked := schemas.Finding{Type: schemas.FindingDuplicate, ObjectID: "o1", Box: other, Score: 0.6}
	got := Submitted(s, schemas.Annotation{Findings: []schemas.Finding{asked}}, "bob").Findings
	if d := cmp.Diff([]schemas.Finding{asked, s.Findings[1]}, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}
