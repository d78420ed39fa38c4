package coco

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// File is what a COCO file says.
type File struct {
	Objects    map[string][]schemas.Object // of each image, by file name
	Crowds     map[string][]schemas.Object // likewise: regions of many things that are not labeled one by one
	Sizes      map[string][2]int           // width and height in pixels, likewise; 0 where the file does not say
	Exported   map[string]Exported         // of images that Write wrote, likewise
	Faults     map[string]error            // why the annotations of an image cannot be used, likewise
	Orphans    []string                    // annotations that are of none of the images, and why
	Images     map[int64]string            // file names by id
	Categories map[int64]string            // names by id
}

// Exported is what Write says of an image beside COCO's own fields.
type Exported struct {
	Sample  schemas.SampleID
	Objects []string // ids of File.Objects where they were exported from; empty for what was added since
}

// record is what is read of an annotation, with its place among all, from 1, and what is wrong with it. Ids are numbers that some write with a fraction of zero.
type record struct {
	ID         any       `json:"id"`
	ImageID    float64   `json:"image_id"` // NaN: there is none
	CategoryID float64   `json:"category_id"`
	Box        []float64 `json:"bbox"`
	Crowd      any       `json:"iscrowd"`
	ObjectID   any       `json:"gleaner_object_id"`
	Attributes any       `json:"attributes"`

	at    int
	fault error
}

// Read decodes a COCO file. It streams over the lists and holds the boxes, about 150 bytes each, and their attributes, not the masks. Objects get
// the ids o1, o2, … in the file's order of each image; crowd regions are apart, since they are no single object, but counted. An annotation that
// cannot be used is a fault of its image alone, or of none. Images or categories that cannot be told apart are errors.
func Read(r io.Reader) (*File, error) {
	var (
		names   = map[int64]string{}
		files   = map[int64]string{}
		sizes   = map[string][2]int{}
		pending []record
		origins = map[string]Exported{}
	)
	in := bufio.NewReader(r)
	if mark, _ := in.Peek(3); string(mark) == "\xef\xbb\xbf" {
		_, _ = in.Discard(len(mark))
	}
	d := json.NewDecoder(in)
	d.UseNumber()
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
				n++
				if err := decode(d, &i); err != nil {
					return fmt.Errorf("image %d: %w", n, err)
				}
				_, twice := sizes[i.FileName]
				other, again := files[i.ID]
				switch {
				case i.FileName == "":
					return fmt.Errorf("image %d has no file_name", i.ID)
				case again:
					return fmt.Errorf("id %d is that of image %s and of image %s", i.ID, other, i.FileName)
				case twice:
					return fmt.Errorf("image %s is there twice", i.FileName)
				}
				files[i.ID], sizes[i.FileName] = i.FileName, [2]int{i.Width, i.Height}
				if i.SampleID == "" {
					return nil
				}
				of, err := schemas.ParseSampleID(i.SampleID)
				if err != nil {
					return fmt.Errorf("image %d: gleaner_sample_id: %w", i.ID, err)
				}
				origins[i.FileName] = Exported{Sample: of}
				return nil
			})
		case "categories":
			err = each(d, func() error {
				var c category
				n++
				if err := decode(d, &c); err != nil {
					return fmt.Errorf("category %d: %w", n, err)
				}
				if other, twice := names[c.ID]; twice && other != c.Name {
					return fmt.Errorf("id %d is that of category %s and of category %s", c.ID, other, c.Name)
				}
				names[c.ID] = c.Name
				return nil
			})
		case "annotations":
			err = each(d, func() error {
				n++
				a := record{ImageID: math.NaN(), CategoryID: math.NaN(), at: n}
				a.fault = decode(d, &a)
				if wrong := (wrongType{}); a.fault != nil && !errors.As(a.fault, &wrong) {
					return fmt.Errorf("annotation %d: %w", n, a.fault)
				}
				pending = append(pending, a)
				return nil
			})
		default:
			var skip json.RawMessage
			err = d.Decode(&skip)
		}
		if err != nil {
			return nil, fmt.Errorf("not COCO JSON: %v: %w", key, err)
		}
	}
	f := &File{
		Objects: make(map[string][]schemas.Object, len(files)), Crowds: map[string][]schemas.Object{}, Sizes: sizes, Exported: origins, Faults: map[string]error{},
		Images: files, Categories: names,
	}
	for _, name := range files {
		f.Objects[name] = nil
	}
	counts := map[string]int{}
	for _, a := range pending {
		file, ok := byNumber(files, a.ImageID)
		if !ok {
			f.Orphans = append(f.Orphans, fmt.Sprintf("annotation %d (id %v): %s", a.at, a.ID, a.astray()))
			continue
		}
		counts[file]++
		o, err := a.object(names)
		if err != nil {
			f.Faults[file] = cmp.Or(f.Faults[file], fmt.Errorf("annotation %d (id %v): %w", a.at, a.ID, err))
			continue
		}
		o.ID = fmt.Sprintf("o%d", counts[file])
		if n, _ := a.Crowd.(json.Number); a.Crowd == true || n != "" && n != "0" && n != "0.0" {
			f.Crowds[file] = append(f.Crowds[file], o)
			continue
		}
		f.Objects[file] = append(f.Objects[file], o)
		if of, ok := origins[file]; ok {
			id, _ := a.ObjectID.(string)
			of.Objects = append(of.Objects, id)
			origins[file] = of
		}
	}
	return f, nil
}

