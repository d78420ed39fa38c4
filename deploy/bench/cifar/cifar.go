// Package cifar reads CIFAR-10, as the real data has it, for benchmarks.
package cifar

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"path/filepath"
	"slices"

	"gleaner/connectors/formats/imagefolder"
	"gleaner/deploy/e2e/realdata"
	"gleaner/deploy/train"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/trainers/classify"
)

// Side is how many pixels images have a side.
const Side = 32

// Picture is a decoded image of Side by Side pixels.
type Picture struct {
	Name, Class string
	*pixels.Image
}

// Pictures yields those of a split, train or test, in the order of its archive. The sequence ends at its first error.
func Pictures(ctx context.Context, split string) iter.Seq2[Picture, error] {
	return func(yield func(Picture, error) bool) {
		dir, ok := realdata.Dir()
		if !ok {
			yield(Picture{}, errors.New("NOTHING WAS MEASURED: the real data is absent; set GLEANER_DATA to the folder that has it"))
			return
		}
		limits := pixels.DefaultLimits()
		for f, err := range imagefolder.Files(filepath.Join(dir, "cifar10", split+".tar.gz"), int64(limits.MaxBytes)) {
			p := Picture{Name: f.Name, Class: path.Base(path.Dir(f.Name))}
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				p.Image, _, err = pixels.Decode(f.Data, limits)
			}
			if err == nil && (p.W != Side || p.H != Side) {
				err = fmt.Errorf("it has %d x %d pixels, not %d x %d", p.W, p.H, Side, Side)
			}
			if err != nil {
				err = fmt.Errorf("CIFAR-10: %s: %w", f.Name, err)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// Read is a whole split; classes are in the order of their names.
func Read(ctx context.Context, split string) (classify.Images, error) {
	im := classify.Images{Side: Side}
	var classes []string // of each image
	for p, err := range Pictures(ctx, split) {
		if err != nil {
			return im, err
		}
		im.Pixels = append(im.Pixels, train.Planes(p.Image, Side)...)
		im.Samples = append(im.Samples, schemas.NewSampleID("cifar10", p.Name, schemas.Hash{}))
		classes = append(classes, p.Class)
	}
	im.Classes = slices.Compact(slices.Sorted(slices.Values(classes)))
	for _, class := range classes {
		im.Labels = append(im.Labels, slices.Index(im.Classes, class))
	}
	return im, nil
}

// Subset is the images of these indexes.
func Subset(im classify.Images, index []int) classify.Images {
	out := classify.Images{Side: im.Side, Classes: im.Classes}
	size := 3 * im.Side * im.Side
	for _, i := range index {
		out.Pixels = append(out.Pixels, im.Pixels[i*size:(i+1)*size]...)
		out.Labels = append(out.Labels, im.Labels[i])
		out.Samples = append(out.Samples, im.Samples[i])
	}
	return out
}
