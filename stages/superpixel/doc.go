// Package superpixel is the step that groups an image's pixels into small regions along its edges, so that people edit
// regions instead of pixels.
//
// The regions are SLIC's (Achanta et al. 2012, "SLIC superpixels compared to state-of-the-art superpixel methods"): k-means
// in CIELAB and position, each center looking only at its surroundings (slic.go), then made 4-connected (connect.go). The
// quality Fine merges more of them than are wanted over their adjacency graph (graph.go, merge.go) and moves the pixels at
// borders (fine.go). The same graph, merged on, gives the coarser levels of a hierarchy.
//
// Everything that decides is in integers, or in float32 that nothing fuses, so that vectors (kernel_amd64.go), plain Go
// (kernel.go) and any number of threads give the same labels. The map travels with the sample in the codec of
// schemas/labelmap, at the image's full size.
package superpixel