// byNumber is the value of an id.
func byNumber(of map[int64]string, id float64) (string, bool) {
	if id != math.Trunc(id) || math.Abs(id) >= 1<<53 { // NaN, too
		return "", false
	}
	x, ok := of[int64(id)]
	return x, ok
}

// astray is why an annotation is of no image.
func (a *record) astray() string {
	switch {
	case a.fault != nil:
		return a.fault.Error()
	case math.IsNaN(a.ImageID):
		return "it has no image_id"
	}
	return fmt.Sprintf("image_id %v is not among the images", a.ImageID)
}

func (a *record) object(names map[int64]string) (o schemas.Object, err error) {
	class, ok := byNumber(names, a.CategoryID)
	switch {
	case a.fault != nil:
		return o, a.fault
	case math.IsNaN(a.CategoryID):
		return o, errors.New("it has no category_id")
	case !ok:
		return o, fmt.Errorf("category_id %v is not among the categories", a.CategoryID)
	case len(a.Box) != 4:
		return o, fmt.Errorf("bbox has %d numbers: want left, top, width and height", len(a.Box))
	}
	b := a.Box
	return schemas.Object{
		Class: class, Box: geometry.Box{X1: float32(b[0]), Y1: float32(b[1]), X2: float32(b[0] + b[2]), Y2: float32(b[1] + b[3])}, Attributes: attributes(a.Attributes),
	}, nil
}

// attributes are those that are texts, numbers, true or false, but for what CVAT says of every box beside them. It tells whether something is hidden, not how much of it
// is, which is what the attribute is about here.
func attributes(of any) (out map[string]string) {
	all, _ := of.(map[string]any)
	for name, value := range all {
		text := fmt.Sprint(value)
		switch value.(type) {
		case string, bool, json.Number:
		default:
			continue
		}
		switch name {
		case "rotation", "track_id", "keyframe":
			continue
		case schemas.AttributeOccluded:
			if x, err := strconv.ParseFloat(text, 64); err != nil || !(x >= 0 && x <= 1) {
				continue
			}
		}
		if out == nil {
			out = map[string]string{}
		}
		out[name] = text
	}
	return out
}

// wrongType is a field of a record that has a value of another kind than it should; the record's others are read.
type wrongType struct{ field, is, want string }

func (w wrongType) Error() string { return fmt.Sprintf("%s is a %s: want %s", w.field, w.is, w.want) }

// decode reads the next record of a list.
func decode(d *json.Decoder, record any) error {
	err := d.Decode(record)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		want := "another kind of value"
		switch wrong.Type.Kind() {
		case reflect.Int, reflect.Int64, reflect.Float64:
			want = "a number"
		case reflect.String:
			want = "a text"
		case reflect.Slice:
			want = "a list"
		}
		return wrongType{cmp.Or(wrong.Field, "it"), wrong.Value, want}
	}
	return err
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
