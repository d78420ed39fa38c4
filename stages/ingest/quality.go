package ingest

// Why an image may be kept out, and the order in which it is asked.

import "gleaner/stages/pixels"

// Reasons of a Rejected beside those of pixels.Error, with the units of its Measure and Threshold.
const (
	Animated      = "animated"       // no measure: more than one frame
	TooSmall      = "too-small"      // pixels of the shorter side, upright
	NearUniform   = "near-uniform"   // standard deviation of luma
	UnderExposed  = "under-exposed"  // share of dark pixels
	OverExposed   = "over-exposed"   // share of bright pixels
	Blurred       = "blurred"        // variance of the Laplacian of luma
	Duplicate     = "duplicate"      // no measure: another sample of the dataset has the same bytes
	NearDuplicate = "near-duplicate" // bits that differ between perceptual hashes
	Conflict      = "conflict"       // no measure: the unique id came before with other bytes
)

// Final reports whether a sample that was rejected for the reason is so again when it is taken back (schemas.HeaderAccept),
// whatever the thresholds and limits say.
func Final(reason string) bool {
	switch reason {
	case pixels.Empty, pixels.Unsupported, pixels.Truncated, pixels.Corrupt, Conflict:
		return true
	}
	return false
}

// reject is why a sample is kept out.
type reject struct {
	reason             string
	measure, threshold float64
	detail             string // for people
}

// Measures are an image's photometric figures, all of one luma plane (BT.601, 0..255) of at most 512 pixels a side.
type Measures struct {
	Mean, Deviation float64
	Dark, Bright    float64 // shares of the pixels, 0..1
	Sharpness       float64 // variance of the Laplacian
	PHash           uint64  // 64-bit DCT perceptual hash
}

// normalSide is the longer side, in pixels, at which images are measured: blur and noise are properties of a scale, and a
// phone's 12 megapixels at their own scale are softer than a thumbnail.
const normalSide = 512

// Measure measures an upright image.
func Measure(img *pixels.Image) Measures {
	luma := newLuma(img, normalSide)
	m := Measures{Sharpness: sharpness(luma), PHash: phash(luma)}
	m.expose(luma)
	return m
}

// quality asks every check in turn; the first that fails names the reason. Darkness is asked before uniformity, and that
// before blur, since a black image is all three and the first is what people would call it.
func quality(img *pixels.Image, info pixels.Info, m Measures, t Thresholds) *reject {
	for _, check := range []*reject{
		animated(info, t), tooSmall(img, t), underExposed(m, t), overExposed(m, t), nearUniform(m, t), blurred(m, t),
	} {
		if check != nil {
			return check
		}
	}
	return nil
}

func animated(info pixels.Info, t Thresholds) *reject {
	if !info.Animated || !t.RejectAnimated {
		return nil
	}
	return &reject{reason: Animated, detail: "more than one frame"}
}
