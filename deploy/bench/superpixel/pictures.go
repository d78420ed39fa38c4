package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gleaner/connectors/formats"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
)

// picture is a decoded image, and a file of its [h,w,3] RGB bytes for the peers.
type picture struct {
	name string // of the file that it comes from, without the extension
	img  *pixels.Image
	file string
}

func (b *bench) path(elem ...string) string {
	return filepath.Join(append([]string{b.data}, elem...)...)
}

// picture keeps an image for this process and the peers'.
func (b *bench) picture(set, name string, img *pixels.Image) (*picture, error) {
	p := &picture{name, img, filepath.Join(b.dir, set+"-"+name+".rgb")}
	return p, os.WriteFile(p.file, img.Pix, 0o600)
}

// readPictures decodes the images of a folder, or of -images of them in equal steps. pick may leave an image out by returning
// nil, or cut it.
func (b *bench) readPictures(set, folder string, pick func(*pixels.Image) *pixels.Image) ([]*picture, error) {
	names, err := formats.Images(folder)
	if err != nil {
		return nil, err
	}
	var all []*picture
	for _, n := range names {
		data, err := os.ReadFile(filepath.Join(folder, n))
		if err != nil {
			return nil, err
		}
		img, _, err := pixels.Decode(data, pixels.DefaultLimits())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n, err)
		}
		if img = pick(img); img != nil {
			all = append(all, &picture{name: strings.TrimSuffix(n, filepath.Ext(n)), img: img})
		}
	}
	if some := b.images; some > 0 && some < len(all) {
		for i := range some {
			all[i] = all[i*len(all)/some]
		}
		all = all[:some]
	}
	for i, p := range all {
		if all[i], err = b.picture(set, p.name, p.img); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func whole(img *pixels.Image) *pixels.Image { return img }

// bsds are the photos of BSDS500's validation half, 481x321 or upright.
func (b *bench) bsds() ([]*picture, error) {
	return b.readPictures("bsds", b.path("bsds500", "val", "images"), whole)
}

// vga are the photos of coco128 that are at least 640x480, cut to that size about their middle: real pixels, none of them
// resized.
func (b *bench) vga() ([]*picture, error) {
	const w, h = 640, 480
	return b.readPictures("vga", b.path("coco128", "images"), func(img *pixels.Image) *pixels.Image {
		if img.W < w || img.H < h {
			return nil
		}
		x, y := float32((img.W-w)/2), float32((img.H-h)/2)
		return pixels.Crop(img, geometry.Box{X1: x, Y1: y, X2: x + w, Y2: y + h})
	})
}
