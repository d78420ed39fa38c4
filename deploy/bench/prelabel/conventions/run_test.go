package conventions

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"gleaner/connectors/onnx"
	"gleaner/deploy/bench/report"
	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/stages/prelabel"
)

// TestConventionsAreLearned: with real detections, after 100 corrections most of what a made-up rule costs is recovered on images
// that were not learned from, and where there is nothing to learn next to nothing is lost.
func TestConventionsAreLearned(t *testing.T) {
	path := realdata.Need(t, "models", "yolox_nano.onnx")
	names, err := prelabel.ReadClasses(realdata.Need(t, "models", "coco.names"))
	if err != nil {
		t.Fatal(err)
	}
	rt, err := onnx.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	session, err := rt.Load(path, onnx.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	detector, err := prelabel.Recognize(session, "yolox_nano@1", names, schemas.Decode{})
	if err != nil {
		t.Fatal(err)
	}
	data, _ := realdata.Dir()
	var text bytes.Buffer
	svg := filepath.Join(t.TempDir(), "plot.svg")
	results, err := Run(t.Context(), detector, Options{Data: data, Trials: 20, Plot: svg}, &text)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + text.String())
	for _, r := range results {
		if got := report.Median(r.Recovered); got < LeastRecovered {
			t.Errorf("%s: %.2f of what the rule costs is recovered, want %.2f", r.Set, got, LeastRecovered)
		}
		if got := report.Median(r.Lost); got > MostLost {
			t.Errorf("%s: %.4f IoU is lost where there is nothing to learn, want at most %.4f", r.Set, got, MostLost)
		}
	}
	file, err := os.Open(svg)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for d := xml.NewDecoder(file); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the plot is no XML: %v", err)
		}
	}
}
