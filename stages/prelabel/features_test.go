package prelabel

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// ramp is a map over an input of 8 by 6 pixels, 4 by 3 cells: the first channel grows across, the second down, the third is 1.
func ramp() *featureMap {
	f := &featureMap{layer: "c5", channels: 3, cols: 4, rows: 3}
	for c := range f.channels {
		for y := range f.rows {
			for x := range f.cols {
				f.values = append(f.values, []float32{float32(x), float32(y), 1}[c])
			}
		}
	}
	return f
}

// TestPool compares pooled features with the mean of a dense sampling of the bilinear map. The third channel gives the scale.
func TestPool(t *testing.T) {
	f := ramp()
	bilinear := func(c int, x, y float64) (v float64) { // in cells; outside the centers the map falls to 0 a cell beyond
		for j := range f.rows {
			for i := range f.cols {
				wx, wy := 1-math.Abs(x-float64(i)-0.5), 1-math.Abs(y-float64(j)-0.5)
				if wx > 0 && wy > 0 {
					v += wx * wy * float64(f.values[(c*f.rows+j)*f.cols+i])
				}
			}
		}
		return v
	}
	for _, b := range []geometry.Box{{X2: 8, Y2: 6}, {X1: 2, Y1: 2, X2: 4, Y2: 4}, {X1: 2.9, Y1: 1.1, X2: 3.1, Y2: 1.4}, {X1: 5.5, X2: 8, Y2: 0.5}} {
		v, ok := f.pool(b, 8, 6)
		if !ok || len(v) != 3 {
			t.Fatalf("%v: %v, %t", b, v, ok)
		}
		if n := float64(v[0]*v[0] + v[1]*v[1] + v[2]*v[2]); math.Abs(n-1) > 1e-5 {
			t.Errorf("%v: squared length %g", b, n)
		}
		const steps = 200
		var sum [3]float64
		for i := range steps {
			for j := range steps {
				x := (float64(b.X1) + (float64(i)+0.5)/steps*float64(b.X2-b.X1)) / 2
				y := (float64(b.Y1) + (float64(j)+0.5)/steps*float64(b.Y2-b.Y1)) / 2
				for c := range sum {
					sum[c] += bilinear(c, x, y)
				}
			}
		}
		for c := range sum {
			if got, want := float64(v[c]/v[2]), sum[c]/sum[2]; math.Abs(got-want) > 2e-3 {
				t.Errorf("%v: channel %d is %g times the constant, want %g", b, c, got, want)
			}
		}
	}
	for _, bad := range []float32{0, float32(math.NaN()), float32(math.Inf(1))} {
		for i := range f.values {
			f.values[i] = bad
		}
		if v, ok := f.pool(geometry.Box{X2: 8, Y2: 6}, 8, 6); ok {
			t.Errorf("features of %g give %v", bad, v)
		}
	}
}

// twoOutputs is a session that has written its prediction, always the same, and the ramp, shifted by what the input holds.
type twoOutputs struct{}

func (twoOutputs) Inputs() []schemas.TensorSpec {
	return []schemas.TensorSpec{{Name: "x", Type: "float32", Shape: []int64{1, 3, 6, 8}}}
}

func (twoOutputs) Outputs() []schemas.TensorSpec {
	return []schemas.TensorSpec{{Name: "y", Shape: []int64{1}}, {Name: "c5", Shape: []int64{1, 3, 3, 4}}}
}

func (twoOutputs) SHA256() schemas.Hash { return schemas.Hash{} }

func (twoOutputs) Run(_ context.Context, fill, use func([][]float32) error) error {
	in := [][]float32{make([]float32, 3*6*8)}
	if err := fill(in); err != nil {
		return err
	}
	out := ramp().values
	for i := range out {
		out[i] += in[0][0]
	}
	return use([][]float32{{7}, out})
}

