package formats

import (
	"errors"
	"image"
	_ "image/jpeg"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
				f, err := os.Open(filepath.Join(dir, i))
				if err != nil {
					t.Fatal(err)
				}
				size, _, err := image.DecodeConfig(f)
				f.Close()
				if err != nil {
					t.Fatal(err)
				}
				objects, ok, err := b.Objects(i, size.Width, size.Height)
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

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestImagesThroughALink lists a folder by a link to it: images at any depth, and nothing else.
func TestImagesThroughALink(t *testing.T) {
	dir, link := t.TempDir(), filepath.Join(t.TempDir(), "photos")
	for _, name := range []string{"b.png", "a/x.JPG", "a/deep/y.tiff", "notes.txt"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if got, err := Images(link); err != nil || !slices.Equal(got, []string{"a/deep/y.tiff", "a/x.JPG", "b.png"}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := Images(filepath.Join(dir, "nowhere")); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("of a folder that is not there: %v, want its name", err)
	}
}

// TestMatch is of folders of images and of labels: which are of which.
func TestMatch(t *testing.T) {
	for _, c := range []struct{ name, images, labels, want string }{
		{"flat", "x.jpg y.jpg", "x.txt z.txt", "x.jpg:x.txt"},
		{"folders like those of the images", "a/x.jpg b/x.jpg", "a/x.txt b/x.txt", "a/x.jpg:a/x.txt b/x.jpg:b/x.txt"},
		{"folders below that of the images", "images/a/x.jpg images/b/x.jpg", "a/x.txt b/x.txt x.txt", "images/a/x.jpg:a/x.txt images/b/x.jpg:b/x.txt"},
		{"one folder", "a/x.jpg b/y.jpg", "x.txt y.txt", "a/x.jpg:x.txt b/y.jpg:y.txt"},
		{"folders of labels only", "x.jpg", "a/x.txt", "x.jpg:a/x.txt"},
		{"another's", "x.jpg a/x.jpg", "x.txt", "x.jpg:x.txt"},
		{"of another folder", "a/x.jpg a/y.jpg", "b/x.txt a/y.txt", "a/y.jpg:a/y.txt"},
		{"part of a name", "ax.jpg y.jpg", "x.txt y.txt", "y.jpg:y.txt"},
		{"dots", "a.b.jpg", "a.b.txt a.txt", "a.b.jpg:a.b.txt"},
		{"one of two images", "a/x.jpg b/x.jpg", "x.txt", "x.txt could be of a/x.jpg and of b/x.jpg"},
		{"two images beside each other", "x.jpg x.png", "x.txt", "x.txt could be of x.jpg and of x.png"},
		{"two labels", "x.jpg", "a/x.txt b/x.txt", "x.jpg could have a/x.txt and b/x.txt"},
		{"none", "x.jpg", "y.txt", "none of the images has labels: those of x.jpg would be x.txt"},
		{"no labels", "x.jpg", "", "none of the images has labels"},
	} {
		images := strings.Fields(c.images)
		of, spare, err := match(images, strings.Fields(c.labels), func(image string) string { return strings.TrimSuffix(image, filepath.Ext(image)) + ".txt" })
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			}
			continue
		}
		var got []string
		for _, image := range images {
			if name, ok := of[image]; ok {
				got = append(got, image+":"+name)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
		for _, name := range strings.Fields(c.labels) {
			if taken := slices.Contains(slices.Collect(maps.Values(of)), name); taken == slices.Contains(spare, name) {
				t.Errorf("%s: %s is of an image: %v, but spare are %v", c.name, name, taken, spare)
			}
		}
	}
}

// TestFolders has labels of two images with one name in folders like theirs.
func TestFolders(t *testing.T) {
	for format, files := range map[string]map[string]string{
		"yolo": {"labels/a/x.txt": "0 .5 .5 .1 .1", "labels/b/x.txt": "1 .5 .5 .1 .1", "labels/classes.txt": "cat\ndog", "data.yaml": "names: [cat, dog]"},
		"voc": {
			"annotations/a/x.xml": "<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object></annotation>",
			"annotations/b/x.xml": "<annotation><object><name>dog</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object></annotation>",
		},
		"coco": {"labels.json": `{"images":[{"id":1,"file_name":"train/a/x.jpg"},{"id":2,"file_name":"train/b/x.jpg"}],
			"categories":[{"id":1,"name":"cat"},{"id":2,"name":"dog"}],"annotations":[{"image_id":2,"category_id":2,"bbox":[1,1,5,5]},{"image_id":1,"category_id":1,"bbox":[1,1,5,5]}]}`},
	} {
		dir := t.TempDir()
		put(t, dir, "images/a/x.jpg", "")
		put(t, dir, "images/b/x.jpg", "")
		for name, text := range files {
			put(t, dir, name, text)
		}
		b, err := Open(filepath.Join(dir, "images"))
		if err != nil {
			t.Fatal(err)
		}
		for image, want := range map[string]string{"a/x.jpg": "cat", "b/x.jpg": "dog"} {
			if objects, _, err := b.Objects(image, 10, 10); err != nil || len(objects) != 1 || objects[0].Class != want {
				t.Errorf("%s: %s has %v, %v; want a %s", format, image, objects, err, want)
			}
		}
		if b.Format != format || len(b.Files) != len(files) || len(b.Spare) > 0 {
			t.Errorf("%s %v, spare %v, want %s with %d files", b.Format, b.Files, b.Spare, format, len(files))
		}
	}
}

// TestAnotherSize has labels that state the size of their image: boxes of another size are refused, and rounding is not.
// TestWindowsPaths: COCO files written on Windows name the same images, and annotations of none are spare.
func TestWindowsPaths(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "c.json")
	data := `{"images":[{"id":1,"file_name":"C:\\data\\a\\x.jpg"},{"id":2,"file_name":"b\\x.jpg"}],"categories":[{"id":1,"name":"cat"}],"annotations":[
		{"image_id":1,"category_id":1,"bbox":[1,2,3,4]},{"id":7,"image_id":3,"category_id":1,"bbox":[1,2,3,4]}]}`
	if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := OpenAs("coco", file, []string{"a/x.jpg", "b/x.jpg"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for image, want := range map[string]int{"a/x.jpg": 1, "b/x.jpg": 0} {
		if got, labeled, err := b.Objects(image, 10, 10); err != nil || !labeled || len(got) != want {
			t.Errorf("%s: %v, %v, %v; want %d", image, got, labeled, err, want)
		}
	}
	if !slices.Equal(b.Spare, []string{"annotation 2 (id 7): image_id 3 is not among the images"}) || !slices.Equal(b.Names, []string{"cat"}) {
		t.Errorf("spare %q, names %q", b.Spare, b.Names)
	}
}

func TestAnotherSize(t *testing.T) {
	for format, files := range map[string]map[string]string{
		"voc":  {"annotations/a.xml": "<annotation><size><width>200</width><height>100</height></size><object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object></annotation>"},
		"coco": {"labels.json": `{"images":[{"id":1,"file_name":"a.jpg","width":200,"height":100}],"categories":[{"id":1,"name":"cat"}],"annotations":[{"image_id":1,"category_id":1,"bbox":[1,1,5,5]}]}`},
	} {
		dir := t.TempDir()
		put(t, dir, "images/a.jpg", "")
		for name, text := range files {
			put(t, dir, name, text)
		}
		b, err := Open(filepath.Join(dir, "images"))
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range [][2]int{{200, 100}, {199, 101}} {
			if objects, ok, err := b.Objects("a.jpg", size[0], size[1]); err != nil || !ok || len(objects) != 1 {
				t.Errorf("%s: %v pixels: %v, %v, %v", format, size, objects, ok, err)
			}
		}
		for _, size := range [][2]int{{100, 50}, {100, 200}, {200, 98}} {
			_, _, err := b.Objects("a.jpg", size[0], size[1])
			if err == nil || !strings.Contains(err.Error(), "labels of a.jpg") || !strings.Contains(err.Error(), "200 x 100") {
				t.Errorf("%s: %v pixels: %v, want both sizes", format, size, err)
			}
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	write := func(t *testing.T, path, content string) string {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "set")
		put(t, dir, "a.jpg", "")
		put(t, dir, path, content)
		return dir
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
