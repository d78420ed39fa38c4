package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"

	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/trainers/classify"
)

// cifar reads the training images of CIFAR-10, in the order of their names.
func cifar(ctx context.Context) (images classify.Images, err error) {
	dir, ok := realdata.Dir()
	if !ok {
		return images, errors.New("NOTHING WAS MEASURED: the real data is absent; set GLEANER_DATA to the folder that has it")
	}
	f, err := os.Open(filepath.Join(dir, "cifar10", "train.tar.gz"))
	if err != nil {
		return images, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return images, fmt.Errorf("%s: %w", f.Name(), err)
	}
	images.Side = 32
	for files := tar.NewReader(z); ctx.Err() == nil; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return images, images.Validate()
		}
		if err != nil {
			return images, fmt.Errorf("%s: %w", f.Name(), err)
		}
		if path.Ext(h.Name) != ".jpg" {
			continue
		}
		picture, err := jpeg.Decode(files)
		if err != nil {
			return images, fmt.Errorf("%s: %s: %w", f.Name(), h.Name, err)
		}
		if picture.Bounds() != image.Rect(0, 0, images.Side, images.Side) {
			return images, fmt.Errorf("%s: %s: %v: want %d pixels a side", f.Name(), h.Name, picture.Bounds(), images.Side)
		}
		class := path.Base(path.Dir(h.Name))
		label := slices.Index(images.Classes, class)
		if label < 0 {
			label = len(images.Classes)
			images.Classes = append(images.Classes, class)
		}
		images.Labels = append(images.Labels, label)
		images.Samples = append(images.Samples, schemas.NewSampleID("cifar10", h.Name, schemas.Hash{}))
		images.Pixels = append(images.Pixels, planes(picture)...)
	}
	return images, context.Cause(ctx)
}

// planes are the red, green and blue levels of a picture, plane by plane.
func planes(p image.Image) []uint8 {
	b := p.Bounds()
	n := b.Dx() * b.Dy()
	out := make([]uint8, 3*n)
	for i := range n {
		r, g, bl, _ := p.At(b.Min.X+i%b.Dx(), b.Min.Y+i/b.Dx()).RGBA()
		out[i], out[n+i], out[2*n+i] = uint8(r>>8), uint8(g>>8), uint8(bl>>8)
	}
	return out
}

// chosen are the images at some places.
func chosen(images classify.Images, at []int) classify.Images {
	out := classify.Images{Side: images.Side, Classes: images.Classes}
	size := 3 * images.Side * images.Side
	for _, i := range at {
		out.Pixels = append(out.Pixels, images.Pixels[i*size:(i+1)*size]...)
		out.Labels = append(out.Labels, images.Labels[i])
		out.Samples = append(out.Samples, images.Samples[i])
	}
	return out
}
