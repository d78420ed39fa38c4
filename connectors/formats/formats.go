// Package formats finds the labels that lie beside a folder of images, in whichever of the known formats they are.
package formats

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/connectors/formats/coco"
	"gleaner/connectors/formats/voc"
	"gleaner/connectors/formats/yolo"
	"gleaner/schemas"
)

// Beside is the labels beside a folder of images.
type Beside struct {
	Format string // "coco", "voc" or "yolo"
	From   string // the file or folder they come from
	find   func(image string, w, h int) ([]schemas.Object, bool, error)
}

// ErrNone says that no labels lie beside the images.
var ErrNone = errors.New("no labels beside the images")

// Open looks for labels in the folder and in the one above it, in this order: a COCO file (annotations.json, labels.json,
// _annotations.coco.json), Pascal VOC files (annotations/*.xml), YOLO files (labels/*.txt with the class names in
// config.yaml, data.yaml or dataset.yaml). An error other than ErrNone says what was found and could not be read.
func Open(images string) (*Beside, error) {
	images, err := filepath.Abs(images)
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{images, filepath.Dir(images)} {
		for _, open := range []func(string) (*Beside, error){openCOCO, openVOC, openYOLO} {
			b, err := open(dir)
			if err != nil {
				return nil, fmt.Errorf("labels beside %s: %w", images, err)
			}
			if b != nil {
				return b, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNone, images)
}

// Objects returns the labels of an image by its file name, and whether there is a word about it at all: an image without
// objects is not the same as one that nobody labeled. The image has w by h pixels.
func (b *Beside) Objects(image string, w, h int) ([]schemas.Object, bool, error) {
	objects, ok, err := b.find(image, w, h)
	if err != nil {
		return nil, false, fmt.Errorf("labels of %s in %s: %w", image, b.From, err)
	}
	return objects, ok, nil
}

func openCOCO(dir string) (*Beside, error) {
	for _, name := range []string{"annotations.json", "labels.json", "_annotations.coco.json"} {
		path := filepath.Join(dir, name)
		b, err := cocoFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return b, err
	}
	return nil, nil
}

func cocoFile(path string) (*Beside, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file, err := coco.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Beside{Format: "coco", From: path, find: func(image string, _, _ int) ([]schemas.Object, bool, error) {
		objects, ok := file.Objects[image]
		if !ok {
			objects, ok = file.Objects[filepath.Base(image)]
		}
		return objects, ok, nil
	}}, nil
}

func openVOC(dir string) (*Beside, error) {
	for _, name := range []string{"annotations", "Annotations"} {
		folder := filepath.Join(dir, name)
		if files, err := filepath.Glob(filepath.Join(folder, "*.xml")); err != nil || len(files) == 0 {
			continue
		}
		return vocFolder(folder), nil
	}
	return nil, nil
}

func vocFolder(folder string) *Beside {
	return &Beside{Format: "voc", From: folder, find: func(image string, _, _ int) ([]schemas.Object, bool, error) {
		data, ok, err := readFile(filepath.Join(folder, stem(image)+".xml"))
		if !ok {
			return nil, false, err
		}
		a, err := voc.Read(bytes.NewReader(data))
		return a.Objects, true, err
	}}
}

func openYOLO(dir string) (*Beside, error) {
	folder := filepath.Join(dir, "labels")
	if files, err := filepath.Glob(filepath.Join(folder, "*.txt")); err != nil || len(files) == 0 {
		return nil, nil
	}
	names, err := yoloNames(dir)
	if err != nil {
		return nil, err
	}
	return yoloFolder(folder, names), nil
}

var yoloConfigs = []string{"config.yaml", "data.yaml", "dataset.yaml"}

// yoloNames reads the class names beside a folder of YOLO labels.
func yoloNames(dir string) ([]string, error) {
	for _, name := range yoloConfigs {
		data, ok, err := readFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		names, err := yolo.ReadNames(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
		}
		return names, nil
	}
	return nil, fmt.Errorf("%s has YOLO labels, but the class names are missing: put them beside it in %s, under the key `names`", dir, strings.Join(yoloConfigs, ", "))
}

func yoloFolder(folder string, names []string) *Beside {
	return &Beside{Format: "yolo", From: folder, find: func(image string, w, h int) ([]schemas.Object, bool, error) {
		data, ok, err := readFile(filepath.Join(folder, stem(image)+".txt"))
		if !ok {
			return nil, false, err
		}
		objects, err := yolo.Read(bytes.NewReader(data), names, w, h)
		return objects, true, err
	}}
}

// Formats are the names of the known formats.
func Formats() []string { return []string{"yolo", "voc", "coco"} }

// OpenAs takes the labels that lie at a path, in a format that is known: the folder of the label files or, for COCO, the file. names
// are the classes of YOLO labels in their order; nil: those of the YAML file in that folder or the one above it.
func OpenAs(format, path string, names []string) (*Beside, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if folder := format != "coco"; info.IsDir() != folder {
		return nil, fmt.Errorf("%s: %s labels are a %s", path, format, map[bool]string{true: "folder", false: "file"}[folder])
	}
	switch format {
	case "coco":
		return cocoFile(path)
	case "voc":
		return vocFolder(path), nil
	case "yolo":
		if names == nil {
			if names, err = yoloNames(path); err != nil {
				names, err = yoloNames(filepath.Dir(filepath.Clean(path)))
			}
		}
		return yoloFolder(path, names), err
	}
	return nil, fmt.Errorf("format %q: want %s", format, strings.Join(Formats(), ", "))
}

// Images lists the image files of a folder and the folders below it, by their path relative to it, sorted. Images are told
// by their extension.
func Images(dir string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !IsImage(path) {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		found = append(found, filepath.ToSlash(rel))
		return err
	})
	slices.Sort(found)
	return found, err
}

// IsImage reports whether a file's extension is that of an image format that ingest decodes.
func IsImage(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff":
		return true
	}
	return false
}

func stem(image string) string {
	base := filepath.Base(image)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

func readFile(path string) ([]byte, bool, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	return data, err == nil, err
}
