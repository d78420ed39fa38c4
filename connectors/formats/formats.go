// Package formats finds the labels that lie beside a folder of images, in whichever of the known formats they are.
package formats

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gleaner/connectors/formats/coco"
	"gleaner/connectors/formats/voc"
	"gleaner/connectors/formats/yolo"
	"gleaner/schemas"
)

// Beside is the labels beside a folder of images.
type Beside struct {
	Format string            // "coco", "voc" or "yolo"
	From   string            // the file or folder they come from
	Files  []string          // all label files, and that of the class names
	Spare  []string          // label files, or images to which COCO gives objects, or annotations of it, that are of none of the images
	Names  []string          // the classes that labels can have: YOLO's names, COCO's categories; VOC says none
	of     map[string]string // where each image's labels are: the label file or, in COCO, the image's name there
	read   func(place string, w, h int) ([]schemas.Object, error)
	crowds map[string][]schemas.Object              // of COCO: regions of many things that are not labeled one by one, by place
	origin func(place string) (coco.Exported, bool) // nil: no labels here say where they were exported from
}

// Errors of labels and images that do not go together.
var (
	ErrNone      = errors.New("no labels beside the images")
	ErrUnmatched = errors.New("none of the images has labels")
	ErrAmbiguous = errors.New("which labels are of which image cannot be told")
)

// Open looks for labels in the folder and in the one above it, in this order: a COCO file (annotations.json, labels.json,
// _annotations.coco.json), Pascal VOC files (annotations/*.xml), YOLO files (labels/*.txt with the class names in
// config.yaml, data.yaml or dataset.yaml), the files in folders like those of the images or in one. An error other than ErrNone says what
// was found and could not be read, or be matched with the images.
func Open(images string) (*Beside, error) {
	images, err := filepath.Abs(images)
	if err != nil {
		return nil, err
	}
	names, err := Images(images)
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{images, filepath.Dir(images)} {
		for _, open := range []func(string, []string) (*Beside, error){openCOCO, openVOC, openYOLO} {
			b, err := open(dir, names)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrUnmatched) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("labels beside %s: %w", images, err)
			}
			return b, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNone, images)
}

// Objects returns the labels of an image by its path below the folder, and whether there is a word about it at all: an image without
// objects is not the same as one that nobody labeled. The image has w by h pixels, upright; it is an error when VOC or COCO state another
// size, since the boxes then are of another image, or of this one before it was scaled or turned.
//
// The ids o1, o2, … count what is there about the image in the file's order: lines that are not empty of YOLO, objects of VOC, and
// annotations of COCO, crowd regions too although they are apart (Crowds).
func (b *Beside) Objects(image string, w, h int) ([]schemas.Object, bool, error) {
	if !b.Labeled(image) {
		return nil, false, nil
	}
	objects, err := b.read(b.of[image], w, h)
	if err != nil {
		from := b.From
		if b.Format != "coco" {
			from = filepath.Join(from, filepath.FromSlash(b.of[image]))
		}
		return nil, false, fmt.Errorf("labels of %s in %s: %w", image, from, err)
	}
	return objects, true, nil
}

// Crowds are regions of an image where many things of a class are not labeled one by one, and nothing of it is missing.
func (b *Beside) Crowds(image string) []schemas.Object { return b.crowds[b.of[image]] }

// Labeled tells whether there is a word about an image at all.
func (b *Beside) Labeled(image string) bool { return b.of[image] != "" }

// fits is an error where labels are for an image of another size, as far as they state any; a pixel may be lost in rounding.
func fits(statedW, statedH, w, h int) error {
	off := func(stated, is int) bool { return stated > 0 && max(stated-is, is-stated) > 1 }
	if off(statedW, w) || off(statedH, h) {
		return fmt.Errorf("they are for an image of %d x %d pixels, and it has %d x %d (upright): scale the boxes, or mend the size that the labels state", statedW, statedH, w, h)
	}
	return nil
}

// Exported returns which sample an image is, and which of its objects are which of those that Objects gives, where `gleaner export` wrote
// the labels.
func (b *Beside) Exported(image string) (coco.Exported, bool) {
	if b.origin == nil {
		return coco.Exported{}, false
	}
	return b.origin(b.of[image])
}

// Place is where an object with one of the ids that Objects gives is in its file, from 0; false for other ids.
func Place(id string) (int, bool) {
	digits, ok := strings.CutPrefix(id, "o")
	n, err := strconv.Atoi(digits)
	return n - 1, ok && err == nil && n > 0
}

// firstOf is what open makes of the first of some names in a folder that is there.
func firstOf(dir string, names []string, open func(path string) (*Beside, error)) (*Beside, error) {
	for _, name := range names {
		b, err := open(filepath.Join(dir, name))
		if !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
	}
	return nil, fs.ErrNotExist
}

func openCOCO(dir string, images []string) (*Beside, error) {
	return firstOf(dir, []string{"annotations.json", "labels.json", "_annotations.coco.json"}, func(path string) (*Beside, error) {
		return cocoFile(path, images)
	})
}

