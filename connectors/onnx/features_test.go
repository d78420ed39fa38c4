package onnx_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"gleaner/connectors/onnx"
	"gleaner/deploy/e2e/realdata"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func loadFeatures(t *testing.T, path, layer string) *onnx.Session {
	t.Helper()
	s, err := open(t).LoadFeatures(path, read(t, path), layer, onnx.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestLoadFeatures checks that the same detections come as without features, and with them what the layer makes, whose name and
// place in the graph testdata/models.py says.
func TestLoadFeatures(t *testing.T) {
	plain, auto, named := load(t, "testdata/detector.onnx"), loadFeatures(t, "testdata/detector.onnx", ""), loadFeatures(t, "testdata/detector.onnx", "c3")
	if plain.SHA256() != auto.SHA256() {
		t.Error("the digest is not the file's")
	}
	if got := auto.Outputs()[1].String(); len(auto.Outputs()) != 2 || got != "p5 float32[1,6,2,3]" {
		t.Errorf("features %s", got)
	}
	if got := named.Outputs()[1].String(); got != "c3 float32[1,4,8,12]" {
		t.Errorf("features %s", got)
	}
	run := func(s *onnx.Session) (out [][]float32) {
		err := s.Run(t.Context(), func(in [][]float32) error {
			for i := range in[0] {
				in[0][i] = float32(i*i%97) / 97
			}
			return nil
		}, func(o [][]float32) error {
			for _, v := range o {
				out = append(out, slices.Clone(v))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want, got, c3 := run(plain), run(auto), run(named)
	if !slices.Equal(want[0], got[0]) || !slices.Equal(want[0], c3[0]) {
		t.Error("other detections with features than without")
	}
	if slices.Max(got[1]) <= 0 || slices.Min(c3[1]) < 0 || slices.Max(c3[1]) <= 0 {
		t.Errorf("features %v and, after a rectifier, %v", got[1], c3[1])
	}
}

// TestFeaturesOfOpenGraphs: a graph of half precision that leaves its batch and its images' sides open has features too.
func TestFeaturesOfOpenGraphs(t *testing.T) {
	cfg := onnx.DefaultConfig()
	cfg.Width, cfg.Height = 48, 32
	s, err := open(t).LoadFeatures("half", read(t, "testdata/half.onnx"), "", cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if y, c3 := s.Outputs()[0].String(), s.Outputs()[1].String(); y != "y float16[1,4]" || c3 != "c3 float16[1,4,4,6]" {
		t.Fatalf("%s, %s", y, c3)
	}
	err = s.Run(t.Context(), func(in [][]float32) error {
		for i := range in[0] {
			in[0][i] = 1
		}
		return nil
	}, func(out [][]float32) error {
		if !slices.Equal(out[0], []float32{3, 3, 3, 3}) || out[1][0] != 3 || len(out[1]) != 4*4*6 {
			t.Errorf("%v", out)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestLoadFeaturesRefusals(t *testing.T) {
	model := read(t, "testdata/detector.onnx")
	for name, c := range map[string]struct {
		model []byte
		layer string
		want  string
	}{
		"unknown":     {model, "p6", `no such feature map: layer "p6" is none of the feature maps within the graph; some of them, the last first: stem_p5 float32[1,5,2,3], stem_c3 float32[1,5,8,12], p5 float32[1,6,2,3], twice`},
		"no map":      {model, "rows_p5", `no such feature map: layer "rows_p5" is none`},
		"integers":    {model, "shape", `no such feature map: layer "shape" is none`},
		"an output":   {model, "y", `no such feature map: layer "y" is none`},
		"no maps":     {read(t, "testdata/affine.onnx"), "", onnx.ErrNoFeatures.Error()},
		"truncated":   {model[:len(model)/2], "", "not a model"},
		"no protobuf": {[]byte("<html>"), "", "not a model"},
		"empty":       {nil, "", "not a model that this runtime can load: it has no graph"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t).LoadFeatures("m", c.model, c.layer, onnx.DefaultConfig())
			if err == nil || !strings.HasPrefix(err.Error(), "onnx model m: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if errors.Is(err, onnx.ErrNoFeatures) != (name == "no maps") || errors.Is(err, onnx.ErrNoLayer) != (c.layer != "") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestFeaturesOfRealModels names the layers that are chosen: the last of the path aggregation, of the backbone, of the backbone.
func TestFeaturesOfRealModels(t *testing.T) {
	for file, want := range map[string]string{
		"yolox_nano.onnx": "1024 float32[1,256,13,13]", "FastestDet.onnx": "input.504 float32[1,192,11,11]", "nanodet.onnx": "690 float32[1,464,10,10]",
	} {
		outs := loadFeatures(t, realdata.Need(t, "models", file), "").Outputs()
		if got := outs[len(outs)-1].String(); got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
}
