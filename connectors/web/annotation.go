package web

// What a person may submit: the rules that an annotation must keep, checked before it is stored.

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

const (
	maxClass  = 200  // bytes
	maxReason = 1000 // bytes

	maxAttributes = 100 // of an object, each with a name of at most 64 bytes and a value of at most maxClass

	overhang = 0.5 // pixels that a box may stick out of the image before it is wrong rather than rounded; it is cut off
)

var objectIDPattern = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

// checkAnnotation returns a with boxes cut to the image. The error names the object. Who made the objects is not the sender's to
// say: the desk's publisher signs them with the actor. Nor is what the sender was shown: findings are left out.
func checkAnnotation(a schemas.Annotation, img schemas.ImageRef, maxObjects int) (schemas.Annotation, error) {
	if len(a.Objects) > maxObjects || len(a.Overrides) > maxObjects {
		return a, fmt.Errorf("%d objects and %d overrides: at most %d of each are allowed", len(a.Objects), len(a.Overrides), maxObjects)
	}
	out := schemas.Annotation{Objects: make([]schemas.Object, 0, len(a.Objects)), Overrides: a.Overrides}
	seen := make(map[string]bool, len(a.Objects))
	for i, o := range a.Objects {
		name := fmt.Sprintf("object %d (id %.80q, class %.80q)", i+1, o.ID, o.Class)
		o.Class = strings.TrimSpace(o.Class)
		switch {
		case !objectIDPattern.MatchString(o.ID):
			return a, fmt.Errorf("%s: its id must be 1 to 64 letters, digits or . _ : -", name)
		case seen[o.ID]:
			return a, fmt.Errorf("%s: another object has the same id", name)
		case o.Class == "":
			return a, fmt.Errorf("%s: it has no class", name)
		case len(o.Class) > maxClass || !printable(o.Class):
			return a, fmt.Errorf("%s: its class must be at most %d bytes of printable text", name, maxClass)
		case len(o.Source) > maxClass || !printable(o.Source):
			return a, fmt.Errorf("%s: its source must be at most %d bytes of printable text", name, maxClass)
		case !(o.Score >= 0 && o.Score <= 1):
			return a, fmt.Errorf("%s: its score %g is not within 0 and 1", name, o.Score)
		}
		if err := checkAttributes(o.Attributes); err != nil {
			return a, fmt.Errorf("%s: %w", name, err)
		}
		seen[o.ID] = true
		var err error
		if o.Box, err = checkBox(o.Box, img.W, img.H); err != nil {
			return a, fmt.Errorf("%s: %w", name, err)
		}
		out.Objects = append(out.Objects, o)
	}
	for i, v := range a.Overrides {
		name := fmt.Sprintf("override %d", i+1)
		switch {
		case v.ObjectID != "" && !seen[v.ObjectID]:
			return a, fmt.Errorf("%s: there is no object %.80q", name, v.ObjectID)
		case strings.TrimSpace(v.Reason) == "":
			return a, fmt.Errorf("%s: it has no reason", name)
		case len(v.Reason) > maxReason || !printable(v.Reason):
			return a, fmt.Errorf("%s: its reason must be at most %d bytes of printable text", name, maxReason)
		case !slices.Contains(schemas.FindingTypes, v.Type):
			return a, fmt.Errorf("%s: %.80q is no type of finding: there are %s", name, v.Type, schemas.FindingTypes)
		case len(v.Class) > maxClass || !printable(v.Class):
			return a, fmt.Errorf("%s: its class must be at most %d bytes of printable text", name, maxClass)
		case len(v.Why) > maxReason || !printable(v.Why):
			return a, fmt.Errorf("%s: its sentence must be at most %d bytes of printable text", name, maxReason)
		}
	}
	return out, nil
}

func checkAttributes(attributes map[string]string) error {
	if len(attributes) > maxAttributes {
		return fmt.Errorf("it has %d attributes: at most %d are allowed", len(attributes), maxAttributes)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if v := attributes[name]; name == "" || len(name) > 64 || len(v) > maxClass || !printable(name+v) {
			return fmt.Errorf("its attribute %.80q is not printable text, of at most 64 bytes with at most %d bytes of value", name, maxClass)
		}
	}
	return nil
}

// checkBox cuts a box to an image of w by h pixels and refuses one that is empty, not a number, or plainly outside.
func checkBox(b geometry.Box, w, h int) (geometry.Box, error) {
	in := b.X1 >= -overhang && b.Y1 >= -overhang && b.X2 <= float32(w)+overhang && b.Y2 <= float32(h)+overhang
	c := b.Clip(w, h)
	switch {
	case b.Empty():
		return b, fmt.Errorf("its box %g,%g,%g,%g is empty", b.X1, b.Y1, b.X2, b.Y2)
	case !in || c.Empty(): // in is false for coordinates that are not numbers
		return b, fmt.Errorf("its box %g,%g,%g,%g is not inside the image of %d x %d pixels", b.X1, b.Y1, b.X2, b.Y2, w, h)
	}
	return c, nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