func cocoFile(path string, images []string) (*Beside, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file, err := coco.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	there := map[string]string{} // names by what they are here
	for name := range file.Objects {
		there[strings.ReplaceAll(name, `\`, "/")] = name // as Windows writes paths
	}
	of, spare, err := match(images, slices.Sorted(maps.Keys(there)), func(image string) string { return image })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for image, name := range of {
		of[image] = there[name]
	}
	spare = append(slices.DeleteFunc(spare, func(name string) bool { return len(file.Objects[there[name]]) == 0 }), file.Orphans...)
	return &Beside{Format: "coco", From: path, Files: []string{path}, Spare: spare, Names: slices.Sorted(maps.Values(file.Categories)), of: of, crowds: file.Crowds, read: func(name string, w, h int) ([]schemas.Object, error) {
		size := file.Sizes[name]
		return file.Objects[name], cmp.Or(file.Faults[name], fits(size[0], size[1], w, h))
	}, origin: func(name string) (coco.Exported, bool) {
		e, ok := file.Exported[name]
		return e, ok
	}}, nil
}

func openVOC(dir string, images []string) (*Beside, error) {
	return firstOf(dir, []string{"annotations", "Annotations"}, func(path string) (*Beside, error) { return vocFolder(path, images) })
}

func vocFolder(folder string, images []string) (*Beside, error) {
	return openFolder("voc", folder, ".xml", images, func(data []byte, w, h int) ([]schemas.Object, error) {
		a, err := voc.Read(bytes.NewReader(data))
		if err == nil {
			err = fits(a.W, a.H, w, h)
		}
		return a.Objects, err
	})
}

func openYOLO(dir string, images []string) (*Beside, error) {
	return yoloFolder(filepath.Join(dir, "labels"), images, nil, dir)
}

// yoloFolder takes a folder of YOLO labels, whose class names are in one of some other folders where they are nil.
func yoloFolder(folder string, images, names []string, configs ...string) (*Beside, error) {
	b, err := openFolder("yolo", folder, ".txt", images, func(data []byte, w, h int) ([]schemas.Object, error) {
		return yolo.Read(bytes.NewReader(data), names, w, h)
	})
	if err != nil {
		return nil, err
	}
	b.Spare = slices.DeleteFunc(b.Spare, func(name string) bool { return path.Base(name) == "classes.txt" }) // names, which labelImg puts there
	if names == nil {
		var file string
		if names, file, err = yoloNames(configs); err != nil {
			return nil, err
		}
		b.Files = append(b.Files, file)
	}
	b.Names = names
	return b, nil
}

// openFolder takes a folder in which each image has a file.
func openFolder(format, folder, ext string, images []string, read func(data []byte, w, h int) ([]schemas.Object, error)) (*Beside, error) {
	var names []string
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path.Ext(name) == ext {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	of, spare, err := match(images, names, func(image string) string { return strings.TrimSuffix(image, path.Ext(image)) + ext })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	b := &Beside{Format: format, From: folder, Spare: spare, of: of, read: func(name string, w, h int) ([]schemas.Object, error) {
		data, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		return read(data, w, h)
	}}
	for _, name := range names {
		b.Files = append(b.Files, filepath.Join(folder, filepath.FromSlash(name)))
	}
	return b, nil
}

var yoloConfigs = []string{"config.yaml", "data.yaml", "dataset.yaml"}

// ErrNoNames: there are YOLO labels, and no file that names their classes.
var ErrNoNames = errors.New("the class names are missing")

// yoloNames reads the class names of YOLO labels from the first file in the folders that has them, and says which that is.
func yoloNames(folders []string) (names []string, file string, err error) {
	for _, dir := range folders {
		for _, name := range yoloConfigs {
			file = filepath.Join(dir, name)
			data, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, "", err
			}
			if names, err = yolo.ReadNames(data); err != nil {
				return nil, "", fmt.Errorf("%s: %w", file, err)
			}
			return names, file, nil
		}
	}
	return nil, "", fmt.Errorf("%s has YOLO labels, but %w: put them beside it in %s, under the key `names`",
		folders[len(folders)-1], ErrNoNames, strings.Join(yoloConfigs, ", "))
}

// Formats are the names of the known formats.
func Formats() []string { return []string{"yolo", "voc", "coco"} }

// OpenAs takes the labels of images that lie at a path, in a format that is known: the folder of the label files or, for COCO, the file.
// Images are named by their paths below their folder. names are the classes of YOLO labels in their order; nil: those of the YAML file
// in the folder or the one above it.
func OpenAs(format, path string, images, names []string) (*Beside, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if folder := format != "coco"; info.IsDir() != folder {
		return nil, fmt.Errorf("%s: %s labels are a %s", path, format, map[bool]string{true: "folder", false: "file"}[folder])
	}
	switch format {
	case "coco":
		return cocoFile(path, images)
	case "voc":
		return vocFolder(path, images)
	case "yolo":
		return yoloFolder(path, images, names, path, filepath.Dir(filepath.Clean(path)))
	}
	return nil, fmt.Errorf("format %q: want %s", format, strings.Join(Formats(), ", "))
}

// Images lists the image files of a folder, which may be a link to one, and of the folders below it, by their slash-separated path
// relative to it, sorted. Images are told by their extension; links to folders below are not followed.
func Images(dir string) ([]string, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder", dir)
	}
	var found []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && IsImage(name) {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("images of %s: %w", dir, err)
	}
	slices.Sort(found)
	return found, nil
}

// IsImage reports whether a file's extension is that of an image format that ingest decodes.
func IsImage(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff":
		return true
	}
	return false
}
