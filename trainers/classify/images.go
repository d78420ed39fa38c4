package classify

import (
	"errors"
	"fmt"
	"math"

	"gleaner/schemas"
)

// Images are labeled square images in memory: 3·Side² bytes each.
type Images struct {
	Side     int                // pixels
	Pixels   []uint8            // [N, 3, Side, Side], RGB
	Labels   []int              // [N], indexes of Classes
	Classes  []string           // all that there are, in the order of the logits
	Samples  []schemas.SampleID // [N]
	Objects  []string           // [N], or nil where each sample is one whole image
	Lineages []string           // [N], schemas.Object.Lineage, or nil where there are none
}

// Len is the number of images.
func (im Images) Len() int { return len(im.Labels) }

// image is the pixels of one, [3, Side, Side].
func (im Images) image(i int) []uint8 {
	size := 3 * im.Side * im.Side
	return im.Pixels[i*size : (i+1)*size]
}

// first are at most n of the images, without what names them.
func (im Images) first(n int) Images {
	n = min(n, im.Len())
	return Images{Side: im.Side, Pixels: im.Pixels[:n*3*im.Side*im.Side], Labels: im.Labels[:n], Classes: im.Classes}
}

func (im Images) object(i int) string {
	if im.Objects == nil {
		return ""
	}
	return im.Objects[i]
}

func (im Images) lineage(i int) string {
	if im.Lineages == nil {
		return ""
	}
	return im.Lineages[i]
}

// Validate refuses lists of different lengths, labels without a class, and names of classes that a model file could not have.
func (im Images) Validate() error {
	n := im.Len()
	switch {
	case im.Side < 1:
		return fmt.Errorf("side of %d pixels: must be at least 1", im.Side)
	case len(im.Pixels) != n*3*im.Side*im.Side:
		return fmt.Errorf("%d bytes of pixels: %d images of 3x%dx%d have %d", len(im.Pixels), n, im.Side, im.Side, n*3*im.Side*im.Side)
	case len(im.Samples) != n, im.Objects != nil && len(im.Objects) != n, im.Lineages != nil && len(im.Lineages) != n:
		return fmt.Errorf("%d labels, %d samples, %d objects, %d lineages: must be as many", n, len(im.Samples), len(im.Objects), len(im.Lineages))
	}
	if err := schemas.CheckClasses(im.Classes); err != nil {
		return fmt.Errorf("classes: %w", err)
	}
	for i, l := range im.Labels {
		if l < 0 || l >= len(im.Classes) {
			return fmt.Errorf("image %d (sample %s): label %d: there are %d classes", i, im.Samples[i], l, len(im.Classes))
		}
	}
	return nil
}

// Normalization makes inputs of levels: (level - Mean) / Std by channel of the input.
type Normalization struct {
	Mean, Std [3]float32
	BGR       bool // the input's channels, and so Mean and Std, are blue, green and red; else red, green and blue
}

// ImageNetNormalization is that of torchvision's models.
func ImageNetNormalization() Normalization {
	return Normalization{Mean: [3]float32{123.675, 116.28, 103.53}, Std: [3]float32{58.395, 57.12, 57.375}}
}

// Measure returns the mean and the deviation of the levels of each channel, RGB.
func (im Images) Measure() Normalization {
	var n Normalization
	plane := im.Side * im.Side
	for c := range 3 {
		var counts [256]int
		for i := range im.Len() {
			for _, v := range im.image(i)[c*plane : (c+1)*plane] {
				counts[v]++
			}
		}
		mean, square, total := 0.0, 0.0, float64(im.Len()*plane)
		for v, k := range counts {
			mean += float64(v) * float64(k) / total
			square += float64(v) * float64(v) * float64(k) / total
		}
		n.Mean[c], n.Std[c] = float32(mean), float32(math.Sqrt(max(square-mean*mean, 1)))
	}
	return n
}

// Validate refuses what schemas.Decode refuses: deviations are in levels.
func (n Normalization) Validate() error {
	for c := range 3 {
		if !(n.Mean[c] >= 0 && n.Mean[c] <= 255) || !(n.Std[c] >= 1 && n.Std[c] <= 255) {
			return errors.New("normalization: mean must be in 0..255 and std in 1..255, in levels: multiply by 255 what is given for values of 0..1")
		}
	}
	return nil
}

// source is the channel of images that one of the input is made of.
func (n Normalization) source(channel int) int {
	if n.BGR {
		return 2 - channel
	}
	return channel
}

// lookup is, by channel of the input, what of an image becomes it.
type lookup [3]struct {
	source int          // channel of the image
	of     [256]float32 // the input that each level becomes
}

func (n Normalization) lookup() *lookup {
	t := new(lookup)
	for c := range t {
		t[c].source = n.source(c)
		for v := range t[c].of {
			t[c].of[v] = (float32(v) - n.Mean[c]) / n.Std[c]
		}
	}
	return t
}
