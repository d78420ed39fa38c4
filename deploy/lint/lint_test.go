package lint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/connectors/formats"
	"gleaner/deploy/label"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/ingest"
	"gleaner/stages/lint"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
)

// oracle is a detector that sees a dog at one place in every image.
type oracle struct{ box geometry.Box }

func (o oracle) Detect(ctx context.Context, img *pixels.Image, low float32) ([]schemas.Object, error) {
	found, _, err := o.DetectDense(ctx, img, low, prelabel.Dense{})
	return found, err
}

func (o oracle) DetectDense(context.Context, *pixels.Image, float32, prelabel.Dense) ([]schemas.Object, schemas.Candidates, error) {
	c := schemas.Candidates{Model: "oracle@1", Classes: []string{"cat", "dog"}}
	for i := range 9 {
		d := float32(i%3) - 1
		b := geometry.Box{X1: o.box.X1 + d, Y1: o.box.Y1 - d, X2: o.box.X2 + d, Y2: o.box.Y2 - d}
		c.Cells = append(c.Cells, schemas.Candidate{Box: b, Score: 0.9, Scores: []schemas.ClassScore{{Class: 1, Score: 0.9}}})
	}
	return []schemas.Object{{Class: "dog", Box: o.box, Score: 0.9, Source: "oracle@1"}}, c, nil
}

func (oracle) Embed(context.Context, *pixels.Image) ([]float32, error) { return nil, nil }

func (oracle) Model() schemas.Model {
	return schemas.Model{ID: "oracle@1", Classes: []string{"cat", "dog"}, SHA256: schemas.Hash{1}}
}

