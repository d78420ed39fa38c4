package web

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

func TestCheckAnnotation(t *testing.T) {
	img := schemas.ImageRef{W: 100, H: 50}
	good := schemas.Object{ID: "o1", Class: "car", Box: geometry.Box{X1: 0, Y1: 0, X2: 100, Y2: 50}}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		change func(*schemas.Object)
		says   string // empty: allowed
	}{
		"whole image":  {func(*schemas.Object) {}, ""},
		"rounded over": {func(o *schemas.Object) { o.Box.X2 = 100.4 }, ""},
		"too far over": {func(o *schemas.Object) { o.Box.X2 = 101 }, "not inside"},
		"outside":      {func(o *schemas.Object) { o.Box = geometry.Box{X1: 100.1, Y1: 0, X2: 100.4, Y2: 9} }, "not inside"},
		"negative":     {func(o *schemas.Object) { o.Box.Y1 = -1 }, "not inside"},
		"empty":        {func(o *schemas.Object) { o.Box.X2 = 0 }, "empty"},
		"inverted":     {func(o *schemas.Object) { o.Box.X1, o.Box.X2 = 9, 3 }, "empty"},
		"not a number": {func(o *schemas.Object) { o.Box.X1 = nan }, "empty"},
		"infinite":     {func(o *schemas.Object) { o.Box.X2 = inf }, "not inside"},
		"no class":     {func(o *schemas.Object) { o.Class = " \t" }, "no class"},
		"control":      {func(o *schemas.Object) { o.Class = "a\x1bb" }, "printable"},
		"not UTF-8":    {func(o *schemas.Object) { o.Class = "\xff" }, "printable"},
		"long class":   {func(o *schemas.Object) { o.Class = strings.Repeat("x", 201) }, "200 bytes"},
		"markup":       {func(o *schemas.Object) { o.Class = "<script>" }, ""},
		"no id":        {func(o *schemas.Object) { o.ID = "" }, "its id"},
		"score":        {func(o *schemas.Object) { o.Score = 2 }, "score"},
		"attribute":    {func(o *schemas.Object) { o.Attributes = map[string]string{"color": "red", "note": ""} }, ""},
		"unnamed":      {func(o *schemas.Object) { o.Attributes = map[string]string{"": "red"} }, "its attribute"},
		"long value":   {func(o *schemas.Object) { o.Attributes = map[string]string{"color": strings.Repeat("x", 201)} }, `its attribute "color"`},
	} {
		o := good
		c.change(&o)
		got, err := checkAnnotation(schemas.Annotation{Objects: []schemas.Object{o}}, img, 10)
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.says == "" && got.Objects[0].Box.Clip(100, 50) != got.Objects[0].Box:
			t.Errorf("%s: the box %v sticks out of the image", name, got.Objects[0].Box)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "object 1")):
			t.Errorf("%s: error %v does not name the object and say %q", name, err, c.says)
		}
	}
	for name, c := range map[string]struct {
		a    schemas.Annotation
		says string
	}{
		"same id":       {schemas.Annotation{Objects: []schemas.Object{good, good}}, "object 2"},
		"too many":      {schemas.Annotation{Objects: make([]schemas.Object, 11)}, "at most 10"},
		"override":      {schemas.Annotation{Objects: []schemas.Object{good}, Overrides: []schemas.Override{{Type: "loss", ObjectID: "o9"}}}, `"o9"`},
		"override type": {schemas.Annotation{Overrides: []schemas.Override{{Reason: "it is right"}}}, "override 1"},
		"made-up type":  {schemas.Annotation{Overrides: []schemas.Override{{Type: "nonsense", Reason: "it is right"}}}, `"nonsense" is no type of finding: there are [missing `},
		"no reason":     {schemas.Annotation{Overrides: []schemas.Override{{Type: "missing"}}}, "no reason"},
	} {
		if _, err := checkAnnotation(c.a, img, 10); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v does not say %q", name, err, c.says)
		}
	}
}

// Whatever is sent, decoding ends in an error or in an annotation that keeps the rules and can be written back.
func FuzzAnnotation(f *testing.F) {
	f.Add([]byte(`{"version":1,"annotation":{"objects":[{"id":"h1","class":"bus","box":{"x1":1,"y1":2,"x2":30,"y2":40}}],"overrides":[{"type":"loss","object_id":"h1","reason":"is right"}]}}`))
	f.Add([]byte(`{"annotation":{"objects":[{"id":"h1","class":"\ud800","box":{"x1":-0.4,"y1":1e-40,"x2":100.5,"y2":50}}]}}`))
	f.Add([]byte(`{}{}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var req annotationRequest
		if err := decodeJSON(data, &req); err != nil || req.Annotation == nil {
			return
		}
		a, err := checkAnnotation(*req.Annotation, schemas.ImageRef{W: 100, H: 50}, 100)
		if err != nil {
			return
		}
		for _, o := range a.Objects {
			if o.Box.Empty() || o.Box.Clip(100, 50) != o.Box || o.Class == "" {
				t.Fatalf("object %+v was let through", o)
			}
		}
		if _, err := json.Marshal(a); err != nil {
			t.Fatal(err)
		}
		if _, err := checkAnnotation(a, schemas.ImageRef{W: 100, H: 50}, 100); err != nil {
			t.Fatalf("what was let through is refused the second time: %v", err)
		}
	})
}

func FuzzRequests(f *testing.F) {
	f.Add([]byte(`{"queue":"d","task_id":"x","lease_s":90}`), "alice", "d", "u1", "image/png")
	f.Add([]byte(`{"version":18446744073709551615,"reason":"\u0000"}`), "%C5%81", "", "\xff", schemas.MediaTypeRef)
	f.Add([]byte(`{"url":"https://x","sha256":"00"}`), "a%zz", "d", "", schemas.MediaTypeRef+"; q=1")
	f.Fuzz(func(t *testing.T, data []byte, name, dataset, uniqueID, mediaType string) {
		_ = decodeJSON(data, new(claimRequest))
		_ = decodeJSON(data, new(versionRequest))
		h := http.Header{"X-Actor": {name}, "Dataset": {dataset}, "Unique-Id": {uniqueID}, "Content-Type": {mediaType}}
		if who, err := actor(&http.Request{Header: h, URL: new(url.URL)}); err == nil && (!printable(who) || strings.ContainsAny(who, "<>&\"'")) {
			t.Fatalf("actor %q was let through", who)
		}
		rec, _, err := rawRecord(h, data)
		if err != nil {
			return
		}
		if got, ok := rec.Header(schemas.HeaderDataset); !ok || got != dataset || !printable(got) {
			t.Fatalf("dataset %q arrived as %q", dataset, got)
		}
	})
}
