package coco

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// File is what a COCO file says.
type File struct {
	Objects    map[string][]schemas.Object // of each image, by file name
	Crowds     map[string][]schemas.Object // likewise: regions of many things that are not labeled one by one
	Sizes      map[string][2]int           // width and height in pixels, likewise; 0 where the file does not say
	Exported   map[string]Exported         // of images that Write wrote, likewise
	Images     map[int64]string            // file names by id
	Categories map[int64]string            // names by id
}

// Exported is what Write says of an image beside COCO's own fields.
type Exported struct {
	Sample  schemas.SampleID
	Objects []string // ids of File.Objects where they were exported from; empty for what was added since
}

// Read decodes a COCO file. It streams over the lists and holds the boxes, about 150 bytes each, not the masks. Objects get
// the ids o1, o2, … in the file's order of each image; crowd regions are apart, since they are no single object, but counted.
func Read(r io.Reader) (*File, error) {
	type located struct {
		annotation
		at int
	}
	var (
		names   = map[int64]string{}
		files   = map[int64]string{}
		sizes   = map[string][2]int{}
		pending []located
		origins map[string]Exported
	)
	d := json.NewDecoder(r)
	if err := expect(d, json.Delim('{')); err != nil {
		return nil, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("not COCO JSON: %w", err)
		}
		n := 0
		switch key {
		case "images":
			err = each(d, func() error {
				var i image
				err := d.Decode(&i)
				if err == nil && i.FileName == "" {
					err = fmt.Errorf("image %d has no file_name", i.ID)
				}
				files[i.ID], sizes[i.FileName] = i.FileName, [2]int{i.Width, i.Height}
				if i.SampleID != "" && err == nil {
					var of Exported
					if of.Sample, err = schemas.ParseSampleID(i.SampleID); err != nil {
						err = fmt.Errorf("image %d: gleaner_sample_id: %w", i.ID, err)
					}
					if origins == nil {
						origins = map[string]Exported{}
					}
					origins[i.FileName] = of
				}
				return err
			})
		case "categories":
			err = each(d, func() error {
				var c category
				err := d.Decode(&c)
				names[c.ID] = c.Name
				return err
			})
		case "annotations":
			err = each(d, func() error {
				var a annotation
				err := d.Decode(&a)
				n++
				pending = append(pending, located{a, n})
				return err
			})
		default:
			var skip json.RawMessage
			err = d.Decode(&skip)
		}
		if err != nil {
			return nil, fmt.Errorf("not COCO JSON: %v: %w", key, err)
		}
	}
	f := &File{Objects: make(map[string][]schemas.Object, len(files)), Crowds: map[string][]schemas.Object{}, Sizes: sizes, Exported: origins, Images: files, Categories: names}
	for _, name := range files {
		f.Objects[name] = nil
	}
	counts := map[string]int{}
	for _, a := range pending {
		file, ok := files[a.ImageID]
		if !ok {
			return nil, fmt.Errorf("annotation %d (id %d): image_id %d is not among the images", a.at, a.ID, a.ImageID)
		}
		class, ok := names[a.CategoryID]
		if !ok {
			return nil, fmt.Errorf("annotation %d (id %d): category_id %d is not among the categories", a.at, a.ID, a.CategoryID)
		}
		if len(a.Box) != 4 {
			return nil, fmt.Errorf("annotation %d (id %d): bbox has %d numbers: want left, top, width and height", a.at, a.ID, len(a.Box))
		}
		counts[file]++
		b := a.Box
		o := schemas.Object{
			ID: fmt.Sprintf("o%d", counts[file]), Class: class,
			Box: geometry.Box{X1: float32(b[0]), Y1: float32(b[1]), X2: float32(b[0] + b[2]), Y2: float32(b[1] + b[3])},
		}
		if a.Crowd != 0 {
			f.Crowds[file] = append(f.Crowds[file], o)
			continue
		}
		f.Objects[file] = append(f.Objects[file], o)
		if of, ok := origins[file]; ok {
			of.Objects = append(of.Objects, a.ObjectID)
			origins[file] = of
		}
	}
	return f, nil
}

func each(d *json.Decoder, element func() error) error {
	if err := expect(d, json.Delim('[')); err != nil {
		return err
	}
	for d.More() {
		if err := element(); err != nil {
			return err
		}
	}
	return expect(d, json.Delim(']'))
}

func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("not COCO JSON: %w", err)
	}
	if got != want {
		return fmt.Errorf("not COCO JSON: %v where %v should be", got, want)
	}
	return nil
}
