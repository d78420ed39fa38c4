package voc

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

const one = `<annotation><filename>a.jpg</filename><size><width>20</width><height>10</height></size>
<object><name>cell</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>20</xmax><ymax>10</ymax></bndbox></object></annotation>`

func TestRead(t *testing.T) {
	got, err := Read(strings.NewReader(one))
	if err != nil {
		t.Fatal(err)
	}
	want := Annotation{Filename: "a.jpg", W: 20, H: 10, Objects: []schemas.Object{
		{ID: "o1", Class: "cell", Box: geometry.Box{X1: 0, Y1: 1, X2: 20, Y2: 10}},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestTruncated: what is cut, or said not to be, has the attribute that rules ask for.
func TestTruncated(t *testing.T) {
	for text, want := range map[string]map[string]string{"1": {schemas.AttributeTruncated: "true"}, "1\n": {schemas.AttributeTruncated: "true"}, "0": {schemas.AttributeTruncated: "false"}, "": nil, "Unspecified": nil} {
		got, err := Read(strings.NewReader(strings.Replace(one, "<bndbox>", "<truncated>"+text+"</truncated><bndbox>", 1)))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got.Objects[0].Attributes); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "not a Pascal VOC annotation"},
		{"not xml", "not a Pascal VOC annotation"},
		{"<html></html>", "not a Pascal VOC annotation: expected element type <annotation> but have <html>"},
		{`<?xml version="1.0" encoding="ISO-8859-1"?>` + one, "it is in ISO-8859-1: save it as UTF-8"},
		{strings.Replace(one, "cell", " ", 1), "object 1: no name"},
		{strings.Replace(one, ">20<", ">wide<", 1), "not a Pascal VOC annotation"},
		{strings.Replace(one, "<ymin>2</ymin>", "", 1), `object 1 (cell): bndbox: ymin is "": want a pixel`},
		{strings.Replace(one, "<xmin>1<", "<xmin>one<", 1), `object 1 (cell): bndbox: xmin is "one"`},
		{"<annotation><object><name>cell</name></object></annotation>", "object 1 (cell): bndbox: xmin"},
		{strings.Replace(one, "<xmax>20<", "<xmax>1e9<", 1), "object 1 (cell)"},
	} {
		if _, err := Read(strings.NewReader(c.in)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want it to say %q", c.in, err, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(one))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, o := range a.Objects {
			if o.Class == "" || o.Box.X2 != o.Box.X2 {
				t.Fatalf("object %+v", o)
			}
		}
	})
}
