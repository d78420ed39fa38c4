// Package segment divides image files into superpixels and writes them as label map files: 16-bit gray PNGs whose values are
// region ids, which other tools read.
package segment

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/deploy/batch"
	"gleaner/stages/pixels"
	"gleaner/stages/superpixel"
)

// Options say what is written for each image.
type Options struct {
	Params  superpixel.Params
	Out     string // folder, made if absent
	Overlay bool   // also the image with the regions' borders
	Jobs    int    // images at a time, at least 1
	Limits  pixels.Limits
}

// Job is one image file and the files that come of it, by level, finest first.
type Job struct {
	Image    string
	maps     [][]string // the names of each level's label map
	overlays []string   // empty without Options.Overlay
	stale    []string   // what a run with other options may have left of the image, which would belong to another map
}

// outputs are all files that come of a job.
func (j Job) outputs() []string { return slices.Concat(slices.Concat(j.maps...), j.overlays) }

// Plan lists the images among the paths, files or folders with the folders below, and names what is written for each, where a stem
// is an image's path within its folder, or its name for a single file, without the extension:
//
//	OUT/<stem>.png              the label map, of the finest level
//	OUT/<stem>.L<n>.png         with several levels, each: n = 1 is the finest
//	OUT/<stem>.overlay.jpg      the overlay of the only level,
//	OUT/<stem>.L<n>.overlay.jpg or those of several
//
// Files of these names that a run with other levels or overlays left of the image are removed, but for images and what comes of others.
// Plan touches nothing, and refuses two images that would write one file, to overwrite an image, whatever names and links lead to it,
// and to write into a folder whose images are divided. What lies in OUT below such a folder are label maps, and no images.
func Plan(paths []string, o Options) ([]Job, error) {
	images, err := batch.List(paths)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !info.IsDir() || !holds(path, o.Out) {
			continue
		}
		if holds(o.Out, path) {
			return nil, fmt.Errorf("%s is the folder of the images, for which the next run would take the label maps: write to another folder", o.Out)
		}
		images = slices.DeleteFunc(images, func(image string) bool { return holds(o.Out, image) && !slices.Contains(paths, image) })
	}
	jobs := make([]Job, len(images))
	from := map[string]string{} // the image that a file comes of
	for i, image := range images {
		jobs[i] = o.job(image, nameWithin(paths, image))
		for _, out := range jobs[i].outputs() {
			if other, taken := from[out]; taken {
				return nil, fmt.Errorf("%s and %s would both be written to %s: divide them into different folders", other, image, out)
			}
			from[out] = image
		}
	}
	known := batch.FilesOf(images)
	for _, j := range jobs {
		for _, out := range j.outputs() {
			if image := known.Name(out); image != "" {
				return nil, fmt.Errorf("%s would be overwritten by the label map of %s: write to a folder that is not among the images", image, j.Image)
			}
		}
	}
	for i, j := range jobs {
		jobs[i].stale = slices.DeleteFunc(j.stale, func(name string) bool { return from[name] != "" || known.Name(name) != "" })
	}
	return jobs, nil
}

// holds reports whether path is a folder or lies below it.
func holds(folder, path string) bool {
	from, err1 := filepath.Abs(folder)
	to, err2 := filepath.Abs(path)
	rel, err := filepath.Rel(from, to)
	return errors.Join(err1, err2, err) == nil && filepath.IsLocal(rel)
}

// nameWithin is the path of an image within the first of the paths that it comes of.
func nameWithin(paths []string, image string) string {
	for _, path := range paths {
		if rel, err := filepath.Rel(path, image); err == nil && filepath.IsLocal(rel) && rel != "." {
			return rel
		}
	}
	return filepath.Base(image)
}

func (o Options) job(image, name string) Job {
	stem := filepath.Join(o.Out, strings.TrimSuffix(name, filepath.Ext(name)))
	j := Job{Image: image, maps: [][]string{{stem + ".png"}}}
	levels := []string{stem}
	if o.Params.Levels > 1 {
		levels = nil
		for n := 1; n <= o.Params.Levels; n++ {
			levels = append(levels, fmt.Sprintf("%s.L%d", stem, n))
		}
		j.maps[0] = append(j.maps[0], levels[0]+".png")
		for _, l := range levels[1:] {
			j.maps = append(j.maps, []string{l + ".png"})
		}
	}
	if o.Overlay {
		for _, l := range levels {
			j.overlays = append(j.overlays, l+".overlay.jpg")
		}
	}
	j.stale = []string{stem + ".overlay.jpg"}
	for n := 1; n <= superpixel.MaxLevels; n++ {
		level := fmt.Sprintf("%s.L%d", stem, n)
		j.stale = append(j.stale, level+".png", level+".overlay.jpg")
	}
	return j
}
