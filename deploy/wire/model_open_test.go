package wire

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"gleaner/deploy/config"
	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
)

// TestOpenModelFaults tells failures that are final from those that another try may mend.
func TestOpenModelFaults(t *testing.T) {
	read := func(path string) []byte {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	yolox, huge := read(realdata.Need(t, "models", "yolox_nano.onnx")), read("../../connectors/onnx/testdata/huge.onnx")
	for name, c := range map[string]struct {
		data   []byte
		set    func(*testing.T, *config.Config)
		reason string // of the fault; empty: there is none
	}{
		"cut short":     {data: yolox[:1000], reason: "corrupt"},
		"other classes": {data: yolox, reason: "no-decoder"},
		"no layer":      {yolox, func(_ *testing.T, c *config.Config) { c.Prelabel.Embeddings.Layers = map[string]string{"m": "none"} }, "no-layer"},
		"out of memory": {huge, func(_ *testing.T, c *config.Config) { c.Prelabel.Embeddings.Enabled = false }, ""},
		"no library": {yolox, func(t *testing.T, _ *config.Config) {
			t.Setenv("GLEANER_ONNXRUNTIME", filepath.Join(t.TempDir(), "gone.so"))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config.Default()
			if c.set != nil {
				c.set(t, &cfg)
			}
			_, err := OpenModel(c.data, schemas.Model{ID: "m@1", Classes: []string{"cat", "dog"}}, cfg, slog.New(slog.DiscardHandler))
			f, final := schemas.AsFault(err)
			if err == nil || final != (c.reason != "") || final && f.Reason != c.reason {
				t.Errorf("%v, want a fault %q", err, c.reason)
			}
		})
	}
}
