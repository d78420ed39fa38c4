package classify

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Augment changes images at each presentation.
type Augment struct {
	Crop   int    `yaml:"crop"`   // pixels: images are moved by as much at most, each way
	Pad    string `yaml:"pad"`    // what moves in: reflect, or zero, which is the mean color
	Flip   string `yaml:"flip"`   // left to right: none, random, or alternating (arXiv 2404.00498): at random in the first epoch, then every other
	Cutout int    `yaml:"cutout"` // side of a square that is set to the mean color (DeVries and Taylor 2017); 0 for none
}

// DefaultAugment moves by two pixels and flips.
func DefaultAugment() Augment { return Augment{Crop: 2, Pad: "reflect", Flip: "alternating"} }

// Validate refuses unknown words and numbers below 0.
func (a Augment) Validate() error {
	pads, flips := []string{"reflect", "zero"}, []string{"none", "random", "alternating"}
	switch {
	case a.Crop < 0:
		return a.invalid("crop", a.Crop, "must be at least 0")
	case a.Cutout < 0:
		return a.invalid("cutout", a.Cutout, "must be at least 0")
	case a.Crop > 0 && !slices.Contains(pads, a.Pad):
		return a.invalid("pad", a.Pad, fmt.Sprintf("must be one of %v", pads))
	case !slices.Contains(flips, a.Flip):
		return a.invalid("flip", a.Flip, fmt.Sprintf("must be one of %v", flips))
	}
	return nil
}

// checkSide refuses changes that would leave little of images of so many pixels a side.
func (a Augment) checkSide(side int) error {
	switch {
	case a.Crop > side/2:
		return a.invalid("crop", a.Crop, fmt.Sprintf("must be at most half of the images' side of %d pixels", side))
	case a.Cutout > side:
		return a.invalid("cutout", a.Cutout, fmt.Sprintf("must be at most the images' side of %d pixels", side))
	}
	return nil
}

func (a Augment) invalid(key string, value any, want string) error {
	return &Invalid{"augment", fmt.Sprintf("%s=%v", key, value), want}
}

// view is how one image is presented.
type view struct {
	dx, dy int  // where the view's corner lies in the image
	flip   bool // after moving
	cut    bool
	cx, cy int // center of the cutout, in the view
}

// Streams of random numbers, by what they decide.
const (
	orderStream = iota
	viewStream
	flipStream
)

// mixed makes a seed of several numbers (splitmix64, Steele et al. 2014).
func mixed(x ...uint64) uint64 {
	h := uint64(0)
	for _, v := range x {
		h += v + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

// view of an image is determined by seed, epoch and its index.
func (a Augment) view(seed int64, epoch, index, side int) view {
	r := rand.New(rand.NewPCG(mixed(uint64(seed), viewStream, uint64(epoch)), uint64(index)))
	v := view{dx: r.IntN(2*a.Crop+1) - a.Crop, dy: r.IntN(2*a.Crop+1) - a.Crop}
	switch a.Flip {
	case "random":
		v.flip = r.Uint64()&1 == 1
	case "alternating":
		v.flip = (mixed(uint64(seed), flipStream, uint64(index))+uint64(epoch))&1 == 1
	}
	if a.Cutout > 0 {
		v.cut, v.cx, v.cy = true, r.IntN(side), r.IntN(side)
	}
	return v
}

// render writes the view of an image [3, side, side] as inputs.
func (a Augment) render(dst []float32, img []uint8, side int, v view, levels *lookup) {
	columns := make([]int, side) // of the image; -1 where nothing is
	for x := range columns {
		at := x
		if v.flip {
			at = side - 1 - x
		}
		columns[x] = a.at(at+v.dx, side)
	}
	for c := range 3 {
		channel := &levels[c]
		for y := range side {
			row := dst[(c*side+y)*side : (c*side+y+1)*side]
			from := a.at(y+v.dy, side)
			if from < 0 {
				clear(row)
				continue
			}
			pixels := img[(channel.source*side+from)*side : (channel.source*side+from+1)*side]
			for x, at := range columns {
				if at < 0 {
					row[x] = 0
				} else {
					row[x] = channel.of[pixels[at]]
				}
			}
		}
	}
	if v.cut {
		x1, x2 := max(v.cx-a.Cutout/2, 0), min(v.cx-a.Cutout/2+a.Cutout, side)
		for c := range 3 {
			for y := max(v.cy-a.Cutout/2, 0); y < min(v.cy-a.Cutout/2+a.Cutout, side); y++ {
				clear(dst[(c*side+y)*side+x1 : (c*side+y)*side+x2])
			}
		}
	}
}

// at is the place in an image that a place beside it shows, -1 for nothing.
func (a Augment) at(x, side int) int {
	switch {
	case x >= 0 && x < side:
		return x
	case a.Pad == "zero" || side == 1:
		return -1
	case x < 0:
		x = -x
	default:
		x = 2*(side-1) - x
	}
	return min(max(x, 0), side-1)
}

// order is that in which an epoch presents n images.
func order(seed int64, epoch, n int) []int {
	r := rand.New(rand.NewPCG(mixed(uint64(seed), orderStream), uint64(epoch)))
	return r.Perm(n)
}
