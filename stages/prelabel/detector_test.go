package prelabel

import (
	"context"
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gleaner/schemas"
	"gleaner/stages/pixels"
)

// tensorSession answers every run with given output tensors.
type tensorSession struct {
	in, out []schemas.TensorSpec
	outputs [][]float32
}

func (s *tensorSession) Inputs() []schemas.TensorSpec  { return s.in }
func (s *tensorSession) Outputs() []schemas.TensorSpec { return s.out }
func (s *tensorSession) SHA256() schemas.Hash          { return schemas.Hash{1} }
func (s *tensorSession) Run(_ context.Context, fill, use func([][]float32) error) error {
	var in [][]float32
	for _, spec := range s.in {
		in = append(in, make([]float32, size(spec.Shape)))
	}
	if err := fill(in); err != nil {
		return err
	}
	return use(s.outputs)
}

// size counts what varies as 3.
func size(shape []int64) int {
	n := int64(1)
	for _, d := range shape {
		if d < 0 {
			d = 3
		}
		n *= d
	}
	return int(n)
}

// graphOf has outputs named a, b, c, …
func graphOf(in []int64, outs ...[]int64) *tensorSession {
	s := &tensorSession{in: []schemas.TensorSpec{{Name: "images", Type: "float32", Shape: in}}}
	for i, out := range outs {
		s.out = append(s.out, schemas.TensorSpec{Name: string(rune('a' + i)), Type: "float32", Shape: out})
		s.outputs = append(s.outputs, make([]float32, size(out)))
	}
	return s
}

// integers makes the last output one of them.
func (s *tensorSession) integers() *tensorSession {
	s.out[len(s.out)-1].Type = "int64"
	return s
}

// holding sets all numbers of the last output.
func (s *tensorSession) holding(v float32) *tensorSession {
	for i := range s.outputs[len(s.outputs)-1] {
		s.outputs[len(s.outputs)-1][i] = v
	}
	return s
}

// rows lets the first output, which varies, come with n of them.
func (s *tensorSession) rows(n int) *tensorSession {
	s.outputs[0] = s.outputs[0][:len(s.outputs[0])/3*n]
	return s
}

// small is 64 pixels high and 32 wide: 42 cells of strides 8, 16 and 32.
var small = []int64{1, 3, 64, 32}

