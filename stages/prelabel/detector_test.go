package prelabel

import (
	"context"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"gleaner/schemas"
	"gleaner/stages/pixels"
)

// tensorSession answers every run with a given output tensor.
type tensorSession struct {
	in, out []schemas.TensorSpec
	output  []float32
}

func (s *tensorSession) Inputs() []schemas.TensorSpec  { return s.in }
func (s *tensorSession) Outputs() []schemas.TensorSpec { return s.out }
func (s *tensorSession) SHA256() schemas.Hash          { return schemas.Hash{1} }
func (s *tensorSession) Run(_ context.Context, fill, use func([][]float32) error) error {
	in := make([]float32, size(s.in[0].Shape))
	if err := fill([][]float32{in}); err != nil {
		return err
	}
	return use([][]float32{s.output})
}

func size(shape []int64) int {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return int(n)
}

func graphOf(in, out []int64) *tensorSession {
	return &tensorSession{
		in:     []schemas.TensorSpec{{Name: "images", Type: "float32", Shape: in}},
		out:    []schemas.TensorSpec{{Name: "output", Type: "float32", Shape: out}},
		output: make([]float32, size(out)),
	}
}

func smallYOLOX() *tensorSession      { return graphOf([]int64{1, 3, 64, 32}, []int64{1, 42, 7}) } // 32+8+2 cells
func smallFastestDet() *tensorSession { return graphOf([]int64{1, 3, 64, 32}, []int64{1, 7, 4, 2}) }

func TestRecognize(t *testing.T) {
	two := []string{"cat", "dog"}
	for _, c := range []struct {
		name    string
		session *tensorSession
		id      string
		classes []string
		want    string // the decoder, or a part of the error
	}{
		{"yolox", smallYOLOX(), "m@1", two, "yolox"},
		{"yolox at 416", graphOf([]int64{1, 3, 416, 416}, []int64{1, 3549, 7}), "m@1", two, "yolox"},
		{"fastestdet", smallFastestDet(), "m@1", two, "fastestdet"},
		{"a classifier", graphOf([]int64{1, 3, 64, 64}, []int64{1, 1000}), "m@1", two, "no decoder for inputs images float32[1,3,64,64] and outputs output float32[1,1000]; known: yolox"},
		{"wrong input", graphOf([]int64{1, 42}, []int64{1, 42, 7}), "m@1", two, "images float32[1,42]"},
		{"one channel", graphOf([]int64{1, 1, 64, 32}, []int64{1, 42, 7}), "m@1", two, "no decoder"},
		{"two images", graphOf([]int64{2, 3, 64, 32}, []int64{2, 42, 7}), "m@1", two, "no decoder"},
		{"side not a multiple of 32", graphOf([]int64{1, 3, 40, 40}, []int64{1, 30, 7}), "m@1", two, "no decoder"},
		{"no classes", graphOf([]int64{1, 3, 64, 32}, []int64{1, 42, 5}), "m@1", nil, "no decoder"},
		{"too few names", smallYOLOX(), "m@1", two[:1], "tells 2 classes apart but the list of names has 1"},
		{"no version", smallYOLOX(), "m", two, "want name@version"},
	} {
		d, err := Recognize(c.session, c.id, c.classes)
		var got string
		if err != nil {
			got = err.Error()
		} else {
			got = d.Model().Decode.Decoder
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestYOLOXDecode puts one object into the cell of stride 16 at column 1, row 2 and looks for it in an image twice the input's size.
func TestYOLOXDecode(t *testing.T) {
	s := smallYOLOX()
	copy(s.output[(32+2*2+1)*7:], []float32{0.5, -0.5, float32(math.Log(0.5)), float32(math.Log(2)), 0.8, 0.1, 0.5})
	d, err := Recognize(s, "m@1", []string{"cat", "dog"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Detect(t.Context(), noise(64, 128, 1), 0.05)
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	o := got[0] // center (1+.5)*16=24, (2-.5)*16=24, 8 by 32 input pixels; twice that in the image
	if o.Class != "dog" || o.Source != "m@1" || !near(o.Score, 0.4) || !near(o.Box.X1, 40) || !near(o.Box.Y1, 16) || !near(o.Box.X2, 56) || !near(o.Box.Y2, 80) {
		t.Errorf("%+v", o)
	}
}

// TestFastestDetDecode puts one object into the cell at column 1, row 2, in an image stretched by 2 and 3.
func TestFastestDetDecode(t *testing.T) {
	s := smallFastestDet()
	for c, v := range []float32{0.5, 0.5, -0.5, float32(math.Log(1.0 / 3)), 0, 0.9, 0.2} { // w a quarter, h a half of the image
		s.output[c*8+2*2+1] = v
	}
	d, err := Recognize(s, "m@1", []string{"cat", "dog"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Detect(t.Context(), noise(64, 192, 1), 0.05)
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	cx, cy := float32((1+math.Tanh(0.5))/2*64), float32((2+math.Tanh(-0.5))/4*192)
	o := got[0]
	if o.Class != "cat" || !near(o.Score, float32(math.Pow(0.5, 0.6)*math.Pow(0.9, 0.4))) ||
		!near(o.Box.X1, cx-8) || !near(o.Box.X2, cx+8) || !near(o.Box.Y1, cy-48) || !near(o.Box.Y2, min(cy+48, 192)) {
		t.Errorf("%+v, center %g,%g", o, cx, cy)
	}
}

func near(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-3 }

// FuzzDecode gives the decoders tensors of any content: what comes out is finite, within the image, in order and thinned
// as promised.
func FuzzDecode(f *testing.F) {
	word := func(values ...float32) []byte {
		var b []byte
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		return b
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	f.Add(word(0.5, -0.5, 0, 0, 0.8, 0.1, 0.5), uint16(64), uint16(128))
	f.Add(word(nan, inf, -inf, nan, 1, 1, nan), uint16(1), uint16(1))
	f.Add(word(0, 0, inf, inf, inf, inf, 1), uint16(33), uint16(7))
	f.Add(word(1e38, -1e38, 88, -1e9, 3e38, 3e38, -1), uint16(500), uint16(2))
	f.Fuzz(func(t *testing.T, data []byte, w, h uint16) {
		if w == 0 || h == 0 || w > 512 || h > 512 || len(data) < 4 {
			t.Skip()
		}
		img := &pixels.Image{W: int(w), H: int(h), Pix: make([]uint8, 3*int(w)*int(h))}
		for _, s := range []*tensorSession{smallYOLOX(), smallFastestDet()} {
			for i := range s.output {
				s.output[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[i*4%(len(data)&^3):]))
			}
			d, err := Recognize(s, "m@1", []string{"cat", "dog"})
			if err != nil {
				t.Fatal(err)
			}
			found, err := d.Detect(t.Context(), img, 0.05)
			if err != nil {
				t.Fatal(err)
			}
			for i, o := range found {
				if !finite(o.Box) || o.Box.Empty() || o.Box != o.Box.Clip(img.W, img.H) || !(o.Score >= 0.05 && o.Score <= 1) {
					t.Errorf("%dx%d: %+v", w, h, o)
				}
				if i > 0 && o.Score > found[i-1].Score {
					t.Errorf("%d: not in order", i)
				}
			}
			thinned(t, found, 0.5)
		}
	})
}
