// Command priors measures how small label maps are, and trains the models that their contours begin with
// (schemas/labelmap/priors.txt). It trains on superpixels of the photos of BSDS500 and of those of coco128 that do not fill 640x480,
// and measures on the other photos of coco128, cut to that size. The photos are those of GLEANER_DATA or ../shared/data.
//
// Priors are a part of the format: with others, maps that were written before are read wrongly. So what it writes with -write may
// replace priors.txt in a new version of the encoding alone.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"gleaner/connectors/formats"
	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas/geometry"
	"gleaner/schemas/labelmap"
	"gleaner/stages/pixels"
	"gleaner/stages/superpixel"
)

// width and height are those of the photos that are measured, and to which numbers of regions refer.
const width, height = 640, 480

// mix is how each photo is divided: the step's way, at two sizes of regions, and the qualities' own.
var mix = []superpixel.Params{
	{Regions: 400, Quality: superpixel.Fast, Compactness: superpixel.DefaultConfig().Compactness},
	{Regions: 800, Quality: superpixel.Fast, Compactness: superpixel.DefaultConfig().Compactness},
	{Regions: 400, Quality: superpixel.Fast}, // compactness 0: the quality's own
	{Regions: 800, Quality: superpixel.Fast},
	{Regions: 400, Quality: superpixel.Fine},
	{Regions: 800, Quality: superpixel.Fine},
}

func main() {
	write := flag.String("write", "", "file for newly trained priors; none: only measure those of this build")
	flag.Parse()
	if err := run(*write); err != nil {
		fmt.Fprintln(os.Stderr, "priors:", err)
		os.Exit(1)
	}
}

func run(write string) error {
	data, ok := realdata.Dir()
	if !ok {
		return errors.New("the real data is absent; set GLEANER_DATA to the folder that has it")
	}
	coco, err := read(filepath.Join(data, "coco128", "images"))
	if err != nil {
		return err
	}
	var train, held []*pixels.Image
	for _, img := range coco {
		if img.W < width || img.H < height {
			train = append(train, img)
			continue
		}
		x, y := float32((img.W-width)/2), float32((img.H-height)/2)
		held = append(held, pixels.Crop(img, geometry.Box{X1: x, Y1: y, X2: x + width, Y2: y + height}))
	}
	if err := measure(held); err != nil || write == "" {
		return err
	}
	for _, half := range []string{"train", "val"} {
		images, err := read(filepath.Join(data, "bsds500", half, "images"))
		if err != nil {
			return err
		}
		train = append(train, images...)
	}
	var segmenter superpixel.Segmenter
	var maps []*labelmap.Map
	for _, p := range mix {
		for _, img := range train {
			p := p
			p.Regions = max(p.Regions*img.W*img.H/(width*height), 1)
			maps = append(maps, segmenter.Segment(img.Pix, img.W, img.H, p))
		}
	}
	priors, err := labelmap.Train(maps)
	if err != nil {
		return err
	}
	fmt.Printf("trained on %d maps of %d photos\n", len(maps), len(train))
	return os.WriteFile(write, []byte(priors), 0o644)
}

// measure prints the mean sizes of the maps of photos, in bytes.
func measure(photos []*pixels.Image) error {
	var segmenter superpixel.Segmenter
	fmt.Printf("%d photos of %dx%d: mean bytes\n", len(photos), width, height)
	for _, p := range mix {
		for _, p.Levels = range []int{1, superpixel.DefaultConfig().Levels} {
			sum := 0
			for _, img := range photos {
				b, err := segmenter.Segment(img.Pix, img.W, img.H, p).Encode()
				if err != nil {
					return err
				}
				sum += len(b)
			}
			fmt.Printf("%8d  %d regions, %s, compactness %g, levels %d\n", sum/len(photos), p.Regions, p.Quality, p.Compactness, p.Levels)
		}
	}
	return nil
}

// read decodes the images of a folder.
func read(folder string) ([]*pixels.Image, error) {
	names, err := formats.Images(folder)
	if err != nil {
		return nil, err
	}
	images := make([]*pixels.Image, len(names))
	for i, name := range names {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		if images[i], _, err = pixels.Decode(data, pixels.DefaultLimits()); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return images, nil
}
