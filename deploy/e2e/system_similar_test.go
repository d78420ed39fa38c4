package e2e

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/deploy/e2e/realdata"
	"gleaner/deploy/wire"
)

// TestSimilar pushes photos, and a twin of one, smaller and more compressed, to another dataset: the twin is nearest to it, by the
// whole image and by what was detected on it, until it is erased.
func TestSimilar(t *testing.T) {
	model := realdata.Need(t, "models", "yolox_nano.onnx")
	photos, err := filepath.Glob(filepath.Join(realdata.Need(t, "coco128", "images"), "*.jpg"))
	if err != nil || len(photos) < 24 {
		t.Fatalf("%d photos, %v", len(photos), err)
	}
	photos = photos[:24]
	const first = "000000000009.jpg"
	folder, twins := t.TempDir(), t.TempDir()
	for _, path := range photos {
		if err := os.Symlink(path, filepath.Join(folder, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	shrink(t, filepath.Join(folder, first), filepath.Join(twins, "twin.jpg"))

	i := install(t)
	config := systemConfig + fmt.Sprintf("prelabel: {model: %q}\ningest: {thresholds: {min_sharpness: 0}}\n", model)
	if err := os.WriteFile(i.config, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	s := i.up(t)
	i.ok(t, "push", folder, "--dataset", "coco")
	i.ok(t, "push", twins, "--dataset", "archive")
	images := func() string { return s.sql(t, "SELECT count() FROM embeddings FINAL WHERE object_id = ''")[0] }
	eventually(t, patience, "every photo is embedded", func() bool { return images() == fmt.Sprint(len(photos)+1) })
	eventually(t, patience, "the catalog has the objects", func() bool {
		return s.sql(t, "SELECT count() FROM sample_latest WHERE stage = 'linted'")[0] == fmt.Sprint(len(photos)+1)
	})

	sheet := filepath.Join(t.TempDir(), "similar.png")
	found := decode[wire.Neighborhood](t, i, "similar", first, "--dataset", "coco", "-n", "5", "--sheet", sheet)
	if len(found.Neighbors) != 5 || found.Neighbors[0].UniqueID != "twin.jpg" || found.Neighbors[0].Dataset != "archive" || found.Of.UniqueID != first || found.Of.Model != "yolox_nano@1" || found.Compared != uint64(len(photos)+1) || found.Embedded != found.Compared {
		t.Errorf("%+v", found)
	}
	if near, next := found.Neighbors[0].Distance, found.Neighbors[1].Distance; !(near < next/4) {
		t.Errorf("the twin is at %g, another photo at %g", near, next)
	}
	data, err := os.ReadFile(sheet)
	if err != nil {
		t.Fatal(err)
	}
	if drawn, err := png.Decode(bytes.NewReader(data)); err != nil || drawn.Bounds().Dx() < 600 {
		t.Errorf("contact sheet: %v", err)
	}
	if text := i.ok(t, "similar", found.Of.SampleID.String(), "--object", "o1", "-n", "3"); !strings.Contains(strings.SplitN(text, "\n", 3)[1], "twin.jpg o") {
		t.Errorf("the twin's object is not the nearest to the first object:\n%s", text)
	}
	if within := decode[wire.Neighborhood](t, i, "similar", first, "--dataset", "coco", "--within", "coco"); len(within.Neighbors) != 10 || within.Neighbors[0].Dataset != "coco" {
		t.Errorf("within a dataset: %+v", within)
	}
	for want, args := range map[string][]string{
		"the catalog has no sample":                                {"nowhere.jpg", "--dataset", "coco"},
		"model other has not embedded it, but yolox_nano@1 has":    {first, "--dataset", "coco", "--model", "other"},
		`object "o99" has no embedding; those that prelabel found`: {first, "--dataset", "coco", "--object", "o99"},
	} {
		if _, errs, code := i.run(t, append([]string{"similar"}, args...)...); code != 1 || !strings.Contains(errs, want) {
			t.Errorf("similar %v: exit code %d\n%s", args, code, errs)
		}
	}
	if _, _, code := i.run(t, "similar", first, "--dataset", "coco", "-n", "1000"); code != 2 {
		t.Errorf("a thousand neighbors: exit code %d, want 2", code)
	}
	if out := i.ok(t, "erase", "twin.jpg", "--dataset", "archive"); !strings.Contains(out, "rows of embeddings") || !strings.Contains(out, "gleaner.embeddings.v1") {
		t.Errorf("erase:\n%s", out)
	}
	if after := decode[wire.Neighborhood](t, i, "similar", first, "--dataset", "coco"); len(after.Neighbors) == 0 || after.Neighbors[0].UniqueID == "twin.jpg" {
		t.Errorf("after erasure: %+v", after)
	}
}

// shrink writes a picture at half its size and low quality.
func shrink(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	small := image.NewRGBA(image.Rect(0, 0, img.Bounds().Dx()/2, img.Bounds().Dy()/2))
	for y := range small.Rect.Dy() {
		for x := range small.Rect.Dx() {
			small.Set(x, y, img.At(2*x, 2*y))
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: 60}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
