package prelabel

import (
	"cmp"
	"context"
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel/fuse"
)

const (
	closest    = 32   // pixels: a smaller square shows no more
	snap       = 16   // squares lie on a grid of so many steps a side: things that hardly differ share one
	maxSquares = 256  // in which a model looks twice; those that are narrow come first
	explains   = 0.1  // IoU with a thing, from which on a cell says something about it
	maxCloser  = 4000 // cells of all of an image's that are kept, as of tiles

	maxUnlabeled = 8   // the surest things without a label that are looked at closer
	covers       = 0.5 // IoU from which on a label covers a thing, or one thing another
)

// A closer is a look from nearby.
type closer struct {
	look  schemas.Look
	zooms []float64 // the sides of the squares, in longer sides of the thing in their middle
	keep  int       // cells that are kept of each square about a thing, those that score and fit it best
}

var (
	atLabels    = closer{schemas.LookCloser, []float64{2, 4}, 80}
	atUnlabeled = closer{schemas.LookUnlabeled, []float64{4}, 16}
)

// Closer is what a detector sees when it looks from nearby: at squares about each label of an image, of twice and four times its longer side, and of four times
// that about those of things without a label that it found itself (Unlabeled), as they are and mirrored (test-time augmentation). That is up to four runs a label and
// sixteen for things. Where a square reaches beyond the image, what of it is within is looked at. Cells that say nothing of what a
// square is about are left out, and so are those that reach to where it was cut. Nothing comes of labels or things of which there are none, and nothing at all where d asks for
// none.
func Closer(ctx context.Context, by Detector, img *pixels.Image, labels, things []schemas.Object, d Dense) (out []schemas.Candidates, err error) {
	of, err := atLabels.see(ctx, by, img, labels, d)
	if err != nil {
		return nil, err
	}
	if len(of.Cells) > 0 {
		out = append(out, of)
	}
	its := slices.DeleteFunc(slices.Clone(things), func(o schemas.Object) bool { return o.Source != by.Model().ID })
	if of, err = atUnlabeled.see(ctx, by, img, its, d); err != nil {
		return nil, err
	}
	if of.Model != "" {
		for _, o := range its {
			of.At = append(of.At, o.Box)
		}
		out = append(out, of)
	}
	return out, nil
}

// Unlabeled are the surest of the things that models found, [models], at most maxUnlabeled, which no label covers, whatever its class. Of each class those of the
// first model that knows it count, as where nothing was learned of them (fuse.New), and what lies at a surer thing of its model is that once more.
func Unlabeled(models []fuse.Model, found [][]schemas.Object, labels []schemas.Object) (out []schemas.Object) {
	var met []schemas.Object
	for _, o := range fuse.New(models).Fuse(found) {
		if slices.ContainsFunc(met, func(m schemas.Object) bool { return m.Source == o.Source && m.Box.IoU(o.Box) >= covers }) {
			continue
		}
		met = append(met, o)
		if !slices.ContainsFunc(labels, func(l schemas.Object) bool { return l.Box.IoU(o.Box) >= covers }) {
			if out = append(out, o); len(out) == maxUnlabeled {
				break
			}
		}
	}
	return out
}

func (near closer) see(ctx context.Context, by Detector, img *pixels.Image, things []schemas.Object, d Dense) (schemas.Candidates, error) {
	if d.Max == 0 {
		return schemas.Candidates{}, nil
	}
	var boxes []geometry.Box
	for _, o := range things {
		if b := o.Box.Clip(img.W, img.H); !b.Empty() && !slices.Contains(boxes, b) {
			boxes = append(boxes, b)
		}
	}
	if len(boxes) == 0 {
		return schemas.Candidates{}, nil
	}
	m := by.Model()
	out := schemas.Candidates{Model: m.ID, Look: near.look, Floor: d.Floor, Classes: m.Classes}
	ctx = context.WithValue(ctx, watchedKey{}, nil) // features are those of the whole
	cuts, about := near.squares(boxes, img.W, img.H)
	pairs := 0
	for _, of := range about {
		pairs += len(of)
	}
	keep := min(near.keep, max(maxCloser/pairs, 1))
	for _, cut := range cuts {
		var saw []schemas.Candidate
		for _, mirrored := range [...]bool{false, true} {
			if cut == (geometry.Box{X2: float32(img.W), Y2: float32(img.H)}) && !mirrored { // it has been seen
				continue
			}
			_, cells, err := lookAt(ctx, by, img, cut, mirrored, 1, d)
			if err != nil {
				return out, err
			}
			saw, out.Floor = append(saw, cells.Cells...), max(out.Floor, cells.Floor)
		}
		kept, floor := telling(saw, about[cut], keep)
		out.Cells, out.Floor = append(out.Cells, kept...), max(out.Floor, floor)
	}
	slices.SortStableFunc(out.Cells, func(a, b schemas.Candidate) int { return cmp.Compare(b.Score, a.Score) })
	if len(out.Cells) > maxCloser {
		out.Floor, out.Cells = out.Cells[maxCloser].Score, out.Cells[:maxCloser]
	}
	return out, nil
}

// squares are where the boxes of an image are looked at from nearby, and the boxes that each is about.
func (near closer) squares(boxes []geometry.Box, w, h int) (cuts []geometry.Box, about map[geometry.Box][]geometry.Box) {
	about = map[geometry.Box][]geometry.Box{}
	for _, zoom := range near.zooms {
		for _, b := range boxes {
			cut := square(b, zoom, w, h)
			if _, met := about[cut]; !met {
				if len(cuts) == maxSquares {
					continue
				}
				cuts = append(cuts, cut)
			}
			if !slices.Contains(about[cut], b) {
				about[cut] = append(about[cut], b)
			}
		}
	}
	return cuts, about
}

// telling are the cells that say most of each box, at most keep of each, and the best score of those that are left out though they say something.
// What they point to is theirs alone, so that they do not hold the memory of the others.
func telling(cells []schemas.Candidate, about []geometry.Box, keep int) (kept []schemas.Candidate, floor float32) {
	chosen, says := make([]bool, len(cells)), make([]bool, len(cells))
	for _, b := range about {
		type saying struct {
			cell  int
			worth float64
		}
		var of []saying
		for k, c := range cells {
			if overlap := c.Box.IoU(b); overlap >= explains {
				of, says[k] = append(of, saying{k, overlap * float64(c.Score)}), true
			}
		}
		slices.SortStableFunc(of, func(a, b saying) int { return cmp.Compare(b.worth, a.worth) })
		for _, s := range of[:min(len(of), keep)] {
			chosen[s.cell] = true
		}
	}
	for k, c := range cells {
		switch {
		case chosen[k]:
			c.Scores = slices.Clone(c.Scores)
			if s := c.Sides; s != nil {
				own := *s
				own.P = slices.Clone(s.P)
				c.Sides = &own
			}
			kept = append(kept, c)
		case says[k]:
			floor = max(floor, c.Score)
		}
	}
	return kept, floor
}

// square is where a label is looked at from nearby, in whole pixels: a square with the label in its middle, or as near to that as the image lets it.
func square(label geometry.Box, zoom float64, w, h int) geometry.Box {
	side := max(zoom*float64(max(label.W(), label.H())), closest)
	side = math.Exp2(math.Round(4*math.Log2(side)) / 4)
	place := func(middle float64, limit int) (from, to float32) {
		if side >= float64(limit) {
			return 0, float32(limit)
		}
		middle = math.Round(middle*snap/side) * side / snap
		start := min(max(middle-side/2, 0), float64(limit)-side)
		return float32(math.Round(start)), float32(math.Round(start + side))
	}
	var b geometry.Box
	b.X1, b.X2 = place(float64(label.X1+label.X2)/2, w)
	b.Y1, b.Y2 = place(float64(label.Y1+label.Y2)/2, h)
	return b
}
