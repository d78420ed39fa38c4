package prelabel

import (
	"cmp"
	"context"
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
)

// MaxTiles bounds how often an image is cut each way.
const MaxTiles = 8

const (
	tileOverlap = 0.25 // of a tile
	tileBorder  = 0.01 // of a tile's side: what comes so near to a cut is cut
	maxTiled    = 4000 // cells of all tiles that are kept, the best: some 400 KiB at most, so that several models' fit into a sample's record
)

// Look is what a detector finds in an image, and the candidates that d asks for. Where n is above 1 it looks once more at each of n by n
// tiles that overlap by a quarter of themselves and fill its input (slicing aided inference, Akyon et al. 2022): it sees smaller things, and
// puts edges more exactly, for n*n more runs. What reaches to where a tile was cut does not count, since the rest of it lies beyond.
// Candidates are those of the whole and, by themselves, the best of all tiles.
func Look(ctx context.Context, by Detector, img *pixels.Image, low float32, d Dense, n int) ([]schemas.Object, []schemas.Candidates, error) {
	objects, whole, err := by.DetectDense(ctx, img, low, d)
	if err != nil || n < 2 {
		return objects, []schemas.Candidates{whole}, err
	}
	unwatched := context.WithValue(ctx, watchedKey{}, nil) // features are those of the whole
	tiled := schemas.Candidates{Model: whole.Model, Look: schemas.LookTiles, Classes: whole.Classes}
	for _, tile := range tiles(img.W, img.H, n) {
		found, cells, err := lookAt(unwatched, by, img, tile, false, low, d)
		if err != nil {
			return nil, nil, err
		}
		objects = append(objects, found...)
		tiled.Floor = max(tiled.Floor, cells.Floor)
		tiled.Cells = append(tiled.Cells, cells.Cells...)
	}
	sortByScore(objects)
	slices.SortStableFunc(tiled.Cells, func(a, b schemas.Candidate) int { return cmp.Compare(b.Score, a.Score) })
	if len(tiled.Cells) > maxTiled {
		tiled.Floor, tiled.Cells = tiled.Cells[maxTiled].Score, tiled.Cells[:maxTiled]
	}
	return objects[:min(len(objects), maxCandidates)], []schemas.Candidates{whole, tiled}, nil
}

// tiles are where n by n tiles of an image lie, in whole pixels.
func tiles(w, h, n int) (out []geometry.Box) {
	cut := func(length int) (from []float32, side float32) {
		long := math.Ceil(float64(length) / (float64(n) - tileOverlap*float64(n-1)))
		for k := range n {
			from = append(from, float32(math.Round(float64(k)*(float64(length)-long)/float64(n-1))))
		}
		return from, float32(long)
	}
	left, width := cut(w)
	top, height := cut(h)
	for _, y := range top {
		for _, x := range left {
			out = append(out, geometry.Box{X1: x, Y1: y, X2: x + width, Y2: y + height})
		}
	}
	return out
}

// lookAt is DetectDense in a part of an image, in pixels of the whole, but for what comes near to where the part was cut from the rest.
func lookAt(ctx context.Context, by Detector, img *pixels.Image, cut geometry.Box, mirrored bool, low float32, d Dense) (objects []schemas.Object, cells schemas.Candidates, err error) {
	part := pixels.Crop(img, cut)
	if mirrored {
		part = pixels.Mirror(part)
	}
	found, cells, err := by.DetectDense(ctx, part, low, d)
	if err != nil {
		return nil, cells, err
	}
	onto := func(b geometry.Box) geometry.Box {
		if mirrored {
			b.X1, b.X2 = float32(part.W)-b.X2, float32(part.W)-b.X1
		}
		return geometry.Box{X1: b.X1 + cut.X1, Y1: b.Y1 + cut.Y1, X2: b.X2 + cut.X1, Y2: b.Y2 + cut.Y1}
	}
	for _, o := range found {
		if o.Box = onto(o.Box); uncut(o.Box, cut, img) {
			objects = append(objects, o)
		}
	}
	all := cells.Cells
	cells.Cells = all[:0]
	for _, c := range all {
		if c.Box = onto(c.Box); !uncut(c.Box, cut, img) {
			continue
		}
		if s := c.Sides; s != nil {
			if mirrored {
				s.X = float32(part.W) - s.X
				left, right := s.P[:len(s.P)/4], s.P[len(s.P)/2:3*len(s.P)/4]
				for i := range left {
					left[i], right[i] = right[i], left[i]
				}
			}
			s.X, s.Y = s.X+cut.X1, s.Y+cut.Y1
		}
		cells.Cells = append(cells.Cells, c)
	}
	return objects, cells, nil
}

// uncut tells whether a box stays clear of where a part of an image was cut from the rest.
func uncut(b, cut geometry.Box, img *pixels.Image) bool {
	x, y := tileBorder*cut.W(), tileBorder*cut.H()
	return (cut.X1 <= 0 || b.X1 > cut.X1+x) && (cut.Y1 <= 0 || b.Y1 > cut.Y1+y) &&
		(cut.X2 >= float32(img.W) || b.X2 < cut.X2-x) && (cut.Y2 >= float32(img.H) || b.Y2 < cut.Y2-y)
}
