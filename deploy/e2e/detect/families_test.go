package detect

import (
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gleaner/connectors/onnx"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
)

// session loads one of the graphs that testdata/families.py writes.
func session(tb testing.TB, name string, cfg onnx.Config) *onnx.Session {
	tb.Helper()
	rt, err := onnx.Open()
	if err != nil {
		tb.Fatal(err)
	}
	defer rt.Close()
	s, err := rt.Load(filepath.Join("testdata", "families", name+".onnx"), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// ways are how a photo of 64 by 64 pixels lies in an input of 64 by 32.
var ways = map[schemas.Resize]struct{ left, perX, perY float32 }{
	schemas.ResizeLetterbox:       {0, 2, 2},
	schemas.ResizeLetterboxCenter: {16, 2, 2},
	schemas.ResizeStretch:         {0, 1, 2},
}

// TestFamilies recognizes a graph of each family and has it find the same two objects; testdata/families.py says where.
func TestFamilies(t *testing.T) {
	rgb, bgr := schemas.ChannelsRGB, schemas.ChannelsBGR
	levels, shares := [3]float32{10, 100, 200}, [3]float32{10. / 255, 100. / 255, 200. / 255}
	imageNet := [3]float32{(10 - 123.675) / 58.395, (100 - 116.28) / 57.12, (200 - 103.53) / 57.375}
	cat, dog := geometry.Box{X1: 18, Y1: 4, X2: 26, Y2: 20}, geometry.Box{X1: 20, Y1: 8, X2: 30, Y2: 28}
	whole, beside := geometry.Box{X2: 64, Y2: 32}, geometry.Box{X1: 28, Y1: 8, X2: 30, Y2: 28}
	for _, c := range []struct {
		graph, decoder string
		resize         schemas.Resize
		channels       schemas.ChannelOrder
		input          [3]float32 // of a photo of the color 10, 100, 200
		cat, dog       geometry.Box
		spec           schemas.Decode
	}{
		{"yolox", "yolox", schemas.ResizeLetterbox, bgr, [3]float32{200, 100, 10}, cat, dog, schemas.Decode{}},
		{"yolov5", "yolov5", schemas.ResizeLetterboxCenter, rgb, shares, cat, dog, schemas.Decode{}},
		{"yolov6", "yolov5", schemas.ResizeLetterboxCenter, rgb, shares, cat, dog, schemas.Decode{}},
		{"yolov6", "yolov5", schemas.ResizeLetterbox, bgr, [3]float32{200, 100, 10}, cat, dog, schemas.Decode{Decoder: "yolov5", Input: schemas.DecodeInput{
			Resize: schemas.ResizeLetterbox, Channels: bgr, Std: []float32{1, 1, 1}, // YOLOX decoded in the graph
		}}},
		{"yolov8", "yolov8", schemas.ResizeLetterboxCenter, rgb, shares, cat, dog, schemas.Decode{}},
		{"yolov8", "yolov8", schemas.ResizeStretch, rgb, shares, cat, dog, schemas.Decode{Input: schemas.DecodeInput{Resize: schemas.ResizeStretch}}},
		{"yolov8_open", "yolov8", schemas.ResizeLetterboxCenter, rgb, shares, cat, dog, schemas.Decode{Input: schemas.DecodeInput{Width: 64, Height: 32}}},
		{"yolov8_segment", "yolov8", schemas.ResizeLetterboxCenter, rgb, shares, cat, dog, schemas.Decode{}},
		{"yolov8_nms", "yolov8-nms", schemas.ResizeLetterboxCenter, rgb, shares, cat, dog, schemas.Decode{}},
		{"fastestdet", "fastestdet", schemas.ResizeStretch, bgr, [3]float32{shares[2], shares[1], shares[0]}, cat, dog, schemas.Decode{}},
		{"nanodet", "nanodet", schemas.ResizeLetterboxCenter, bgr, [3]float32{imageNet[2], imageNet[1], imageNet[0]}, cat, dog, schemas.Decode{}},
		{"nanodet_plus", "nanodet", schemas.ResizeLetterboxCenter, bgr, [3]float32{imageNet[2], imageNet[1], imageNet[0]}, cat, dog, schemas.Decode{}},
		{"detr", "detr", schemas.ResizeStretch, rgb, imageNet, cat, dog, schemas.Decode{}},
		{"rtdetr", "detr", schemas.ResizeStretch, rgb, shares, cat, dog, schemas.Decode{}},
		{"rtdetr_one", "detr", schemas.ResizeStretch, rgb, shares, cat, dog, schemas.Decode{}},
		{"rtdetr_decoded", "boxes", schemas.ResizeStretch, rgb, shares, cat, dog, schemas.Decode{}},
		{"ssd", "boxes", schemas.ResizeStretch, rgb, shares, cat, dog, schemas.Decode{}},
		{"tensorflow", "boxes", schemas.ResizeStretch, rgb, levels, cat, dog, schemas.Decode{}},
		{"torchvision", "boxes", schemas.ResizeStretch, rgb, shares, cat, dog, schemas.Decode{}},
		{"mmdetection", "boxes", schemas.ResizeStretch, rgb, shares, cat, dog, schemas.Decode{}},
		{"classifier", "classifier", schemas.ResizeStretch, rgb, imageNet, whole, whole, schemas.Decode{}},
		{"segmenter", "segmenter", schemas.ResizeStretch, rgb, imageNet, cat, beside, schemas.Decode{}},
		{"labels", "segmenter", schemas.ResizeStretch, rgb, imageNet, cat, beside, schemas.Decode{Background: schemas.BackgroundFirst}},
	} {
		t.Run(c.graph, func(t *testing.T) {
			cfg := onnx.DefaultConfig()
			cfg.Width, cfg.Height = c.spec.Input.Width, c.spec.Input.Height
			s := &recorder{Session: session(t, c.graph, cfg)}
			d, err := prelabel.Recognize(s, "m@1", []string{"cat", "dog"}, c.spec)
			if err != nil {
				t.Fatal(err)
			}
			decode := d.Model().Decode
			if decode.Decoder != c.decoder || decode.Input.Resize != c.resize || decode.Input.Channels != c.channels || c.spec.Decoder == "" && decode.Why == "" {
				t.Fatalf("%+v", decode)
			}
			t.Log(decode.Decoder, "since", decode.Why)
			want := []schemas.Object{{Class: "cat", Box: c.cat, Score: 0.8}, {Class: "dog", Box: c.dog, Score: 0.6}}
			switch c.graph {
			case "classifier":
				want[1].Score = 0.2
			case "labels":
				want[0].Score, want[1].Score = 1, 1
			}
			found := detect(t, s, d, c.input)
			same(t, found, want, c.resize)
			again, err := prelabel.Recognize(s, "m@1", []string{"cat", "dog"}, decode)
			if err != nil {
				t.Fatal(err)
			}
			if got := again.Model().Decode; !reflect.DeepEqual(got, decode) {
				t.Errorf("read again as %+v, was %+v", got, decode)
			}
			if got := detect(t, s, again, c.input); !reflect.DeepEqual(got, found) {
				t.Errorf("found %v, then %v", found, got)
			}
			one, err := d.Embed(t.Context(), solid(64, 64))
			if err != nil || len(one) == 0 {
				t.Fatalf("%v, %v", one, err)
			}
			if two, err := d.Embed(t.Context(), solid(20, 50)); err != nil || len(two) != len(one) {
				t.Errorf("%d numbers, then %d: %v", len(one), len(two), err)
			}
		})
	}
}

func solid(w, h int) *pixels.Image {
	img := &pixels.Image{W: w, H: h}
	for range w * h {
		img.Pix = append(img.Pix, 10, 100, 200)
	}
	return img
}

// detect also checks what the middle of the input holds.
func detect(t *testing.T, s *recorder, d prelabel.Detector, input [3]float32) []schemas.Object {
	t.Helper()
	found, err := d.Detect(t.Context(), solid(64, 64), 0.05)
	if err != nil {
		t.Fatal(err)
	}
	const w, h = 64, 32
	step, at := w*h, h/2*w+24
	if shape := s.Inputs()[0].Shape; shape[len(shape)-1] == 3 {
		step, at = 1, 3*at
	}
	for c, want := range input {
		if got := s.input[at+c*step]; !(math.Abs(float64(got-want)) < 1e-4*math.Abs(float64(want))+1e-6) {
			t.Errorf("channel %d holds %g, want %g", c, got, want)
		}
	}
	return found
}

// same compares with boxes in pixels of the input, as they come back in a photo of 64 by 64.
func same(t *testing.T, found, want []schemas.Object, resize schemas.Resize) {
	t.Helper()
	if len(found) != len(want) {
		t.Fatalf("found %+v", found)
	}
	for i, w := range want {
		way := ways[resize]
		box := geometry.Box{X1: (w.Box.X1 - way.left) * way.perX, Y1: w.Box.Y1 * way.perY, X2: (w.Box.X2 - way.left) * way.perX, Y2: w.Box.Y2 * way.perY}
		got := found[i]
		far := max(got.Box.X1-box.X1, box.X1-got.Box.X1, got.Box.Y1-box.Y1, box.Y1-got.Box.Y1, got.Box.X2-box.X2, box.X2-got.Box.X2, got.Box.Y2-box.Y2, box.Y2-got.Box.Y2)
		if got.Class != w.Class || got.Source != "m@1" || !(math.Abs(float64(got.Score-w.Score)) < 1e-5) || !(far < 1e-3) {
			t.Errorf("%+v, want %s %g %v", got, w.Class, w.Score, box)
		}
	}
}

// TestRecognitionErrors asks for what cannot be.
func TestRecognitionErrors(t *testing.T) {
	two := []string{"cat", "dog"}
	for _, c := range []struct {
		graph   string
		classes []string
		spec    schemas.Decode
		want    []string
	}{
		{"yolox", two[:1], schemas.Decode{}, []string{"as yolox it tells 2 classes apart but the list of names has 1"}},
		{"yolox", two, schemas.Decode{Decoder: "detr"}, []string{"decoder detr does not fit", "outputs seen: output float32[1,42,7]"}},
		{"yolox", two, schemas.Decode{Decoder: "yolov9"}, []string{`"yolov9" is not known`, "yolov8-nms"}},
		{"yolox", two, schemas.Decode{Input: schemas.DecodeInput{Resize: "crop"}}, []string{"input.resize"}},
		{"yolox", two, schemas.Decode{Input: schemas.DecodeInput{Width: 640, Height: 640}}, []string{"fixed at 64x32 pixels", "640x640"}},
		{"mmdetection", two[:1], schemas.Decode{}, nil},
		{"rtdetr_decoded", two, schemas.Decode{Outputs: schemas.DecodeOutputs{Boxes: "dets"}}, []string{`outputs.boxes: no output is named "dets"`}},
	} {
		_, err := prelabel.Recognize(session(t, c.graph, onnx.DefaultConfig()), "m@1", c.classes, c.spec)
		for _, part := range c.want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, want %q", c.graph, err, part)
			}
		}
		if c.want == nil && err != nil {
			t.Errorf("%s: %v", c.graph, err)
		}
	}
	d, err := prelabel.Recognize(session(t, "mmdetection", onnx.DefaultConfig()), "m@1", two[:1], schemas.Decode{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Detect(t.Context(), solid(64, 64), 0.05); err == nil || !strings.Contains(err.Error(), "label 1, but the list of names has 1") {
		t.Errorf("a label without a name: %v", err)
	}
}
