package coco

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"gleaner/schemas"
)

// Write streams labels to w as one COCO file and returns how many images and annotations it wrote. Memory is bounded by
// the number of classes: annotations are spooled to a temporary file, since the format keeps them in a list of their own.
// An image's file name is its unique id, or its digest where it has none. Ids count from 1 in the order of the labels.
func Write(w io.Writer, labels iter.Seq2[schemas.Label, error]) (images, annotations int64, err error) {
	spool, err := os.CreateTemp("", "gleaner-coco-*.json")
	if err != nil {
		return 0, 0, fmt.Errorf("coco: spool annotations: %w", err)
	}
	defer func() {
		err = errors.Join(err, spool.Close(), os.Remove(spool.Name()))
	}()
	out, side := &list{w: bufio.NewWriterSize(w, 1<<16)}, &list{w: bufio.NewWriterSize(spool, 1<<16)}
	classes := map[string]int64{}
	var names []string

	out.raw(`{"info":{"description":"exported by gleaner"},"images":[`)
	for label, err := range labels {
		if err != nil {
			return out.n, side.n, fmt.Errorf("coco: read labels: %w", err)
		}
		name := label.UniqueID
		if name == "" {
			name = label.Image.SHA256.String()
		}
		id := out.n + 1
		out.add(image{
			ID: id, FileName: name, Width: label.Image.W, Height: label.Image.H, SHA256: label.Image.SHA256.String(),
			SampleID: label.SampleID.String(), Rank: label.Rank.String(), Actor: label.Actor,
		})
		for _, o := range label.Objects {
			class, ok := classes[o.Class]
			if !ok {
				class = int64(len(classes) + 1)
				classes[o.Class] = class
				names = append(names, o.Class)
			}
			side.add(annotation{
				ID: side.n + 1, ImageID: id, CategoryID: class,
				Box:  []float64{float64(o.Box.X1), float64(o.Box.Y1), float64(o.Box.W()), float64(o.Box.H())},
				Area: o.Box.Area(), Source: o.Source, ObjectID: o.ID, Attributes: o.Attributes,
			})
		}
	}
	images, annotations = out.n, side.n
	out.raw("],\n\"annotations\":[")
	if err := errors.Join(side.err, side.w.Flush()); err != nil {
		return images, annotations, fmt.Errorf("coco: spool annotations: %w", err)
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return images, annotations, fmt.Errorf("coco: spool annotations: %w", err)
	}
	if _, err := io.Copy(out.w, spool); err != nil {
		return images, annotations, fmt.Errorf("coco: write: %w", err)
	}
	out.raw("],\n\"categories\":[")
	out.n = 0
	for i, name := range names {
		out.add(category{ID: int64(i + 1), Name: name})
	}
	out.raw("]}\n")
	if err := errors.Join(out.err, out.w.Flush()); err != nil {
		return images, annotations, fmt.Errorf("coco: write: %w", err)
	}
	return images, annotations, nil
}

// list writes the elements of a JSON list, one a line, and keeps the first error.
type list struct {
	w   *bufio.Writer
	n   int64
	err error
}

func (l *list) raw(s string) {
	if _, err := l.w.WriteString(s); l.err == nil {
		l.err = err
	}
}

func (l *list) add(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		l.err = errors.Join(l.err, err)
		return
	}
	if l.n > 0 {
		l.raw(",\n")
	}
	l.n++
	l.raw(string(b))
}
