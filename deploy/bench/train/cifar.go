package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/trainers/classify"
)

const side = 32 // pixels of CIFAR-10's images

// cifar reads a split of CIFAR-10, train or test: an archive of <split>/<class>/<number>.jpg.
func (b *bench) cifar(split string) (im classify.Images, err error) {
	if had, ok := b.splits[split]; ok {
		return had, nil
	}
	f, err := os.Open(filepath.Join(b.data, "cifar10", split+".tar.gz"))
	if err != nil {
		return im, err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return im, fmt.Errorf("%s: %w", f.Name(), err)
	}
	im.Side = side
	limits := pixels.DefaultLimits()
	var named []string // the class of each image
	for archive := tar.NewReader(unzipped); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return im, fmt.Errorf("%s: %w", f.Name(), err)
		}
		if !strings.HasSuffix(h.Name, ".jpg") {
			continue
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			return im, fmt.Errorf("%s: %s: %w", f.Name(), h.Name, err)
		}
		picture, _, err := pixels.Decode(data, limits)
		if err != nil {
			return im, fmt.Errorf("%s: %s: %w", f.Name(), h.Name, err)
		}
		if picture.W != side || picture.H != side {
			return im, fmt.Errorf("%s: %s is of %d x %d pixels, not %d x %d", f.Name(), h.Name, picture.W, picture.H, side, side)
		}
		planes := make([]uint8, 3*side*side)
		for i, v := range picture.Pix {
			planes[i%3*side*side+i/3] = v
		}
		im.Pixels = append(im.Pixels, planes...)
		im.Samples = append(im.Samples, schemas.NewSampleID("cifar10", h.Name, schemas.Hash{}))
		named = append(named, path.Base(path.Dir(h.Name)))
	}
	im.Classes = slices.Compact(slices.Sorted(slices.Values(named)))
	for _, name := range named {
		im.Labels = append(im.Labels, slices.Index(im.Classes, name))
	}
	b.splits[split] = im
	return im, nil
}

// subset is the images of these indexes.
func subset(im classify.Images, index []int) classify.Images {
	out := classify.Images{Side: im.Side, Classes: im.Classes}
	size := 3 * im.Side * im.Side
	for _, i := range index {
		out.Pixels = append(out.Pixels, im.Pixels[i*size:(i+1)*size]...)
		out.Labels = append(out.Labels, im.Labels[i])
		out.Samples = append(out.Samples, im.Samples[i])
	}
	return out
}

// batch is what a training step reads.
type batch struct {
	images []float32 // [N, 3, side, side]
	labels []int64
}

func (b batch) shape() []int64 { return []int64{int64(len(b.labels)), 3, side, side} }

// batches draws batches of n images, normalized by channel.
func batches(im classify.Images, n, count int, seed uint64) []batch {
	r := rand.New(rand.NewPCG(seed, 5))
	normal := im.Measure()
	size := 3 * side * side
	out := make([]batch, count)
	for i := range out {
		for range n {
			k := r.IntN(im.Len())
			for j, v := range im.Pixels[k*size : (k+1)*size] {
				c := j / (side * side)
				out[i].images = append(out[i].images, (float32(v)-normal.Mean[c])/normal.Std[c])
			}
			out[i].labels = append(out[i].labels, int64(im.Labels[k]))
		}
	}
	return out
}
