// Package superpixel is the step that groups an image's pixels into small regions along its edges, so that people edit
// regions instead of pixels.
//
// The regions are SLIC's (Achanta et al. 2012, "SLIC superpixels compared to state-of-the-art superpixel methods"): k-means
// in CIELAB and position, each center looking only at its surroundings, then made 4-connected. Everything is in integers, so
// that vectors and plain Go give the same labels. The map travels with the sample in the codec of schemas/labelmap, at the
// image's full size.
package superpixel
