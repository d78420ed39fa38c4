package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/deploy/config"
)

func TestBadLintFlags(t *testing.T) {
	good := lintFlags{images: "i", labels: "l", format: "voc", models: []string{"m.onnx"}, out: "o.jsonl", minScore: 0.5, jobs: 1}
	cfg := config.Default()
	if err := good.check(cfg); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*lintFlags){
		"--images is required":                       func(l *lintFlags) { l.images = "" },
		"--labels is required":                       func(l *lintFlags) { l.labels = "" },
		`--format "xml": want yolo, voc, coco`:       func(l *lintFlags) { l.format = "xml" },
		"--model is required":                        func(l *lintFlags) { l.models = nil },
		`--model "m.onnx,": a name is missing`:       func(l *lintFlags) { l.models = []string{"m.onnx", ""} },
		"--out is required":                          func(l *lintFlags) { l.out = "" },
		"--out and --html are both o.jsonl":          func(l *lintFlags) { l.html = "o.jsonl" },
		"--min-score 0: must be above 0":             func(l *lintFlags) { l.minScore = 0 },
		"--min-score 1.5: must be above 0 and at mo": func(l *lintFlags) { l.minScore = 1.5 },
		"--jobs 0: want at least 1":                  func(l *lintFlags) { l.jobs = 0 },
	} {
		bad := good
		change(&bad)
		if err := bad.check(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestLintClasses(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.names": "cat\ndog\n", "b.yaml": "names: [cat, dog]\n", "c.yml": "names: {0: cat, 1: dog}\n"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := lintClasses(path); err != nil || !slices.Equal(got, []string{"cat", "dog"}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := lintClasses(filepath.Join(dir, "none.yaml")); err == nil {
		t.Error("a file that is not there was read")
	}
}