// TestRecognize tells graphs apart by their shapes; deploy/e2e/detect does it with the runtime, and values.
func TestRecognize(t *testing.T) {
	two := []string{"cat", "dog"}
	nano := [][]int64{{32, 2}, {32, 32}, {8, 2}, {8, 32}, {2, 2}, {2, 32}}
	for _, c := range []struct {
		name    string
		session *tensorSession
		id      string
		classes []string
		want    string // the decoder, or a part of the error
	}{
		{"yolox", graphOf(small, []int64{1, 42, 7}), "m@1", two, "yolox"},
		{"yolox at 416", graphOf([]int64{1, 3, 416, 416}, []int64{1, 3549, 7}), "m@1", two, "yolox"},
		{"yolov5", graphOf(small, []int64{1, 126, 7}), "m@1", two, "yolov5"},
		{"yolov5 with its planes", graphOf(small, []int64{1, 126, 7}, []int64{1, 3, 8, 4, 7}, []int64{1, 3, 4, 2, 7}), "m@1", two, "yolov5"},
		{"yolov5 of four strides", graphOf([]int64{1, 3, 64, 64}, []int64{1, 3 * 85, 7}), "m@1", two, "yolov5"},
		{"yolov8", graphOf(small, []int64{1, 6, 42}), "m@1", two, "yolov8"},
		{"yolov8 at 640", graphOf([]int64{1, 3, 640, 640}, []int64{1, 84, 8400}), "m@1", slices.Repeat(two, 40), "yolov8"},
		{"yolov8 with masks", graphOf(small, []int64{1, 38, 42}, []int64{1, 32, 16, 8}), "m@1", two, "yolov8"},
		{"yolov8 with suppression", graphOf(small, []int64{1, 300, 6}), "m@1", two, "yolov8-nms"},
		{"rows that vary", graphOf(small, []int64{-1, 6}), "m@1", two, "yolov8-nms"},
		{"fastestdet", graphOf(small, []int64{1, 7, 4, 2}), "m@1", two, "fastestdet"},
		{"nanodet", graphOf(small, nano...), "m@1", two, "nanodet"},
		{"nanodet in any order", graphOf(small, nano[3], nano[0], nano[5], nano[4], nano[1], nano[2]), "m@1", two, "nanodet"},
		{"nanodet in one, of as many cells as yolox", graphOf(small, []int64{1, 42, 34}), "m@1", two, "nanodet"},
		{"yolox of 29 classes", graphOf(small, []int64{1, 42, 34}), "m@1", slices.Repeat(two, 15)[1:], "yolox"},
		{"nanodet-plus", graphOf([]int64{1, 3, 416, 416}, []int64{1, 3598, 34}), "m@1", two, "nanodet"},
		{"detr", graphOf(small, []int64{1, 9, 4}, []int64{1, 9, 3}).holding(-1), "m@1", two, "detr"},
		{"rt-detr", graphOf(small, []int64{1, 9, 4}, []int64{1, 9, 2}).holding(-1), "m@1", two, "detr"},
		{"rt-detr in one", graphOf(small, []int64{1, 300, 7}), "m@1", []string{"a", "b", "c"}, "detr"},
		{"boxes and probabilities", graphOf(small, []int64{1, 9, 4}, []int64{1, 9, 2}), "m@1", two, "boxes"},
		{"boxes of more than queries", graphOf(small, []int64{1, 3000, 4}, []int64{1, 3000, 3}), "m@1", two, "boxes"},
		{"boxes, scores and labels", graphOf(small, []int64{-1, 4}, []int64{-1}, []int64{-1}).integers(), "m@1", two, "boxes"},
		{"boxes with scores, and labels", graphOf(small, []int64{1, -1, 5}, []int64{1, -1}).integers(), "m@1", two, "boxes"},
		{"two lists", graphOf(small, []int64{1, 9, 4}, []int64{1, 9}, []int64{1, 9}), "m@1", two, "b float32[1,9] and c float32[1,9] may both hold the labels: a decode file (--decode) has to say outputs: {labels: \"b\"} or outputs: {labels: \"c\"}"},
		{"two of boxes", graphOf(small, []int64{1, 9, 4}, []int64{1, 8, 4}, []int64{1, 9, 2}, []int64{1, 8, 2}), "m@1", two, "may both hold the boxes"},
		{"offsets to anchors", graphOf(small, []int64{1, 3000, 2}, []int64{1, 3000, 4}).wavering(), "m@1", two, "neither corners nor centers"},
		{"a classifier", graphOf(small, []int64{1, 2}), "m@1", two, "classifier"},
		{"a classifier that pools", graphOf(small, []int64{1, 2, 1, 1}), "m@1", two, "classifier"},
		{"a segmenter", graphOf(small, []int64{1, 2, 16, 8}), "m@1", two, "segmenter"},
		{"a segmenter with a background", graphOf(small, []int64{1, 3, 64, 32}), "m@1", two, "segmenter"},
		{"labels of pixels", graphOf(small, []int64{1, 64, 32}).integers(), "m@1", two, "segmenter"},
		{"one row of a number that varies", graphOf(small, []int64{-1, 7}).rows(1), "m@1", slices.Repeat(two, 4)[1:], "no decoder fits"},
		{"channels last", graphOf([]int64{1, 64, 32, 3}, []int64{1, 2}), "m@1", two, "classifier"},
		{"a classifier of too many", graphOf(small, []int64{1, 1000}), "m@1", two, "as classifier it tells 1000 classes apart but the list of names has 2 (names of its own belong into a *.names file beside it); inputs seen: images float32[1,3,64,32]; outputs seen: a float32[1,1000]"},
		{"nothing known", graphOf(small, []int64{1, 2, 3, 4, 5}), "m@1", two, "no decoder fits; inputs seen: images float32[1,3,64,32]; outputs seen: a float32[1,2,3,4,5]; known:\n  yolox       1,A,5+C"},
		{"wrong input", graphOf([]int64{1, 42}, []int64{1, 42, 7}), "m@1", two, "images float32[1,42] is neither an image"},
		{"one channel", graphOf([]int64{1, 1, 64, 32}, []int64{1, 42, 7}), "m@1", two, "neither an image"},
		{"two images", graphOf([]int64{2, 3, 64, 32}, []int64{2, 42, 7}), "m@1", two, "neither an image"},
		{"side not a multiple of 32", graphOf([]int64{1, 3, 40, 40}, []int64{1, 30, 7}), "m@1", two, "no decoder"},
		{"no classes", graphOf(small, []int64{1, 42, 5}), "m@1", nil, "no decoder"},
		{"too few names", graphOf(small, []int64{1, 42, 7}), "m@1", two[:1], "tells 2 classes apart but the list of names has 1"},
		{"nanodet of other names", graphOf(small, []int64{1, 32, 2}, []int64{1, 8, 2}, []int64{1, 2, 2}, []int64{1, 32, 32}, []int64{1, 8, 32}, []int64{1, 2, 32}), "m@1", []string{"a", "b", "c"}, "as nanodet it tells 2 classes apart but the list of names has 3"},
		{"no version", graphOf(small, []int64{1, 42, 7}), "m", two, "want name@version"},
	} {
		d, err := Recognize(c.session, c.id, c.classes, schemas.Decode{})
		var got string
		if err != nil {
			got = err.Error()
		} else {
			got = d.Model().Decode.Decoder
		}
		if err == nil && got != c.want || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// wavering lets the numbers of the last output swing about 0.
func (s *tensorSession) wavering() *tensorSession {
	last := s.outputs[len(s.outputs)-1]
	for i := range last {
		last[i] = float32(i%3 - 1)
	}
	return s
}

// TestNamedOutputs lets a spec say what shapes do not, and what they deny.
func TestNamedOutputs(t *testing.T) {
	shapes := [][]int64{{1, 9, 4}, {1, 9}, {1, 9}, {1, 8, 4}, {1, 9, 4}}
	for _, c := range []struct {
		outputs schemas.DecodeOutputs
		want    string // part of the error
	}{
		{schemas.DecodeOutputs{Boxes: "a", Scores: "e"}, "tells 4 classes apart"},
		{schemas.DecodeOutputs{Boxes: "a", Scores: "b", Labels: "c"}, ""},
		{schemas.DecodeOutputs{Boxes: "a", Scores: "b"}, ""},
		{schemas.DecodeOutputs{Scores: "b", Labels: "c"}, "may both hold the boxes"},
		{schemas.DecodeOutputs{Boxes: "b", Scores: "c"}, "b float32[1,9] is no list of boxes"},
		{schemas.DecodeOutputs{Boxes: "a", Scores: "d"}, "d float32[1,8,4] is no list of scores for a float32[1,9,4]"},
		{schemas.DecodeOutputs{Boxes: "a", Scores: "b", Labels: "d"}, "d float32[1,8,4] is no list of labels"},
		{schemas.DecodeOutputs{Boxes: "a", Scores: "z"}, `outputs.scores: no output is named "z"`},
	} {
		d, err := Recognize(graphOf(small, shapes...), "m@1", []string{"cat", "dog"}, schemas.Decode{Decoder: "boxes", Outputs: c.outputs})
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: %v, want %q", c.outputs, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%+v: %v", c.outputs, err)
		} else if got := d.Model().Decode.Outputs; got.Boxes != "a" || got.Scores != "b" || got.Labels != "c" {
			t.Errorf("%+v became %+v", c.outputs, got)
		}
	}
}

