package label

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/connectors/formats/coco"
)

// Job is one image file, and what results call it.
type Job struct {
	Image string
	id    int64
	name  string
	err   error // why it cannot be labeled
}

// Plan gives image files their ids: those of a COCO file, or without one (nil) 1, 2, 3, … A COCO file has an image where its name is
// the file's path or the end of that after a separator, of several the longest. The error is of two files that are one
// image; one that is none of the COCO file's fails by itself.
func Plan(images []string, of *coco.File) ([]Job, error) {
	jobs := make([]Job, len(images))
	for i, image := range images {
		jobs[i] = Job{Image: image, id: int64(i + 1), name: filepath.ToSlash(image)}
	}
	if of == nil {
		return jobs, nil
	}
	ids, taken := map[string]int64{}, map[int64]string{}
	for id, name := range of.Images {
		if other, twice := ids[name]; twice {
			return nil, fmt.Errorf("images %d and %d are both called %s", min(id, other), max(id, other), name)
		}
		ids[name] = id
	}
	for i := range jobs {
		j := &jobs[i]
		id, ok := ids[j.name]
		for rest, more := j.name, true; !ok && more; {
			_, rest, more = strings.Cut(rest, "/")
			if id, ok = ids[rest]; ok {
				j.name = rest
			}
		}
		if !ok {
			j.err = fmt.Errorf("%s is none of the images that have annotations", j.Image)
			continue
		}
		if other, twice := taken[id]; twice {
			return nil, fmt.Errorf("%s and %s would both be image %d, %s", other, j.Image, id, j.name)
		}
		j.id, taken[id] = id, j.Image
	}
	return jobs, nil
}

// Results writes what is found as COCO results.
type Results struct {
	out        *coco.Results
	categories map[string]int64
	images     []coco.Image
	Unknown    map[string]int // detections that were left out, by their class, which is no category
}

// NewResults begins a list. Categories are classes with their ids.
func NewResults(w io.Writer, categories map[string]int64) *Results {
	return &Results{out: coco.NewResults(w), categories: categories, Unknown: map[string]int{}}
}

// Add writes what was found in an image.
func (r *Results) Add(from Result) {
	r.images = append(r.images, coco.Image{ID: from.id, File: from.name, W: from.W, H: from.H})
	for _, o := range from.Found {
		category, ok := r.categories[o.Class]
		if !ok {
			r.Unknown[o.Class]++
			continue
		}
		r.out.Add(from.id, from.name, category, o)
	}
}

// End ends the list and returns how many results are in it.
func (r *Results) End() (int64, error) { return r.out.End() }

// WriteImages writes a COCO file of the images that results are of, and the categories.
func (r *Results) WriteImages(w io.Writer) error {
	names := make(map[int64]string, len(r.categories))
	for name, id := range r.categories {
		names[id] = name
	}
	return coco.WriteImages(w, r.images, names)
}

// Categories gives classes their ids: those of a COCO file's categories, or without one (nil) 1, 2, 3, … in their order. The error
// is of classes none of which is a category, and of categories that are called alike.
func Categories(classes []string, of *coco.File) (map[string]int64, error) {
	ids := map[string]int64{}
	if of == nil {
		for _, c := range classes {
			if _, ok := ids[c]; !ok {
				ids[c] = int64(len(ids) + 1)
			}
		}
		return ids, nil
	}
	for id, name := range of.Categories {
		if other, twice := ids[name]; twice {
			return nil, fmt.Errorf("categories %d and %d are both called %s", min(id, other), max(id, other), name)
		}
		ids[name] = id
	}
	if !slices.ContainsFunc(classes, func(c string) bool { _, ok := ids[c]; return ok }) {
		return nil, fmt.Errorf("none of its %d categories is one of the %d classes that can be found: a taxonomy translates classes", len(ids), len(classes))
	}
	return ids, nil
}
