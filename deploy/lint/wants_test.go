package lint

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
)

// TestSayable: demands that labels of a format cannot meet go, and no others, and the rules that were given stay as they are.
func TestSayable(t *testing.T) {
	rules := func() schemas.DatasetRules {
		return schemas.DatasetRules{Dataset: "cells", Objects: []schemas.ObjectRule{
			{
				Class: "WBC", Attributes: []schemas.AttributeRule{{Name: "kind", Values: []string{"a", "b"}, Required: true}, {Name: "stain"}},
				Occlusion: schemas.Occlusion{Policy: schemas.PolicyMark}, Truncation: schemas.PolicyMark,
			},
			{Class: "RBC", Attributes: []schemas.AttributeRule{{Name: "kind", Required: true}}, Occlusion: schemas.Occlusion{Policy: schemas.PolicySkip, Above: 0.5}, Truncation: schemas.PolicySkip},
		}}
	}
	voc := rules()
	voc.Objects[0].Attributes[0].Required, voc.Objects[1].Attributes[0].Required, voc.Objects[0].Occlusion.Policy = false, false, schemas.PolicyLabel
	yolo := rules()
	yolo.Objects[0].Attributes[0].Required, yolo.Objects[1].Attributes[0].Required = false, false
	yolo.Objects[0].Occlusion.Policy, yolo.Objects[0].Truncation = schemas.PolicyLabel, schemas.PolicyLabel
	for format, want := range map[string]struct {
		rules   schemas.DatasetRules
		dropped []string
	}{
		"coco": {rules(), nil}, "voc": {voc, []string{"kind", "occluded"}}, "yolo": {yolo, []string{"kind", "occluded", "truncated"}},
	} {
		given := rules()
		got, dropped := Sayable(format, given)
		if d := cmp.Diff(want.rules, got); d != "" {
			t.Errorf("%s: %s", format, d)
		}
		if d := cmp.Diff(want.dropped, dropped); d != "" {
			t.Errorf("%s: dropped: %s", format, d)
		}
		if d := cmp.Diff(rules(), given); d != "" {
			t.Errorf("%s: what was given is another: %s", format, d)
		}
	}
}