// TestWithFeatures checks that detectors see their outputs alone, and that each watched run gets its own features, copied.
func TestWithFeatures(t *testing.T) {
	s := WithFeatures(twoOutputs{})
	if outs := s.Outputs(); len(outs) != 1 || outs[0].Name != "y" {
		t.Errorf("outputs %v", outs)
	}
	run := func(ctx context.Context, shift float32) {
		t.Helper()
		err := s.Run(ctx, func(in [][]float32) error { in[0][0] = shift; return nil }, func(out [][]float32) error {
			if len(out) != 1 || out[0][0] != 7 {
				return fmt.Errorf("outputs %v", out)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	run(t.Context(), 0) // nobody watches
	one, first := watch(t.Context())
	two, second := watch(t.Context())
	run(one, 0)
	run(two, 1)
	if want := ramp(); first.layer != "c5" || first.cols != 4 || first.rows != 3 || !slices.Equal(first.values, want.values) {
		t.Errorf("%+v", first)
	}
	if second.values[0] != 1 || first.values[0] != 0 {
		t.Error("two runs share their features")
	}
}

// TestPlacement takes boxes into the input and back, however the image is fitted into it.
func TestPlacement(t *testing.T) {
	b := geometry.Box{X1: 10, Y1: 20, X2: 300, Y2: 99}
	for _, resize := range []schemas.Resize{schemas.ResizeLetterbox, schemas.ResizeLetterboxCenter, schemas.ResizeStretch, schemas.ResizeArea} {
		in := input{w: 416, h: 320, resize: resize}
		at := in.place(640, 200)
		to := at.to(b)
		back := at.back(to)
		for i, d := range []float32{back.X1 - b.X1, back.Y1 - b.Y1, back.X2 - b.X2, back.Y2 - b.Y2} {
			if math.Abs(float64(d)) > 1e-3 {
				t.Errorf("%s: edge %d is off by %g", resize, i, d)
			}
		}
		if whole := at.to(geometry.Box{X2: 640, Y2: 200}); whole.X1 != float32(at.left) || math.Abs(float64(whole.Y2)-float64(at.top+at.h)) > 1 {
			t.Errorf("%s: the image lies at %v, want %+v", resize, whole, at)
		}
	}
}

// TestEmbeddings checks which rows a sample gets: the image first, each object after it, and none without features, without an
// area or beyond what a record holds.
func TestEmbeddings(t *testing.T) {
	s := schemas.Sample{ID: schemas.SampleID{1}, Dataset: "d", Image: schemas.ImageRef{W: 16, H: 12}, Objects: []schemas.Object{
		{ID: "o1", Box: geometry.Box{X2: 4, Y2: 4}}, {ID: "flat", Box: geometry.Box{X1: 3, X2: 3, Y2: 4}}, {ID: "o2", Box: geometry.Box{X1: 12, X2: 40, Y2: 4}},
	}}
	m := schemas.Model{ID: "m@1", Decode: schemas.Decode{Input: schemas.DecodeInput{Width: 8, Height: 6, Resize: schemas.ResizeStretch}}}
	e := embeddings(&s, m, ramp())
	if !slices.Equal(e.ObjectID, []string{"", "o1", "o2"}) || e.Dim != 3 || e.SampleID[2] != s.ID || e.Dataset[1] != "d" || e.Model[1] != "m@1" || e.Layer[1] != "c5" {
		t.Fatalf("%+v", e)
	}
	if left, right := e.Vector[3], e.Vector[6]; !(left < e.Vector[0] && e.Vector[0] < right) { // the first channel grows across
		t.Errorf("vectors %v", e.Vector)
	}
	emits, err := embed(&s, []opinion{{features: &featureMap{}}, {by: m, features: ramp()}}) // the first has no features
	if err != nil || len(emits) != 1 || emits[0].Topic != schemas.Embedded || string(emits[0].Record.Key) != s.ID.String() {
		t.Errorf("%+v, %v", emits, err)
	}
	wide := &featureMap{channels: maxEmbeddingBytes / 4 / 2, cols: 1, rows: 1}
	wide.values = slices.Repeat([]float32{1}, wide.channels)
	if e := embeddings(&s, m, wide); e.Len() != 2 || 4*len(e.Vector) > maxEmbeddingBytes {
		t.Errorf("%d rows of %d bytes", e.Len(), 4*e.Dim)
	}
}
