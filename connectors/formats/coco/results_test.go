package coco

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

func TestResults(t *testing.T) {
	var out bytes.Buffer
	r := NewResults(&out)
	r.Add(7, "a.jpg", 3, schemas.Object{Box: geometry.Box{X1: 1.5, Y1: 2, X2: 4, Y2: 8}, Score: 0.25, Source: "m@1", Refine: true})
	r.Add(0, "b.jpg", 0, schemas.Object{Box: geometry.Box{X2: 1, Y2: 1}, Score: 1})
	if n, err := r.End(); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	want := `[{"image_id":7,"file_name":"a.jpg","category_id":3,"bbox":[1.5,2,2.5,6],"score":0.25,"gleaner_source":"m@1","gleaner_refine":true},
{"image_id":0,"file_name":"b.jpg","category_id":0,"bbox":[0,0,1,1],"score":1}]
`
	if got := out.String(); got != want {
		t.Error(cmp.Diff(want, got))
	}
	out.Reset()
	if n, err := NewResults(&out).End(); n != 0 || err != nil || !json.Valid(out.Bytes()) {
		t.Errorf("%q of nothing, %v", out.String(), err)
	}
	if _, err := NewResults(broken{}).End(); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("%v", err)
	}
}

// TestWriteImages reads back what results refer to.
func TestWriteImages(t *testing.T) {
	images := []Image{{ID: 9, File: "b.jpg", W: 4, H: 3}, {ID: 2, File: "a.jpg", W: 8, H: 6}}
	categories := map[int64]string{3: "dog", 1: "cat"}
	var out bytes.Buffer
	if err := WriteImages(&out, images, categories); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&out)
	if err != nil {
		t.Fatal(err)
	}
	want := &File{Objects: map[string][]schemas.Object{"a.jpg": nil, "b.jpg": nil}, Crowds: map[string][]schemas.Object{}, Sizes: map[string][2]int{"a.jpg": {8, 6}, "b.jpg": {4, 3}}, Exported: map[string]Exported{}, Faults: map[string]error{}, Images: map[int64]string{2: "a.jpg", 9: "b.jpg"}, Categories: categories}
	if !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }
