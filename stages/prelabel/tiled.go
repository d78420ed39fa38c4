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
	tiled := schemas.Candidates{Model: whole.Model, Classes: whole.Classes}
	for _, tile := range tiles(img.W, img.H, n) {
		found, cells, err := by.DetectDense(unwatched, pixels.Crop(img, tile), low, d)
		if err != nil {
			return nil, nil, err
		}
		for _, o := range found {
			if uncut(o.Box, tile, img) {
				o.Box = onto(o.Box, tile)
				objects = append(objects, o)
			}
		}
		tiled.Floor = max(tiled.Floor, cells.Floor)
		for _, c := range cells.Cells {
			if !uncut(c.Box, tile, img) {
				continue
			}
			c.Box = onto(c.Box, tile)
			if s := c.Sides; s != nil {
				s.X, s.Y = s.X+tile.X1, s.Y+tile.Y1
			}
			tiled.Cells = append(tiled.Cells, c)
		}
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

// uncut tells whether a box in a tile of an image stays clear of where the tile was cut from the rest.
func uncut(b, tile geometry.Box, img *pixels.Image) bool {
	x, y := tileBorder*tile.W(), tileBorder*tile.H()
	return (tile.X1 <= 0 || b.X1 > x) && (tile.Y1 <= 0 || b.Y1 > y) &&
		(tile.X2 >= float32(img.W) || b.X2 < tile.W()-x) && (tile.Y2 >= float32(img.H) || b.Y2 < tile.H()-y)
}

// onto is a box in a tile as one in the image.
func onto(b, tile geometry.Box) geometry.Box {
	return geometry.Box{X1: b.X1 + tile.X1, Y1: b.Y1 + tile.Y1, X2: b.X2 + tile.X1, Y2: b.Y2 + tile.Y1}
}