// folder has gray images of 200 by 200, each with YOLO labels of class, center and size in pixels; nil: no label file.
func folder(t *testing.T, labels map[string][][5]float64) (images string, beside *formats.Beside) {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"images", "labels"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var data bytes.Buffer
	if err := jpeg.Encode(&data, image.NewGray(image.Rect(0, 0, 200, 200)), nil); err != nil {
		t.Fatal(err)
	}
	for name, rows := range labels {
		if err := os.WriteFile(filepath.Join(dir, "images", name+".jpg"), data.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		if rows == nil {
			continue
		}
		var text strings.Builder
		for _, r := range rows {
			fmt.Fprintln(&text, r[0], r[1]/200, r[2]/200, r[3]/200, r[4]/200)
		}
		if err := os.WriteFile(filepath.Join(dir, "labels", name+".txt"), []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names, err := formats.Images(filepath.Join(dir, "images"))
	if err != nil {
		t.Fatal(err)
	}
	beside, err = formats.OpenAs("yolo", filepath.Join(dir, "labels"), names, []string{"cat", "dog"})
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "images"), beside
}

func TestRun(t *testing.T) {
	images, labels := folder(t, map[string][][5]float64{
		"edge":    {{1, 112.5, 100, 125, 100}},
		"loose":   {{1, 100, 100, 140, 140}},
		"missing": {},
		"none":    nil,
		"outside": {{1, 100, 100, 100, 100}, {1, 300, 100, 50, 50}},
		"right":   {{1, 100, 100, 100, 100}},
		"swap":    {{0, 100, 100, 100, 100}},
	})
	o := Options{
		Images: images, Labels: labels, Models: []prelabel.Detector{oracle{geometry.Box{X1: 50, Y1: 50, X2: 150, Y2: 150}}},
		Prelabel: prelabel.DefaultConfig(), Lint: lint.DefaultConfig(), Limits: pixels.DefaultLimits(), Wishes: label.Wishes{Rules: schemas.DatasetRules{Dataset: "images"}}, Twins: ingest.DefaultConfig().Thresholds, Jobs: 2,
	}
	o.Lint.Rules.MinScore = 0.3
	names, err := formats.Images(images)
	if err != nil {
		t.Fatal(err)
	}
	report := NewReport(images, o.Limits, 10)
	got := map[string]Result{}
	var order []string
	if err := Run(t.Context(), names, o, func(r Result) {
		report.Add(r)
		got[r.Image] = r
		order = append(order, r.Image)
	}); err != nil {
		t.Fatal(err)
	}
	if strings.Join(order, " ") != "edge.jpg loose.jpg missing.jpg none.jpg outside.jpg right.jpg swap.jpg" {
		t.Errorf("order %v", order)
	}
	for name, want := range map[string]schemas.FindingType{
		"edge.jpg": schemas.FindingEdge, "loose.jpg": schemas.FindingLoose, "missing.jpg": schemas.FindingMissing, "none.jpg": "", "outside.jpg": schemas.FindingDegenerate, "right.jpg": "", "swap.jpg": schemas.FindingSwap,
	} {
		r := got[name]
		switch {
		case r.Err != nil:
			t.Error(r.Err)
		case want == "" && len(r.Findings) > 0:
			t.Errorf("%s: %+v", name, r.Findings)
		case want != "" && (len(r.Findings) == 0 || r.Findings[0].Type != want):
			t.Errorf("%s: %+v, want %s", name, r.Findings, want)
		}
	}
	if got["none.jpg"].Labeled || !got["missing.jpg"].Labeled {
		t.Error("an image without labels is not one that nobody labeled")
	}
	if f := got["swap.jpg"].Findings[0]; f.Index == nil || *f.Index != 0 || f.Fix == nil || f.Fix.Class != "dog" {
		t.Errorf("%+v", f)
	}
	if f := got["outside.jpg"].Findings[0]; len(got["outside.jpg"].Findings) != 1 || f.Box != [4]float32{275, 75, 325, 125} || f.Fix == nil || !f.Fix.Remove {
		t.Errorf("%+v", f)
	}
	line, err := json.Marshal(got["missing.jpg"].Findings[0])
	if err != nil || !strings.Contains(string(line), `"box_index":null`) || !strings.Contains(string(line), `"fix":{"box":[`) {
		t.Errorf("%s, %v", line, err)
	}
	var page bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	if err := report.Write(ctx, io.Discard, stop); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped after the first image: %v", err)
	}
	made := 0
	if err := report.Write(t.Context(), &page, func() { made++ }); err != nil {
		t.Fatal(err)
	}
	if made != 5 || made != report.Images() {
		t.Errorf("the page has pictures of %d images, %d were made", report.Images(), made)
	}
	for _, want := range []string{"loose.jpg, box 0", "data:image/jpeg;base64,", "7 images, 6 labels, 6 findings", "cat → dog", "→ to be removed"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// TestBadLabels: images whose labels or headers cannot be read keep no others back.
func TestBadLabels(t *testing.T) {
	images, labels := folder(t, map[string][][5]float64{"a": {{0, 100, 100, 100, 100}}, "b": {{7, 100, 100, 50, 50}}, "c": {{1, 100, 100, 100, 100}}, "d": {}})
	if err := os.WriteFile(filepath.Join(images, "c.jpg"), []byte("no image"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := Options{
		Images: images, Labels: labels, Models: []prelabel.Detector{oracle{geometry.Box{X1: 50, Y1: 50, X2: 150, Y2: 150}}},
		Prelabel: prelabel.DefaultConfig(), Lint: lint.DefaultConfig(), Limits: pixels.DefaultLimits(), Wishes: label.Wishes{Rules: schemas.DatasetRules{Dataset: "images"}}, Twins: ingest.DefaultConfig().Thresholds, Jobs: 3,
	}
	var got []string
	if err := Run(t.Context(), []string{"a.jpg", "b.jpg", "c.jpg", "d.jpg"}, o, func(r Result) {
		got = append(got, fmt.Sprintf("%s: %d findings, %v", r.Image, len(r.Findings), r.Err))
	}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"a.jpg: 1 findings, <nil>", `b.jpg: 0 findings, labels of b.jpg`, "c.jpg: 0 findings, " + filepath.Join(images, "c.jpg"), "d.jpg: 1 findings, <nil>"} {
		if !strings.HasPrefix(got[i], want) {
			t.Errorf("%s, want %s", got[i], want)
		}
	}
}

// TestInterrupted ends a run in the middle of it: what was begun is handed out in order.
func TestInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var got []int
	err := inOrder(ctx, 100, 3, func(i int) int {
		if i == 10 {
			stop()
		}
		return i
	}, func(i, result int) {
		if i != result {
			t.Errorf("%d is handed out as %d", result, i)
		}
		got = append(got, i)
	})
	if !errors.Is(err, context.Canceled) || !slices.IsSorted(got) || !slices.Contains(got, 10) {
		t.Errorf("%v: %v", err, got)
	}
}

// TestLosses: what a run argues with is doubted where the label is still there with its class, whether the file says which sample and object
// it is or the path does.
func TestLosses(t *testing.T) {
	images, labels := folder(t, map[string][][5]float64{"a": {{1, 100, 100, 100, 100}, {0, 40, 40, 30, 30}}})
	exported := filepath.Join(t.TempDir(), "street.json")
	sample := schemas.NewSampleID("street", "camera/1.jpg", schemas.Hash{})
	if err := os.WriteFile(exported, []byte(`{"images":[{"id":1,"file_name":"a.jpg","gleaner_sample_id":"`+sample.String()+`"}],"categories":[{"id":1,"name":"dog"},{"id":2,"name":"cat"}],
		"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[50,50,100,100],"gleaner_object_id":"h7"},{"id":2,"image_id":1,"category_id":2,"bbox":[25,25,30,30]}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	coco, err := formats.OpenAs("coco", exported, []string{"a.jpg"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := schemas.NewSampleID("street", "a.jpg", schemas.Hash{})
	for name, c := range map[string]struct {
		labels *formats.Beside
		scores string // sample, object, class and kind
		argued int
	}{
		"by the path":             {labels, at.String() + ",o1,dog,label_error", 1},
		"of an edge case":         {labels, at.String() + ",o1,dog,edge", 0},
		"of another class":        {labels, at.String() + ",o1,cat,label_error", 0},
		"of another sample":       {labels, sample.String() + ",o1,dog,label_error", 0},
		"by the export":           {coco, sample.String() + ",h7,dog,label_error", 1},
		"by a place of an export": {coco, sample.String() + ",o1,dog,label_error", 0},
		"exported from elsewhere": {coco, at.String() + ",o1,dog,label_error", 0},
	} {
		path := filepath.Join(t.TempDir(), "scores.csv")
		if err := os.WriteFile(path, []byte("run_id,dataset,sample,object_id,class,kind,presentations,aum,trend_q,class_outlier\nrun7,street,"+c.scores+",9,-3,nan,2\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		o := Options{
			Images: images, Labels: c.labels, Models: []prelabel.Detector{oracle{geometry.Box{X1: 50, Y1: 50, X2: 150, Y2: 150}}},
			Prelabel: prelabel.DefaultConfig(), Lint: lint.DefaultConfig(), Limits: pixels.DefaultLimits(), Wishes: label.Wishes{Rules: schemas.DatasetRules{Dataset: "images"}}, Twins: ingest.DefaultConfig().Thresholds, Jobs: 1,
		}
		if o.Losses, err = ReadLosses(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		var found []Finding
		if err := Run(t.Context(), []string{"a.jpg"}, o, func(r Result) {
			if r.Err != nil || r.Argued != c.argued {
				t.Errorf("%s: argues with %d labels, %v", name, r.Argued, r.Err)
			}
			for _, f := range r.Findings {
				if f.Type == schemas.FindingLoss {
					found = append(found, f)
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
		if len(found) != c.argued || c.argued > 0 && (*found[0].Index != 0 || found[0].Class != "dog" || !strings.Contains(found[0].Why, "run7")) {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// interrupting is a detector that somebody interrupts while it looks.
type interrupting struct {
	oracle
	stop func()
	runs *int
}

func (i interrupting) DetectDense(ctx context.Context, img *pixels.Image, low float32, d prelabel.Dense) ([]schemas.Object, schemas.Candidates, error) {
	*i.runs++
	i.stop()
	found, cells, _ := i.oracle.DetectDense(ctx, img, low, d)
	return found, cells, ctx.Err()
}

// TestInterruptedImage: no more looks are taken at an image once nobody waits for what is found.
func TestInterruptedImage(t *testing.T) {
	images, labels := folder(t, map[string][][5]float64{"many": {{1, 30, 30, 10, 10}, {1, 90, 90, 10, 10}, {1, 150, 150, 10, 10}}})
	ctx, stop := context.WithCancel(t.Context())
	runs := 0
	o := Options{
		Images: images, Labels: labels, Models: []prelabel.Detector{interrupting{oracle{geometry.Box{X1: 50, Y1: 50, X2: 150, Y2: 150}}, stop, &runs}},
		Prelabel: prelabel.DefaultConfig(), Lint: lint.DefaultConfig(), Limits: pixels.DefaultLimits(), Wishes: label.Wishes{Rules: schemas.DatasetRules{Dataset: "images"}}, Twins: ingest.DefaultConfig().Thresholds, Jobs: 1,
	}
	o.Prelabel.Closer = true
	names, err := formats.Images(images)
	if err != nil {
		t.Fatal(err)
	}
	if err := Run(ctx, names, o, func(Result) {}); !errors.Is(err, context.Canceled) || runs != 1 {
		t.Errorf("%v, after %d runs of the model", err, runs)
	}
}
