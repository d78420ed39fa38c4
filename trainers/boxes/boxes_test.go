package boxes

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
)

type blank struct{}

func (blank) Image(_ context.Context, ref schemas.ImageRef) (*pixels.Image, error) {
	if ref.SHA256 == (schemas.Hash{}) {
		return nil, errors.New("it is gone")
	}
	return &pixels.Image{W: 10, H: 10, Pix: make([]uint8, 300)}, nil
}

// labels have three boxes each: one of the class, one to be refined and one beside the image.
func labels(classes string) iter.Seq2[schemas.Label, error] {
	return func(yield func(schemas.Label, error) bool) {
		for i, class := range strings.Fields(classes) {
			l := schemas.Label{SampleID: schemas.SampleID{byte(i)}, Group: schemas.SampleID{byte(i)}}
			if class != "gone" {
				l.Image.SHA256 = schemas.Hash{1}
			}
			l.Objects = []schemas.Object{
				{ID: "o1", Class: class, Lineage: "l", Box: geometry.Box{X2: float32(i + 1), Y2: 1}},
				{ID: "o2", Class: class, Box: geometry.Box{X2: 1, Y2: 1}, Refine: true},
				{ID: "o3", Class: class, Box: geometry.Box{X1: 20, X2: 30, Y2: 1}},
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}

func width(_ context.Context, _ *pixels.Image, box geometry.Box) (float32, error) {
	if box.W() == 9 {
		return 0, errors.New("nine")
	}
	return box.W(), nil
}

func TestCollect(t *testing.T) {
	rule, done := schemas.SplitRule{Val: 0.5}, 0
	found, widths, err := Collect(t.Context(), blank{}, rule, labels("a b c a"), width, func(n int) { done = n })
	if err != nil || done != 4 || !slices.Equal(widths, []float32{1, 2, 3, 4}) {
		t.Fatalf("%v, %v, %d done", widths, err, done)
	}
	for i, b := range found {
		if want := (Box{schemas.SampleID{byte(i)}, "o1", []string{"a", "b", "c", "a"}[i], "l", rule.Of(schemas.SampleID{byte(i)})}); b != want {
			t.Errorf("box %d is %+v, want %+v", i, b, want)
		}
	}
	for want, classes := range map[string]string{"image of sample 0100": "a gone", "sample 0800": "a a a a a a a a a", "object o1: nine": "a a a a a a a a a"} {
		if _, _, err := Collect(t.Context(), blank{}, rule, labels(classes), width, func(int) {}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", classes, err, want)
		}
	}
}

func TestDivide(t *testing.T) {
	var all []Box
	for split, classes := range map[schemas.Split]string{schemas.SplitTrain: "b b b a a c", schemas.SplitVal: "b a c d b", schemas.SplitTest: "a a"} {
		for _, class := range strings.Fields(classes) {
			all = append(all, Box{Class: class, Split: split})
		}
	}
	slices.SortStableFunc(all, func(x, y Box) int { return strings.Compare(string(x.Split), string(y.Split)) })
	d, err := Divide(all, 2)
	if err != nil || fmt.Sprint(d) != "{[a b] [0 0 1 1 1 0 0 0 1 0 0 0 1] [2 3 4 5 6] [8 9 12]}" {
		t.Errorf("%v, %v", d, err)
	}
	if got := d.Labels(d.Val); !slices.Equal(got, []int{1, 0, 1}) {
		t.Errorf("the boxes for validation are of %v", got)
	}
	if _, err := Divide(all, 3); !errors.Is(err, ErrTooFew) {
		t.Error(err)
	}
}
