package web

// What a person may submit: the rules that an annotation must keep, checked before it is stored.

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

const (
	maxClass  = 200 // bytes
	maxReason = 1000
	overhang  = 0.5 // pixels that a box may stick out of the image before it is wrong rather than rounded; it is cut off
)

var objectIDPattern = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

// checkAnnotation returns a with boxes cut to the image and sources set: an object that is as the sample had it keeps its source
// and score, every other one is the actor's. The error names the object.
func checkAnnotation(a schemas.Annotation, sample schemas.Sample, actor string, maxObjects int) (schemas.Annotation, error) {
	if len(a.Objects) > maxObjects || len(a.Overrides) > maxObjects {
		return a, fmt.Errorf("%d objects and %d overrides: at most %d of each are allowed", len(a.Objects), len(a.Overrides), maxObjects)
	}
	before := make(map[string]schemas.Object, len(sample.Objects))
	for _, o := range sample.Objects {
		before[o.ID] = o
	}
	source := actor
	if !strings.HasPrefix(actor, "simulated:") {
		source = "person:" + actor
	}
	out := schemas.Annotation{Objects: make([]schemas.Object, 0, len(a.Objects))}
	seen := make(map[string]bool, len(a.Objects))
	for i, o := range a.Objects {
		name := fmt.Sprintf("object %d (id %q, class %q)", i+1, o.ID, o.Class)
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
		}
		seen[o.ID] = true
		box, err := checkBox(o.Box, sample.Image.W, sample.Image.H)
		if err != nil {
			return a, fmt.Errorf("%s: %w", name, err)
		}
		o.Box = box
		if old, ok := before[o.ID]; ok && old.Class == o.Class && sameBox(old.Box, o.Box, sample.Image) {
			o.Source, o.Score = old.Source, old.Score
		} else {
			o.Source, o.Score = source, 0
		}
		out.Objects = append(out.Objects, o)
	}
	for i, v := range a.Overrides {
		switch {
		case v.Type == "" || len(v.Type) > 64 || !printable(string(v.Type)):
			return a, fmt.Errorf("override %d: %q is no type of finding", i+1, v.Type)
		case v.ObjectID != "" && !seen[v.ObjectID]:
			return a, fmt.Errorf("override %d: there is no object %q", i+1, v.ObjectID)
		case len(v.Reason) > maxReason || !printable(v.Reason):
			return a, fmt.Errorf("override %d: its reason must be at most %d bytes of printable text", i+1, maxReason)
		}
		out.Overrides = append(out.Overrides, v)
	}
	return out, nil
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

// sameBox compares with the box as it looks once cut to the image, since that is what the page shows and sends back.
func sameBox(old, now geometry.Box, img schemas.ImageRef) bool {
	return old == now || old.Clip(img.W, img.H) == now
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
