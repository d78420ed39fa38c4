package coco

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"gleaner/schemas"
)

// result is one detection of the format's results ("Results format" there). File name, source and refinement are additions
// that other readers ignore.
type result struct {
	ImageID    int64      `json:"image_id"`
	FileName   string     `json:"file_name"`
	CategoryID int64      `json:"category_id"`
	Box        [4]float32 `json:"bbox"`
	Score      float32    `json:"score"`
	Source     string     `json:"gleaner_source,omitempty"`
	Refine     bool       `json:"gleaner_refine,omitempty"` // the category is only a super-class of what is wanted
}

// Results writes detections as a list of results, one a line, in the order in which they come.
type Results struct{ list list }

// NewResults begins a list. Errors of writing wait for End.
func NewResults(w io.Writer) *Results {
	r := &Results{list{w: bufio.NewWriterSize(w, 1<<16)}}
	r.list.raw("[")
	return r
}

// Add writes the detection o of an image.
func (r *Results) Add(image int64, file string, category int64, o schemas.Object) {
	b := o.Box
	r.list.add(result{image, file, category, [4]float32{b.X1, b.Y1, b.X2 - b.X1, b.Y2 - b.Y1}, o.Score, o.Source, o.Refine})
}

// End ends the list and returns how many results are in it.
func (r *Results) End() (int64, error) {
	r.list.raw("]\n")
	if err := errors.Join(r.list.err, r.list.w.Flush()); err != nil {
		return r.list.n, fmt.Errorf("coco: write results: %w", err)
	}
	return r.list.n, nil
}

// Image is an image that results speak of.
type Image struct {
	ID   int64
	File string
	W, H int // pixels
}

// WriteImages writes a COCO file of images and categories without annotations: what the ids of results mean. Categories are
// classes by id.
func WriteImages(w io.Writer, images []Image, categories map[int64]string) error {
	file := struct {
		Images      []image      `json:"images"`
		Annotations []annotation `json:"annotations"`
		Categories  []category   `json:"categories"`
	}{[]image{}, []annotation{}, []category{}}
	for _, i := range images {
		file.Images = append(file.Images, image{ID: i.ID, FileName: i.File, Width: i.W, Height: i.H})
	}
	for id, name := range categories {
		file.Categories = append(file.Categories, category{id, name})
	}
	slices.SortFunc(file.Categories, func(a, b category) int { return int(a.ID - b.ID) })
	if err := json.NewEncoder(w).Encode(file); err != nil {
		return fmt.Errorf("coco: write images: %w", err)
	}
	return nil
}
