package formats

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/deploy/e2e/realdata"
)

func TestRealLayouts(t *testing.T) {
	for _, c := range []struct {
		images, format        string
		count, labeled, boxes int
	}{
		{"coco128/images", "yolo", 128, 126, 929},
		{"bccd/images", "voc", 364, 364, 4888},
		{"raccoon/images", "voc", 200, 200, 217},
	} {
		t.Run(c.images, func(t *testing.T) {
			dir := realdata.Need(t, filepath.FromSlash(c.images))
			b, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if b.Format != c.format {
				t.Errorf("format %q, want %q", b.Format, c.format)
			}
			images, err := Images(dir)
			if err != nil || len(images) != c.count {
				t.Fatalf("%d images, %v; want %d", len(images), err, c.count)
			}
			labeled, boxes := 0, 0
			for _, i := range images {
				objects, ok, err := b.Objects(i, 640, 480)
				if err != nil {
					t.Fatal(err)
				}
				if ok {
					labeled++
				}
				boxes += len(objects)
			}
			if labeled != c.labeled || boxes != c.boxes {
				t.Errorf("%d images labeled with %d boxes, want %d and %d", labeled, boxes, c.labeled, c.boxes)
			}
		})
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	write := func(t *testing.T, path, content string) string {
		t.Helper()
		root := t.TempDir()
		path = filepath.Join(root, "set", filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(root, "set")
	}
	if _, err := Open(write(t, "a.jpg", "")); !errors.Is(err, ErrNone) {
		t.Errorf("a folder without labels: %v, want ErrNone", err)
	}
	if _, err := Open(write(t, "labels/a.txt", "0 .5 .5 .1 .1")); err == nil || !strings.Contains(err.Error(), "class names are missing") {
		t.Errorf("YOLO labels without names: %v", err)
	}
	if _, err := Open(write(t, "annotations.json", `{"images": 3}`)); err == nil || !strings.Contains(err.Error(), "annotations.json") {
		t.Errorf("a broken COCO file: %v", err)
	}
	dir := write(t, "annotations/a.xml", "<annotation><object><name>cat</name></object")
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Objects("a.jpg", 1, 1); err == nil || !strings.Contains(err.Error(), "labels of a.jpg") {
		t.Errorf("a broken VOC file: %v", err)
	}
}
