package label

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/connectors/formats/coco"
	"gleaner/deploy/batch"
	"gleaner/deploy/config"
	"gleaner/deploy/e2e/realdata"
	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
	"gleaner/stages/taxonomy"
)

func options() Options {
	return Options{Prelabel: prelabel.DefaultConfig(), Dataset: "images", Jobs: 3, Limits: pixels.DefaultLimits()}
}

// model opens one of the real models on the real runtime.
func model(t *testing.T, file string) prelabel.Detector {
	t.Helper()
	data, err := os.ReadFile(realdata.Need(t, "models", file))
	if err != nil {
		t.Fatal(err)
	}
	classes, err := prelabel.ReadClasses(realdata.Need(t, "models", "coco.names"))
	if err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSuffix(file, ".onnx") + "@1"
	m, err := wire.OpenModel(data, schemas.Model{ID: id, Classes: classes, LabelSpace: "coco@darknet"}, config.Default(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// some are paths of n real photos.
func some(t *testing.T, n int, elem ...string) []string {
	t.Helper()
	images, err := batch.List([]string{realdata.Need(t, elem...)})
	if err != nil || len(images) < n {
		t.Fatal(len(images), err)
	}
	return images[:n]
}

func runAll(t *testing.T, images []string, with prelabel.Deps, o Options) []Result {
	t.Helper()
	jobs, err := Plan(images, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []Result
	if err := Run(t.Context(), jobs, with, o, func(r Result) { got = append(got, r) }); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestAsTheStep: results are what the step makes of the same image, in the order of the images, whatever fails among them.
func TestAsTheStep(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.jpg")
	if err := os.WriteFile(bad, []byte("no image"), 0o644); err != nil {
		t.Fatal(err)
	}
	images := slices.Insert(some(t, 12, "coco128", "images"), 5, bad)
	with := prelabel.Deps{Models: prelabel.Fixed{model(t, "yolox_nano.onnx"), model(t, "FastestDet.onnx")}}
	got := runAll(t, images, with, options())
	with.Images = pixels.NewCache(1<<28, nil)
	step, err := prelabel.New(prelabel.DefaultConfig(), with)
	if err != nil {
		t.Fatal(err)
	}
	objects := 0
	for i, r := range got {
		if r.Image != images[i] {
			t.Fatalf("result %d is of %s, want %s", i, r.Image, images[i])
		}
		if r.Image == bad {
			if r.Err == nil || !strings.Contains(r.Err.Error(), bad) || r.Found != nil {
				t.Errorf("%s: %d found, %v", bad, len(r.Found), r.Err)
			}
			continue
		}
		if r.Err != nil || r.Decode <= 0 || r.Inference <= 0 || r.Rest <= 0 {
			t.Fatalf("%s: %v; decode %s, inference %s, rest %s", r.Image, r.Err, r.Decode, r.Inference, r.Rest)
		}
		img, _, data, err := batch.Read(r.Image, pixels.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		out, err := step.Process(t.Context(), schemas.Sample{Image: schemas.ImageRef{SHA256: schemas.Hash{byte(i)}, W: img.W, H: img.H, Inline: data}})
		if err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(out[0].Objects, r.Found) {
			t.Errorf("%s: %s", r.Image, cmp.Diff(out[0].Objects, r.Found))
		}
		objects += len(r.Found)
	}
	if len(got) != len(images) || objects < 12 {
		t.Errorf("%d results of %d images, %d objects", len(got), len(images), objects)
	}
}

func TestProposals(t *testing.T) {
	images, o := some(t, 4, "coco128", "images"), options()
	with := prelabel.Deps{Models: prelabel.Fixed{model(t, "yolox_nano.onnx")}}
	objects := runAll(t, images, with, o)
	o.Proposals = true
	for i, r := range runAll(t, images, with, o) {
		if len(r.Found) <= len(objects[i].Found) || r.Found[len(r.Found)-1].Score >= o.Prelabel.Accept {
			t.Errorf("%s: %d proposals of %d objects", r.Image, len(r.Found), len(objects[i].Found))
		}
	}
}

// TestWishes lets raccoons be found as animals, in a dataset that wants nothing else.
func TestWishes(t *testing.T) {
	tax, err := taxonomy.COCO()
	if err != nil {
		t.Fatal(err)
	}
	tax.Nodes = append(tax.Nodes, schemas.TaxonomyNode{Name: "raccoon", Parent: "animal"})
	m, log := model(t, "yolox_nano.onnx"), slog.New(slog.DiscardHandler)
	wants := func(classes ...string) (w Wishes) {
		w.Rules.Dataset = "images"
		for _, c := range classes {
			w.Rules.Objects = append(w.Rules.Objects, schemas.ObjectRule{Class: c})
		}
		return w
	}
	w := wants("raccoon", "cat")
	w.Taxonomy = &tax
	with, classes, err := w.Deps([]prelabel.Detector{m}, log)
	if err != nil || !slices.Equal(classes, []string{"raccoon", "cat", "animal", "cat"}) {
		t.Fatalf("%v, %v", classes, err)
	}
	animals := 0
	for _, r := range runAll(t, some(t, 8, "raccoon", "images"), with, options()) {
		for _, o := range r.Found {
			if o.Class != "cat" && (o.Class != "animal" || !o.Refine) {
				t.Errorf("%s: %+v", r.Image, o)
			}
			if o.Refine {
				animals++
			}
		}
	}
	if animals < 3 {
		t.Errorf("%d animals in 8 photos of raccoons", animals)
	}

	with, classes, err = wants("person").Deps([]prelabel.Detector{m}, log)
	if err != nil || !slices.Equal(classes, []string{"person"}) {
		t.Fatalf("%v, %v", classes, err)
	}
	for _, r := range runAll(t, some(t, 4, "coco128", "images"), with, options()) {
		for _, o := range r.Found {
			if o.Class != "person" {
				t.Errorf("%s: %+v", r.Image, o)
			}
		}
	}

	tax.Nodes = append(tax.Nodes, schemas.TaxonomyNode{Name: "RBC"})
	w = wants("RBC")
	w.Taxonomy = &tax
	if _, _, err := w.Deps([]prelabel.Detector{m}, log); err == nil || !strings.Contains(err.Error(), "no model knows a class that dataset images wants") {
		t.Errorf("%v", err)
	}
	w = wants("unicorn")
	w.Taxonomy = &tax
	if _, _, err := w.Deps([]prelabel.Detector{m}, log); err == nil || !strings.Contains(err.Error(), `yolox_nano@1: class "unicorn" is not a canonical one`) {
		t.Errorf("%v", err)
	}
}

func TestRunStops(t *testing.T) {
	jobs, err := Plan(some(t, 30, "coco128", "images"), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err = Run(ctx, jobs, prelabel.Deps{Models: prelabel.Fixed{model(t, "FastestDet.onnx")}}, options(), func(r Result) {
		if r.Err != nil {
			t.Error(r.Err) // what was begun is finished
		}
		n++
		cancel()
	})
	if !errors.Is(err, context.Canceled) || n == 0 || n > 10 {
		t.Errorf("%d images done, %v", n, err)
	}
}

func TestPlan(t *testing.T) {
	of := &coco.File{Images: map[int64]string{0: "a.jpg", 5: "train/a.jpg", 7: "b.jpg"}}
	jobs, err := Plan([]string{"x/train/a.jpg", "y/a.jpg", "c.jpg"}, of)
	if err != nil || jobs[0].id != 5 || jobs[1].id != 0 || jobs[0].err != nil || jobs[1].err != nil || jobs[2].err == nil {
		t.Fatalf("%+v, %v", jobs, err)
	}
	if _, err := Plan([]string{"x/b.jpg", "y/b.jpg"}, of); err == nil || !strings.Contains(err.Error(), "x/b.jpg and y/b.jpg would both be image 7") {
		t.Errorf("%v", err)
	}
	of.Images[8] = "b.jpg"
	if _, err := Plan(nil, of); err == nil || !strings.Contains(err.Error(), "images 7 and 8 are both called b.jpg") {
		t.Errorf("%v", err)
	}
}

func TestCategories(t *testing.T) {
	ids, err := Categories([]string{"b", "a", "b", "c"}, nil)
	if want := map[string]int64{"b": 1, "a": 2, "c": 3}; err != nil || !cmp.Equal(ids, want) {
		t.Errorf("%v, %v", ids, err)
	}
	of := &coco.File{Categories: map[int64]string{0: "a", 90: "z"}}
	if ids, err = Categories([]string{"b", "a"}, of); err != nil || len(ids) != 2 || ids["z"] != 90 {
		t.Errorf("%v, %v", ids, err)
	}
	if _, err := Categories([]string{"b"}, of); err == nil || !strings.Contains(err.Error(), "none of its 2 categories") {
		t.Errorf("%v", err)
	}
	var out bytes.Buffer
	r := NewResults(&out, ids)
	r.Add(Result{Job: Job{id: 4, name: "x.jpg"}, W: 2, H: 1, Found: []schemas.Object{{Class: "z"}, {Class: "b"}, {Class: "b"}}})
	n, err := r.End()
	var list []struct {
		Image    int64 `json:"image_id"`
		Category int64 `json:"category_id"`
	}
	if err := errors.Join(err, json.Unmarshal(out.Bytes(), &list)); err != nil || n != 1 || list[0].Image != 4 || list[0].Category != 90 {
		t.Errorf("%s, %v", out.String(), err)
	}
	if want := map[string]int{"b": 2}; !cmp.Equal(r.Unknown, want) {
		t.Errorf("left out: %v", r.Unknown)
	}
}
