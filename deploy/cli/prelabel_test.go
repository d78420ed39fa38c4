package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/connectors/formats/coco"
	"gleaner/deploy/e2e/realdata"
)

// runPrelabel runs the command and returns what it prints.
func runPrelabel(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot("test")
	root.SetOut(&out)
	root.SetArgs(append([]string{"prelabel"}, args...))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// found is one result.
type found struct {
	ImageID    int64      `json:"image_id"`
	FileName   string     `json:"file_name"`
	CategoryID int64      `json:"category_id"`
	Box        [4]float64 `json:"bbox"`
	Score      float64
}

func readJSON[T any](t *testing.T, path string) (v T) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPrelabelCommand(t *testing.T) {
	photo, model := realdata.Need(t, "coco128", "images", "000000000009.jpg"), realdata.Need(t, "models", "yolox_nano.onnx")
	dir := t.TempDir()
	in, out, images := filepath.Join(dir, "in"), filepath.Join(dir, "results.json"), filepath.Join(dir, "images.json")
	if err := os.Mkdir(in, 0o755); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(photo)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"a.jpg": []byte("not an image"), "b.jpg": data} {
		if err := os.WriteFile(filepath.Join(in, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := runPrelabel(t, in, "--model", model, "--out", out, "--images", images, "--json")
	if err == nil || !strings.Contains(err.Error(), "1 of 2 files") {
		t.Errorf("%v, want that one of two files failed", err)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	var sum prelabelSum
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); err != nil {
		t.Fatal(err)
	}
	results := readJSON[[]found](t, out)
	if len(lines) != 3 || sum.Images != 1 || sum.Failed != 1 || sum.Left != 0 || int(sum.Results) != len(results) || len(results) < 3 || sum.Inference.Median <= 0 {
		t.Errorf("%d results, printed %s", len(results), text)
	}
	file, err := os.Open(images)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	of, err := coco.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.ImageID != 2 || of.Images[2] != r.FileName || of.Categories[r.CategoryID] == "" || r.Score < 0.3 || r.Box[2] <= 0 || r.Box[3] <= 0 {
			t.Errorf("%+v", r)
		}
	}

	// Ids of a COCO file that has other categories, not all of them.
	annotations := filepath.Join(dir, "coco.json")
	if err := os.WriteFile(annotations, []byte(`{"images":[{"id":77,"file_name":"b.jpg"}],"categories":[{"id":51,"name":"bowl"}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	text, err = runPrelabel(t, filepath.Join(in, "b.jpg"), "--model", model, "--out", out, "--annotations", annotations)
	if err != nil || !strings.Contains(text, "left out, since their classes are no categories") {
		t.Errorf("%v: %s", err, text)
	}
	bowls := readJSON[[]found](t, out)
	if len(bowls) == 0 || slices.ContainsFunc(bowls, func(r found) bool { return r.ImageID != 77 || r.CategoryID != 51 || r.FileName != "b.jpg" }) {
		t.Errorf("%+v", bowls)
	}

	_, err = runPrelabel(t, filepath.Join(in, "b.jpg"), "--model", model, "--out", out, "--wanted", "bowl,girafe")
	if err == nil || !strings.Contains(err.Error(), "no model knows girafe") {
		t.Errorf("%v, want the class that no model knows", err)
	}

	decode := filepath.Join(dir, "decode.yaml")
	if err := os.WriteFile(decode, []byte("activation: sigmoid\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = runPrelabel(t, filepath.Join(in, "b.jpg"), "--model", model, "--out", out, "--decode", decode)
	if err == nil || !strings.Contains(err.Error(), "yolox_nano.onnx: decode: activation: decoder yolox has no use for it") {
		t.Errorf("%v, want the part that would not count", err)
	}

	// Of the rules' classes the models must know one.
	cells := filepath.Join(dir, "cells.yaml")
	for objects, want := range map[string]string{"[{class: RBC}, {class: WBC}]": "cells.yaml: no model knows RBC, WBC", "[{class: RBC}, {class: bowl}]": ""} {
		if err := os.WriteFile(cells, []byte("dataset: cells\nobjects: "+objects+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := runPrelabel(t, filepath.Join(in, "b.jpg"), "--model", model, "--out", out, "--rules", cells); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("rules that want %s: %v, want %q", objects, err, want)
		}
	}

	// Rules of a dataset with a name of its own for what the model has others for.
	rules := filepath.Join(dir, "rules.yaml")
	if err := os.WriteFile(rules, []byte("dataset: kitchen\nobjects: [{class: plate, canonical: kitchen}, {class: cup}]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	text, err = runPrelabel(t, filepath.Join(in, "b.jpg"), "--model", model, "--out", out, "--rules", rules, "--taxonomy", "coco", "--label-space", "coco@darknet")
	plates := readJSON[[]found](t, out)
	if err != nil || len(plates) == 0 || slices.ContainsFunc(plates, func(r found) bool { return r.CategoryID != 1 }) {
		t.Errorf("%v: %s, %+v", err, text, plates)
	}
}

func TestPrelabelCommandLine(t *testing.T) {
	in := t.TempDir()
	image, out := filepath.Join(in, "a.jpg"), filepath.Join(in, "out.json")
	model, annotations := filepath.Join(t.TempDir(), "m.onnx"), filepath.Join(t.TempDir(), "coco.json")
	for _, file := range []string{image, model, annotations} {
		if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"at least 1 arg", nil},
		{"--out is required", []string{in}},
		{"--model is required", []string{in, "--out", out}},
		{"--out and --images are both", []string{in, "--out", out, "--images", in + "/./out.json", "--model", "m.onnx"}},
		{"--jobs 0", []string{in, "--out", out, "--model", "m.onnx", "--jobs", "0"}},
		{"accept: 0.01: must lie between low (0.05) and 1", []string{in, "--out", out, "--model", "m.onnx", "--accept", "0.01"}},
		{"--wanted: the file of --rules", []string{in, "--out", out, "--model", "m.onnx", "--rules", "r.yaml", "--wanted", "a"}},
		{"say --accept too", []string{in, "--out", out, "--model", "m.onnx", "--low", "0.5"}},
		{"no images in", []string{t.TempDir(), "--out", out, "--model", "m.onnx"}},
		{in + " is a folder", []string{image, "--out", in, "--model", "m.onnx"}},
		{"a.jpg would be overwritten", []string{in, "--out", image, "--model", "m.onnx"}},
		{"m.onnx would be overwritten", []string{in, "--out", model, "--model", model}},
		{"coco.json would be overwritten", []string{in, "--out", out, "--images", annotations, "--model", model, "--annotations", annotations}},
		{"m.onnx: no such file", []string{in, "--out", out, "--model", "m.onnx"}},
		{"*.names beside the model", []string{in, "--out", out, "--model", "../../connectors/onnx/testdata/affine.onnx"}},
		{"not a model that this runtime can load", []string{in, "--out", out, "--model", image}},
		{"not a model that this runtime can load", []string{in, "--out", out, "--model", image, "--classes", "a,b"}},
		{`--classes: "a" is there twice`, []string{in, "--out", out, "--model", model, "--classes", "a, a"}},
		{"--classes: it is of models from files, and of m@1 the registry says it", []string{in, "--out", out, "--model", "m@1", "--classes", "a,b"}},
		{"no system runs on", []string{in, "--out", out, "--model", "m@1", "--data", in}},
		{"no system runs on", []string{in, "--out", out, "--model", "m", "--data", in}},
	} {
		if _, err := runPrelabel(t, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a file was written: %v", err)
	}
}