// TestUselessParts refuses what a spec says and a decoder does not ask for; none is what it does anyway. What was registered with
// such parts is recognized all the same.
func TestUselessParts(t *testing.T) {
	cells := graphOf(small, []int64{1, 42, 7})
	labeled := graphOf(small, []int64{-1, 4}, []int64{-1}, []int64{-1}).integers()
	for _, c := range []struct {
		session *tensorSession
		spec    schemas.Decode
		want    string // the error after "decode: "
	}{
		{cells, schemas.Decode{Activation: schemas.ActivationNone, Background: schemas.BackgroundNone, Strides: []int{8, 16, 32}}, ""},
		{cells, schemas.Decode{Activation: schemas.ActivationSigmoid}, "activation: decoder yolox has no use for it"},
		{cells, schemas.Decode{Decoder: "yolox", Background: schemas.BackgroundFirst}, "background: decoder yolox has no use for it"},
		{cells, schemas.Decode{Boxes: schemas.BoxXYXY}, "boxes: decoder yolox has no use for it"},
		{cells, schemas.Decode{Decoder: "yolox", Unit: schemas.UnitNormalized}, "unit: decoder yolox has no use for it"},
		{
			graphOf(small, []int64{1, 9, 4}, []int64{1, 9, 2}),
			schemas.Decode{Decoder: "boxes", Outputs: schemas.DecodeOutputs{Predictions: "a"}},
			"outputs.predictions: decoder boxes has no use for it",
		},
		{labeled, schemas.Decode{Activation: schemas.ActivationSigmoid}, ""},
		{labeled, schemas.Decode{Activation: schemas.ActivationSoftmax}, "activation: softmax is over the scores of all classes, and beside labels there is one"},
	} {
		d, err := Recognize(c.session, "m@1", []string{"cat", "dog"}, c.spec)
		if err != nil {
			t.Errorf("%+v: %v", c.spec, err)
			continue
		}
		if err = CheckDecode(c.spec, d.Model().Decode); (err != nil) != (c.want != "") || err != nil && err.Error() != "decode: "+c.want {
			t.Errorf("%+v: %v, want %q", c.spec, err, c.want)
		}
	}
}

