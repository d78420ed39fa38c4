package coco

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

func labels(n int) iter.Seq2[schemas.Label, error] {
	return func(yield func(schemas.Label, error) bool) {
		for i := range n {
			l := schemas.Label{
				UniqueID: fmt.Sprintf("%d.jpg", i), Image: schemas.ImageRef{W: 100, H: 50}, Rank: schemas.RankHuman, Actor: "alice",
			}
			for k := range i % 4 {
				l.Objects = append(l.Objects, schemas.Object{
					ID: fmt.Sprintf("o%d", k+1), Class: []string{"person", "car", "sign"}[k], Attributes: []map[string]string{nil, {"truncated": "true", "kind": "van"}, nil}[k],
					Box: geometry.Box{X1: float32(k), Y1: 1.5, X2: float32(k + i), Y2: 9},
				})
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, n := range []int{0, 1, 2, 57} {
		var out bytes.Buffer
		images, annotations, err := Write(&out, labels(n))
		if err != nil {
			t.Fatal(err)
		}
		file, err := Read(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatalf("%d labels: %v in %s", n, err, out.Bytes())
		}
		want := map[string][]schemas.Object{}
		boxes := 0
		for l, err := range labels(n) {
			if err != nil {
				t.Fatal(err)
			}
			want[l.UniqueID] = l.Objects
			boxes += len(l.Objects)
		}
		if d := cmp.Diff(want, file.Objects); d != "" {
			t.Errorf("%d labels: %s", n, d)
		}
		for name, of := range file.Exported {
			if len(of.Objects) != len(want[name]) || len(of.Objects) > 0 && of.Objects[0] != "o1" {
				t.Errorf("%s was exported with objects %v", name, of.Objects)
			}
		}
		if len(file.Exported) != n || int(images) != n || int(annotations) != boxes {
			t.Errorf("%d labels: counted %d images and %d annotations, want %d and %d", n, images, annotations, n, boxes)
		}
	}
}

func TestWritePassesOnTheReadersError(t *testing.T) {
	broken := errors.New("connection lost")
	_, _, err := Write(&bytes.Buffer{}, func(yield func(schemas.Label, error) bool) { yield(schemas.Label{}, broken) })
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWriteSaysThatTheDiskIsFull(t *testing.T) {
	if _, _, err := Write(full{}, labels(3)); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("got %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "unexpected EOF"},
		{"[]", "where { should be"},
		{`{"images":{}}`, "images"},
		{`{"images":[{"id":1}]}`, "image 1 has no file_name"},
		{`{"images":[{"id":"x","file_name":"a"}]}`, "images: image 1: id is a string: want a number"},
		{`{"images":[{"id":1,"file_name":"a"},{"id":2,"file_name":"a"}]}`, "images: image a is there twice"},
		{`{"images":[{"id":1,"file_name":"a"},{"id":1,"file_name":"b"}]}`, "images: id 1 is that of image a and of image b"},
		{`{"categories":[{"id":1,"name":"cat"},{"id":1,"name":"dog"}]}`, "categories: id 1 is that of category cat and of category dog"},
		{`{"categories":[{"id":1.5,"name":"cat"}]}`, "category 1: id is a number 1.5: want a number"},
		{`{"images":[`, "not COCO JSON"},
	} {
		if _, err := Read(strings.NewReader(c.in)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want it to say %q", c.in, err, c.want)
		}
	}
}

// TestFaults: what is wrong with an annotation is told of its image, and loses no other.
func TestFaults(t *testing.T) {
	const orphan = "orphan "
	for annotation, want := range map[string]string{
		`{"id":5,"image_id":7,"category_id":4}`:                                                                      "annotation 2 (id 5): category_id 4 is not among the categories",
		`{"id":5,"image_id":7,"bbox":[1,2,3,4]}`:                                                                     "annotation 2 (id 5): it has no category_id",
		`{"id":5,"image_id":7,"category_id":3,"bbox":[1,2,3]}`:                                                       "annotation 2 (id 5): bbox has 3 numbers",
		`{"id":5,"image_id":7,"category_id":3,"bbox":null}`:                                                          "annotation 2 (id 5): bbox has 0 numbers",
		`{"bbox":[1,2,3,"4"],"id":5,"image_id":7,"category_id":3}`:                                                   "annotation 2 (id 5): bbox is a string: want a number",
		`{"iscrowd":"no","area":"12","id":"a5","image_id":7.0,"category_id":3.0,"bbox":[1,2,3,4],"attributes":[[]]}`: "",
		`{"id":5,"image_id":9,"category_id":3,"bbox":[1,2,3,4]}`:                                                     orphan + "annotation 2 (id 5): image_id 9 is not among the images",
		`{"id":5,"image_id":"7","category_id":3,"bbox":[1,2,3,4]}`:                                                   orphan + "annotation 2 (id 5): image_id is a string: want a number",
		`{"id":5,"image_id":null,"category_id":3,"bbox":[1,2,3,4]}`:                                                  orphan + "annotation 2 (id 5): it has no image_id",
		`{"id":5,"category_id":3,"bbox":[1,2,3,4]}`:                                                                  orphan + "annotation 2 (id 5): it has no image_id",
		`null`: orphan + "annotation 2 (id <nil>): it has no image_id",
		`7`:    orphan + "annotation 2 (id <nil>): it is a number: want another kind of value",
	} {
		file, err := Read(strings.NewReader("\ufeff" + `{"images":[{"id":7,"file_name":"a"},{"id":0,"file_name":"b"}],"categories":[{"id":3,"name":"cat"}],"annotations":[
			{"image_id":7,"category_id":3,"bbox":[1,2,3,4]},` + annotation + `,{"image_id":7,"category_id":3,"bbox":[1,2,3,4]},
			{"image_id":0,"category_id":3,"bbox":[1,2,3,4],"attributes":{"truncated":true,"age":1234567,"kind":"young","list":[1],"occluded":false,"rotation":0.0}}]}`))
		if err != nil {
			t.Errorf("%s: %v", annotation, err)
			continue
		}
		said := ""
		if fault := file.Faults["a"]; fault != nil {
			said = fault.Error()
		}
		last := "o3"
		if len(file.Orphans) > 0 {
			said, last = orphan+file.Orphans[0], "o2"
		}
		a, b := file.Objects["a"], file.Objects["b"]
		if !strings.HasPrefix(said, want) || (said == "") != (want == "") || a[len(a)-1].ID != last || len(b) != 1 || file.Faults["b"] != nil {
			t.Errorf("%s: %q, %+v, %+v; want %q", annotation, said, a, b, want)
		}
		if d := cmp.Diff(map[string]string{"truncated": "true", "age": "1234567", "kind": "young"}, b[0].Attributes); d != "" {
			t.Errorf("%s: attributes: %s", annotation, d)
		}
	}
}

// TestHidden: of what is hidden only a share is read, whatever else an annotation says of it.
func TestHidden(t *testing.T) {
	for text, want := range map[string]string{"0.25": "0.25", `"0.5"`: "0.5", "1": "1", "true": "", "2": "", `"yes"`: "", "null": ""} {
		file, err := Read(strings.NewReader(`{"images":[{"id":7,"file_name":"a"}],"categories":[{"id":3,"name":"cat"}],"annotations":[{"image_id":7,"category_id":3,"bbox":[1,2,3,4],"attributes":{"occluded":` + text + `}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := file.Objects["a"][0].Attributes[schemas.AttributeOccluded]; got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestCrowd: crowd regions are no objects, but have their places among the annotations of their image.
func TestCrowd(t *testing.T) {
	file, err := Read(strings.NewReader(`{"images":[{"id":1,"file_name":"a"},{"id":2,"file_name":"b"}],"categories":[{"id":3,"name":"cat"}],"annotations":[
		{"image_id":1,"category_id":3,"bbox":[1,2,3,4],"iscrowd":1},{"image_id":2,"category_id":3,"bbox":[1,2,3,4]},{"image_id":1,"category_id":3,"bbox":[1,2,3,4]},
		{"image_id":1,"category_id":3,"bbox":[1,2,3,4],"iscrowd":1},{"image_id":1,"category_id":3,"bbox":[1,2,3,4]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := file.Objects["a"], file.Objects["b"]; len(a) != 2 || a[0].ID != "o2" || a[1].ID != "o4" || len(b) != 1 || b[0].ID != "o1" {
		t.Errorf("%+v and %+v, want the second and the fourth, and the first", a, b)
	}
	if a := file.Crowds["a"]; len(a) != 2 || a[0].ID != "o1" || a[1].ID != "o3" || len(file.Crowds["b"]) != 0 {
		t.Errorf("crowds %+v, want the first and the third", a)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"images":[{"id":7,"file_name":"a"}],"categories":[{"id":3,"name":"x"}],"annotations":[{"image_id":7,"category_id":3,"bbox":[1,2,3,4]}],"info":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if file, err := Read(bytes.NewReader(data)); err == nil && file.Objects == nil {
			t.Fatal("neither a file nor an error")
		}
	})
}
