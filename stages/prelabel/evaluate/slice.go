package evaluate

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Slice is the images that share a value of a sample's slices, such as weather=fog.
type Slice struct {
	Name   string
	Images []int
}

// Slices groups images by each of their slices, sorted by name: image i has the values of[i].
func Slices(of []map[string]string) []Slice {
	groups := map[string][]int{}
	for i, values := range of {
		for key, value := range values {
			groups[key+"="+value] = append(groups[key+"="+value], i)
		}
	}
	out := make([]Slice, 0, len(groups))
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, Slice{name, groups[name]})
	}
	return out
}

// Figure is a statistic of a slice.
type Figure struct {
	Slice
	Interval
}

// Cut computes a statistic, which Bootstrap describes, of each slice of n images alone. Low and high are by resamples of the
// slice's images. The figures come in increasing order, NaN last.
func Cut(parts []Slice, n, resamples int, seed uint64, statistic func(counts []int) float64) []Figure {
	out := make([]Figure, 0, len(parts))
	for _, s := range parts {
		all := make([]int, n)
		out = append(out, Figure{s, Bootstrap(len(s.Images), resamples, seed, func(counts []int) float64 {
			for i, image := range s.Images {
				all[image] = 1
				if counts != nil {
					all[image] = counts[i]
				}
			}
			return statistic(all)
		})})
	}
	slices.SortStableFunc(out, func(a, b Figure) int {
		if na, nb := math.IsNaN(a.Value), math.IsNaN(b.Value); na || nb {
			return cmp.Compare(truth(na), truth(nb))
		}
		return cmp.Compare(a.Value, b.Value)
	})
	return out
}
