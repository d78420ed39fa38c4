package yolo

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

var names = []string{"person", "car"}

func TestRead(t *testing.T) {
	got, err := Read(strings.NewReader("\ufeff1 0.5 0.5 0.25 0.5\n\n0 0.1 0.2 0.3 0.2 0.3 0.6\n0 .249 .5 .506 1.01\n0 0 0 1 1\n0 1.5 .5 .2 .2\n"), names, 200, 100)
	if err != nil {
		t.Fatal(err)
	}
	want := []schemas.Object{
		{ID: "o1", Class: "car", Box: geometry.Box{X1: 75, Y1: 25, X2: 125, Y2: 75}},
		{ID: "o2", Class: "person", Box: geometry.Box{X1: 20, Y1: 20, X2: 60, Y2: 60}},
		{ID: "o3", Class: "person", Box: geometry.Box{X1: 0, Y1: 0, X2: 100.4, Y2: 100}}, // rounded: cut to the image
		{ID: "o4", Class: "person", Box: geometry.Box{X1: -100, Y1: -50, X2: 100, Y2: 50}},
		{ID: "o5", Class: "person", Box: geometry.Box{X1: 280, Y1: 40, X2: 320, Y2: 60}},
	}
	near := cmp.Comparer(func(a, b float32) bool { return a-b < 1e-3 && b-a < 1e-3 })
	if d := cmp.Diff(want, got, near); d != "" {
		t.Error(d)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"2 .5 .5 .1 .1", "line 1: class \"2\""},
		{"0 .5 .5 .1 .1\nx .5 .5 .1 .1", "line 2: class \"x\""},
		{"0 .5 .5 .1", "line 1: 3 numbers"},
		{"0 .5 .5 .1 NaN", "line 1: \"NaN\""},
		{"0 .5 .5 .1 1e9", "line 1: \"1e9\""},
	} {
		if _, err := Read(strings.NewReader(c.in), names, 10, 10); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want it to say %q", c.in, err, c.want)
		}
	}
}

func TestReadNames(t *testing.T) {
	for _, in := range []string{"names: [person, car]", "names:\n  0: person\n  1: car\n"} {
		got, err := ReadNames([]byte(in))
		if err != nil || !cmp.Equal(got, names) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "names: 3", "names: {1: a, 7: b}", "names: {0: a, x: b}", "names: []", "names: {}"} {
		if got, err := ReadNames([]byte(in)); err == nil {
			t.Errorf("%q gave %q and no error", in, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("1 0.5 0.5 0.25 0.5\n0 0.1 0.2 0.3 0.2 0.3 0.6"))
	f.Add([]byte("0 -1 16 3 4"))
	f.Fuzz(func(t *testing.T, data []byte) {
		objects, err := Read(bytes.NewReader(data), names, 640, 480)
		if err != nil {
			return
		}
		for _, o := range objects {
			if cut := o.Box.Clip(640, 480); !cut.Empty() && cut != o.Box {
				t.Fatalf("box %v reaches beyond the image", o.Box)
			}
		}
	})
}

func FuzzReadNames(f *testing.F) {
	f.Add([]byte("names:\n  0: person\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if got, err := ReadNames(data); err == nil && got == nil {
			t.Fatal("neither names nor an error")
		}
	})
}
