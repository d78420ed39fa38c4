package prelabel

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
)

// input makes a graph's input tensors of images.
type input struct {
	w, h         int
	image, sizes int // indexes of the tensors; sizes, -1 where there is none, takes the width and height that boxes are to have
	resize       schemas.Resize
	channels     [3]channel
	channelsLast bool
	idle         *sync.Pool // of *resizer
}

var (
	zeros  = []float32{0, 0, 0}
	ones   = []float32{1, 1, 1}
	levels = []float32{255, 255, 255} // to divide levels by
)

func level(v uint8) *uint8 { return &v }

// complete is the spec's input with what it leaves open as the family has it. Inputs of bytes hold levels, and so do those
// with their channels last, since TensorFlow's models normalize for themselves.
func (g *graph) complete(family schemas.DecodeInput) schemas.DecodeInput {
	in := g.spec.Input
	in.Width, in.Height = g.w, g.h
	in.Resize = orElse(in.Resize, family.Resize)
	in.Channels = orElse(in.Channels, family.Channels)
	if g.bytes || g.channelsLast {
		family.Mean, family.Std = zeros, ones
	}
	if in.Mean == nil {
		in.Mean = slices.Clone(family.Mean)
	}
	if in.Std == nil {
		in.Std = slices.Clone(family.Std)
	}
	if in.Pad == nil && in.Resize != schemas.ResizeStretch && in.Resize != schemas.ResizeArea {
		in.Pad = level(0)
		if family.Pad != nil {
			in.Pad = level(*family.Pad)
		}
	}
	return in
}

func (g *graph) input(d schemas.DecodeInput) input {
	in := input{w: g.w, h: g.h, image: g.image, sizes: g.sizes, resize: d.Resize, channelsLast: g.channelsLast, idle: &sync.Pool{New: func() any { return &resizer{} }}}
	for c := range in.channels {
		from := c
		if d.Channels == schemas.ChannelsBGR {
			from = 2 - c
		}
		in.channels[c] = channel{from: from, gain: 1 / d.Std[c], bias: -d.Mean[c] / d.Std[c]}
		if d.Pad != nil {
			in.channels[c].pad = (float32(*d.Pad) - d.Mean[c]) / d.Std[c]
		}
	}
	return in
}

// placement is where in the input an image lies, in whole pixels, and how many of its pixels one of the input's is.
type placement struct {
	left, top, w, h int
	perX, perY      float32
}

// place follows the references of the families: YOLOX truncates the scaled size to whole pixels, Ultralytics rounds it and
// puts the odd pixel of the border last; both divide by the scale itself.
func (in *input) place(w, h int) placement {
	if in.resize == schemas.ResizeStretch || in.resize == schemas.ResizeArea {
		return placement{0, 0, in.w, in.h, float32(w) / float32(in.w), float32(h) / float32(in.h)}
	}
	scale := min(float64(in.w)/float64(w), float64(in.h)/float64(h))
	at := placement{perX: float32(1 / scale), perY: float32(1 / scale)}
	if in.resize == schemas.ResizeLetterbox {
		at.w, at.h = max(int(float64(w)*scale), 1), max(int(float64(h)*scale), 1)
		return at
	}
	at.w, at.h = max(int(math.RoundToEven(float64(w)*scale)), 1), max(int(math.RoundToEven(float64(h)*scale)), 1)
	at.left, at.top = (in.w-at.w)/2, (in.h-at.h)/2
	return at
}

// back takes a box from pixels of the input to pixels of the image.
func (p placement) back(b geometry.Box) geometry.Box {
	left, top := float32(p.left), float32(p.top)
	return geometry.Box{X1: (b.X1 - left) * p.perX, Y1: (b.Y1 - top) * p.perY, X2: (b.X2 - left) * p.perX, Y2: (b.Y2 - top) * p.perY}
}

// fill writes the input tensors for an image.
func (in *input) fill(tensors [][]float32, img *pixels.Image, at placement) {
	if in.sizes >= 0 {
		tensors[in.sizes][0], tensors[in.sizes][1] = float32(in.w), float32(in.h)
	}
	if in.resize == schemas.ResizeArea && (img.W != in.w || img.H != in.h) {
		img = pixels.Area(img, in.w, in.h)
	}
	r := in.idle.Get().(*resizer)
	defer in.idle.Put(r)
	dst := tensors[in.image]
	if !in.channelsLast {
		r.fill(dst, in.w, in.h, img, at, in.channels)
		return
	}
	planes, n := make([]float32, len(dst)), in.w*in.h
	r.fill(planes, in.w, in.h, img, at, in.channels)
	for i := range n {
		dst[3*i], dst[3*i+1], dst[3*i+2] = planes[i], planes[n+i], planes[2*n+i]
	}
}

// mosaic is a picture of w by h pixels that is the same each time: tiles of random colors, of random levels about them.
func mosaic(w, h int) *pixels.Image {
	const tile = 32
	r := rand.New(rand.NewPCG(1, 1))
	img := &pixels.Image{W: w, H: h, Pix: make([]uint8, 3*w*h)}
	colors := make([]uint8, 3*(w/tile+1)*(h/tile+1))
	for i := range colors {
		colors[i] = uint8(r.UintN(224))
	}
	for i := range img.Pix {
		pixel := i / 3
		at := (pixel/w/tile)*(w/tile+1) + pixel%w/tile
		img.Pix[i] = colors[3*at+i%3] + uint8(r.UintN(32))
	}
	return img
}
