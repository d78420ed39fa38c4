// Package detect tests prelabel and lint with real models on real photos: what stages and connectors may not test alone.
package detect

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gleaner/connectors/onnx"
	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
)

// models are the detectors that are tested, by the decoder that must be recognized.
var models = []struct{ file, decoder string }{
	{"yolox_nano.onnx", "yolox"},
	{"FastestDet.onnx", "fastestdet"},
	{"nanodet.onnx", "nanodet"},
}

func load(tb testing.TB, file string) *onnx.Session {
	tb.Helper()
	path := realdata.Need(tb, "models", file)
	rt, err := onnx.Open()
	if err != nil {
		tb.Fatal(err)
	}
	s, err := rt.Load(path, onnx.DefaultConfig())
	if err != nil {
		tb.Fatal(err)
	}
	if err := rt.Close(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func classes(tb testing.TB) []string {
	tb.Helper()
	names, err := prelabel.ReadClasses(realdata.Need(tb, "models", "coco.names"))
	if err != nil {
		tb.Fatal(err)
	}
	return names
}

func recognize(tb testing.TB, s prelabel.Session, file string) prelabel.Detector {
	tb.Helper()
	d, err := prelabel.Recognize(s, prelabel.Config{Model: file, Version: "1"}.ModelID(), classes(tb), schemas.Decode{})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

type photo struct {
	name string
	data []byte
	img  *pixels.Image
}

// photos decodes the first n of coco128's 128 photos.
func photos(tb testing.TB, n int) []photo {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(realdata.Need(tb, "coco128", "images"), "*.jpg"))
	if err != nil || len(files) != 128 {
		tb.Fatalf("%d photos, %v", len(files), err)
	}
	out := make([]photo, n)
	for i, f := range files[:n] {
		data, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		img, _, err := pixels.Decode(data, pixels.DefaultLimits())
		if err != nil {
			tb.Fatal(err)
		}
		out[i] = photo{filepath.Base(f), data, img}
	}
	return out
}

// python returns an interpreter that has testdata/requirements.txt installed: GLEANER_PYTHON, else python3.
func python(tb testing.TB) string {
	tb.Helper()
	exe := os.Getenv("GLEANER_PYTHON")
	if exe == "" {
		exe = "python3"
	}
	if out, err := exec.Command(exe, "-c", "import numpy, onnxruntime, cv2, PIL").CombinedOutput(); err != nil {
		tb.Skipf("SKIPPED, NOT PASSED: %s lacks the packages of %s/testdata/requirements.txt (`make parity` installs them): %v\n%s", exe, "deploy/e2e/detect", err, out)
	}
	return exe
}

// recorder is a session that keeps the last input tensor.
type recorder struct {
	prelabel.Session
	input []float32
}

func (r *recorder) Run(ctx context.Context, fill, use func([][]float32) error) error {
	return r.Session.Run(ctx, func(in [][]float32) error {
		err := fill(in)
		r.input = append(r.input[:0], in[0]...)
		return err
	}, use)
}
