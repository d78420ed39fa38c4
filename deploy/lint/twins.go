package lint

import (
	"cmp"
	"context"
	"math/bits"
	"slices"

	"gleaner/connectors/formats"
	"gleaner/schemas"
	"gleaner/stages/lint/evidence"
)

// folderTwins finds the near duplicates among the labeled images of a folder.
type folderTwins struct {
	within int            // differing bits of the perceptual hashes, at most
	of     map[string]int // by name: where in all
	all    []hashed
	labels *formats.Beside
}

// hashed is an image that others may be near duplicates of.
type hashed struct {
	name  string
	w, h  int // pixels, upright
	phash uint64
}

// add makes an image findable; one without a name is not.
func (f *folderTwins) add(s schemas.Sample) {
	if s.UniqueID != "" {
		f.of[s.UniqueID] = len(f.all)
		f.all = append(f.all, hashed{s.UniqueID, s.Image.W, s.Image.H, s.PHash})
	}
}

// Twins implements lint.Twins, the nearest first. It compares with all images of the folder: 10,000 take some microseconds.
func (f *folderTwins) Twins(_ context.Context, s *schemas.Sample) []evidence.Twin {
	own, ok := f.of[s.UniqueID]
	if !ok {
		return nil
	}
	type near struct{ at, bits int }
	var found []near
	for i, h := range f.all {
		if d := bits.OnesCount64(h.phash ^ f.all[own].phash); d <= f.within && i != own {
			found = append(found, near{i, d})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return cmp.Compare(a.bits, b.bits) })
	var out []evidence.Twin
	for _, n := range found[:min(len(found), evidence.MaxTwins)] {
		h := f.all[n.at]
		objects, labeled, err := f.labels.Objects(h.name, h.w, h.h)
		if err != nil || !labeled {
			continue // its own result says so
		}
		out = append(out, evidence.Twin{Distance: n.bits, Label: schemas.Label{
			UniqueID: h.name, Rank: schemas.RankHuman, Image: schemas.ImageRef{W: h.w, H: h.h}, Objects: objects,
		}})
	}
	return out
}