// TestNothingOnTrial: class scores without rows tell no activation.
func TestNothingOnTrial(t *testing.T) {
	s := graphOf(small, []int64{1, -1, 4}, []int64{1, -1, 2})
	for i := range s.outputs {
		s.outputs[i] = nil
	}
	_, err := Recognize(s, "m@1", []string{"cat", "dog"}, schemas.Decode{})
	if err == nil || !strings.Contains(err.Error(), "whether b float32[1,?,2] holds probabilities: say the activation") {
		t.Errorf("%v", err)
	}
	d, err := Recognize(s, "m@1", []string{"cat", "dog"}, schemas.Decode{Activation: schemas.ActivationSigmoid})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Model().Decode; got.Decoder != "boxes" || got.Activation != schemas.ActivationSigmoid {
		t.Errorf("%+v", got)
	}
}

// TestLabelsBeyondNames: pixels of label 255 belong to no class; others without a name are an error.
func TestLabelsBeyondNames(t *testing.T) {
	s := graphOf(small, []int64{1, 64, 32}).integers()
	d, err := Recognize(s, "m@1", []string{"cat", "dog"}, schemas.Decode{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := d.Detect(t.Context(), noise(10, 10, 1), 0.05)
	if err != nil || len(found) != 1 || found[0].Class != "cat" {
		t.Errorf("%v, %v", found, err)
	}
	s.holding(255)
	if found, err = d.Detect(t.Context(), noise(10, 10, 1), 0.05); err != nil || len(found) != 0 {
		t.Errorf("%v, %v", found, err)
	}
	s.holding(2)
	if _, err = d.Detect(t.Context(), noise(10, 10, 1), 0.05); err == nil || !strings.Contains(err.Error(), "label 2, but the list of names has 2") {
		t.Errorf("%v", err)
	}
}

// TestLogitsBesideBoxes: class numbers of more boxes than there are queries are logits where they are no probabilities.
func TestLogitsBesideBoxes(t *testing.T) {
	const n = 3000
	for _, c := range []struct {
		classes    int64
		activation schemas.Activation
		score      float64 // of the numbers -4 and 2
	}{
		{2, schemas.ActivationSigmoid, 1 / (1 + math.Exp(-2))},
		{3, schemas.ActivationSoftmax, math.Exp(2) / (math.Exp(2) + 2*math.Exp(-4))},
	} {
		s := graphOf(small, []int64{1, n, 4}, []int64{1, n, c.classes}).holding(-4)
		d, err := Recognize(s, "m@1", []string{"cat", "dog"}, schemas.Decode{})
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Model().Decode; got.Decoder != "boxes" || got.Activation != c.activation {
			t.Errorf("%d class numbers are read as %+v", c.classes, got)
		}
		copy(s.outputs[0][4*7:], []float32{8, 16, 24, 48})
		s.outputs[1][8*c.classes-1] = 2
		found, err := d.Detect(t.Context(), noise(32, 64, 1), 0.5)
		if err != nil || len(found) != 1 || found[0].Class != "dog" || !(math.Abs(float64(found[0].Score)-c.score) < 1e-5) {
			t.Errorf("found %+v, %v, want a dog of %g", found, err, c.score)
		}
	}
}

// TestRegionsBelowZero: a region whose numbers are no probabilities takes no other with it, and masks that are independent
// of each other have pixels of no class.
func TestRegionsBelowZero(t *testing.T) {
	for _, c := range []struct {
		activation schemas.Activation
		score      float32
	}{{schemas.ActivationNone, 0.75}, {schemas.ActivationSigmoid, sigmoid(0.75)}} {
		s := graphOf(small, []int64{1, 2, 64, 32}).holding(-1)
		for i := range 8 * 32 {
			s.outputs[0][64*32+i] = 0.75 // the dog
		}
		d, err := Recognize(s, "m@1", []string{"cat", "dog"}, schemas.Decode{Activation: c.activation})
		if err != nil {
			t.Fatal(err)
		}
		found, err := d.Detect(t.Context(), noise(32, 64, 1), 0.05)
		if err != nil || len(found) != 1 || found[0].Class != "dog" || found[0].Box.Y2 != 8 || found[0].Score != c.score {
			t.Errorf("%s: found %+v, %v", c.activation, found, err)
		}
	}
}

// TestOutputsOfOtherLengths: a decoder of cells refuses what is not as it was recognized.
func TestOutputsOfOtherLengths(t *testing.T) {
	s := graphOf(small, []int64{1, 42, 7})
	d, err := Recognize(s, "m@1", []string{"cat", "dog"}, schemas.Decode{})
	if err != nil {
		t.Fatal(err)
	}
	s.outputs[0] = s.outputs[0][:7]
	if _, err := d.Detect(t.Context(), noise(10, 10, 1), 0.05); err == nil || !strings.Contains(err.Error(), "came with 7 numbers, and with 294 when it was recognized") {
		t.Errorf("%v", err)
	}
}

// hostile are graphs of every decoder.
func hostile() map[string][]*tensorSession {
	return map[string][]*tensorSession{
		"yolox":      {graphOf(small, []int64{1, 42, 7})},
		"yolov5":     {graphOf(small, []int64{1, -1, 7})},
		"yolov8":     {graphOf(small, []int64{1, 6, -1})},
		"yolov8-nms": {graphOf(small, []int64{-1, 6})},
		"fastestdet": {graphOf(small, []int64{1, 7, 4, 2})},
		"nanodet": {
			graphOf(small, []int64{32, 2}, []int64{32, 32}, []int64{8, 2}, []int64{8, 32}, []int64{2, 2}, []int64{2, 32}),
			graphOf(small, []int64{1, 42, 34}),
		},
		"detr": {graphOf(small, []int64{1, 9, 4}, []int64{1, 9, 3})},
		"boxes": {
			graphOf(small, []int64{1, 9, 4}, []int64{1, 9, 3}),
			graphOf(small, []int64{-1, 4}, []int64{-1}, []int64{-1}).integers(),
			graphOf(small, []int64{1, -1, 5}, []int64{1, -1}).integers(),
		},
		"classifier": {graphOf(small, []int64{1, 2})},
		"segmenter":  {graphOf(small, []int64{1, 3, 16, 8}), graphOf(small, []int64{1, 16, 8}).integers()},
	}
}

// fill puts data, again and again, into the outputs; those that vary come in any length.
func (s *tensorSession) fill(data []byte) {
	for i, spec := range s.out {
		s.outputs[i] = s.outputs[i][:size(spec.Shape)]
		for j := range s.outputs[i] {
			s.outputs[i][j] = math.Float32frombits(binary.LittleEndian.Uint32(data[j*4%(len(data)&^3):]))
		}
		if slices.Contains(spec.Shape, -1) {
			s.outputs[i] = s.outputs[i][:len(data)%(len(s.outputs[i])+1)]
		}
	}
}

// addTensors seeds a fuzz test with tensors, of at least one number, and sizes of images.
func addTensors(f *testing.F) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, values := range [][]float32{
		{0.5, -0.5, 0, 0, 0.8, 0.1, 0.5},
		{nan, inf, -inf, nan, 1, 1, nan},
		{0, 0, inf, inf, inf, inf, 1},
		{1e38, -1e38, 88, -1e9, 3e38, 3e38, -1},
		{0, 1, 2, 1, 0, 1, 1, 255},
	} {
		var b []byte
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		f.Add(b, uint16(63), uint16(127))
		f.Add(append(b, 1, 2), uint16(0), uint16(0))
	}
}

// FuzzDecode gives the decoders tensors of any content: what comes out is finite, within the image, in order and thinned
// as promised.
func FuzzDecode(f *testing.F) {
	addTensors(f)
	type adapted struct {
		session *tensorSession
		Detector
	}
	var all []adapted
	for decoder, sessions := range hostile() {
		for _, s := range sessions {
			d, err := Recognize(s, "m@1", []string{"cat", "dog"}, schemas.Decode{Decoder: decoder})
			if err != nil {
				f.Fatal(err)
			}
			all = append(all, adapted{s, d})
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, w, h uint16) {
		data = append(data, 0, 0, 128, 63)
		w, h = w%512+1, h%512+1
		img := &pixels.Image{W: int(w), H: int(h), Pix: make([]uint8, 3*int(w)*int(h))}
		for _, d := range all {
			decoder := d.Model().Decode.Decoder
			d.session.fill(data)
			found, dense, err := d.DetectDense(t.Context(), img, 0.05, Dense{Floor: 0.01, Max: 40})
			if err != nil && !strings.Contains(err.Error(), "but the list of names has 2") {
				t.Fatalf("%s: %v", decoder, err)
			}
			for i, o := range found {
				if !finite(o.Box) || o.Box.Empty() || o.Box != o.Box.Clip(img.W, img.H) || !(o.Score >= 0.05 && o.Score <= 1) {
					t.Errorf("%s: %dx%d: %+v", decoder, w, h, o)
				}
				if i > 0 && o.Score > found[i-1].Score {
					t.Errorf("%s: %d: not in order", decoder, i)
				}
			}
			thinned(t, found, 0.5)
			sound(t, dense, img.W, img.H)
			if e, err := d.Embed(t.Context(), img); err != nil || len(e) == 0 {
				t.Errorf("%s: %v, %v", decoder, e, err)
			}
		}
	})
}

// FuzzRecognize gives any content to trial runs: what is recognized, or refused, ends in no panic, and in a complete spec.
func FuzzRecognize(f *testing.F) {
	addTensors(f)
	f.Fuzz(func(t *testing.T, data []byte, _, _ uint16) {
		data = append(data, 0, 0, 128, 63)
		for _, sessions := range hostile() {
			for _, s := range sessions {
				s.fill(data)
				d, err := Recognize(s, "m@1", []string{"cat", "dog"}, schemas.Decode{})
				switch {
				case err != nil && !strings.Contains(err.Error(), "outputs seen"):
					t.Error(err)
				case err == nil:
					spec := d.Model().Decode
					again, err := Recognize(s, "m@1", []string{"cat", "dog"}, spec)
					if err != nil || !reflect.DeepEqual(again.Model().Decode, spec) {
						t.Errorf("%+v is read again as %+v, %v", spec, again, err)
					}
				}
			}
		}
	})
}
