package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/connectors/native"
	"gleaner/deploy/e2e/realdata"
	"gleaner/deploy/lint"
)

// lintFolder is the current folder, which lint is let loose on.
type lintFolder struct {
	t             *testing.T
	photo, labels string // of a kitchen, with eight objects
}

// newLintFolder has a real model with its classes in models/, and nothing else.
func newLintFolder(t *testing.T) lintFolder {
	t.Helper()
	real := func(name ...string) string {
		data, err := os.ReadFile(realdata.Need(t, name...))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	d := lintFolder{t, real("coco128", "images", "000000000009.jpg"), real("coco128", "labels", "000000000009.txt")}
	model, classes := real("models", "yolox_nano.onnx"), real("models", "coco.names")
	library, err := native.ONNXRuntime.Find()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(native.ONNXRuntime.Env, library)
	t.Chdir(t.TempDir())
	d.write("models/yolox_nano.onnx", model)
	d.write("models/coco.names", classes)
	return d
}

// write makes a file.
func (d lintFolder) write(path, text string) {
	d.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

func (d lintFolder) read(path string) string {
	d.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(data)
}

// findings are the lines of a file.
func (d lintFolder) findings(path string) (all []lint.Finding) {
	d.t.Helper()
	for line := range strings.Lines(d.read(path)) {
		var f lint.Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			d.t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

// gleaner runs a command line and returns what it prints.
func gleaner(ctx context.Context, line string) (string, error) {
	var out bytes.Buffer
	root := newRoot("test")
	root.SetOut(&out)
	root.SetArgs(strings.Fields(line))
	err := root.ExecuteContext(ctx)
	return out.String(), err
}

const (
	lintModel = " --model models/yolox_nano.onnx "
	lintYOLO  = "lint --images images --labels labels --format yolo --classes models/coco.names" + lintModel
)

func TestLintKeepsWhatWasThere(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for name, c := range map[string]struct {
		ctx   context.Context
		files map[string]string
		want  string
	}{
		"interrupted":    {stopped, nil, "nothing is written, what was there stays"},
		"none readable":  {t.Context(), map[string]string{"labels/a.txt": "x\n"}, `none of 1 images could be linted, the first since labels of a.jpg in labels: line 1: class "x"`},
		"no such folder": {t.Context(), nil, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newLintFolder(t)
			d.write("images/a.jpg", d.photo)
			d.write("labels/a.txt", d.labels)
			for name, text := range c.files {
				d.write(name, text)
			}
			d.write("out.jsonl", "findings of yesterday\n")
			html := "page.html"
			d.write(html, "a page of yesterday\n")
			if name == "no such folder" {
				html = "nowhere/page.html"
			}
			_, err := gleaner(c.ctx, lintYOLO+"--out out.jsonl --html "+html)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if stopped := c.ctx.Err(); stopped != nil && !errors.Is(err, stopped) {
				t.Errorf("%v does not say that it was interrupted", err)
			}
			if out, page := d.read("out.jsonl"), d.read("page.html"); out != "findings of yesterday\n" || page != "a page of yesterday\n" {
				t.Errorf("%q and %q are there now", out, page)
			}
		})
	}
}
