package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"gleaner/deploy/bench/report"
	"gleaner/deploy/bench/superpixel/labeler"
)

// sizes are COCO's classes of objects by area.
var sizes = []struct {
	name string
	from int // pixels
}{{"small, under 32² pixels", 0}, {"medium, under 96²", 32 * 32}, {"large", 96 * 96}}

// tally sums an approach up over objects.
type tally struct {
	approach
	reached []float64 // actions of the objects that it reaches
	total   float64   // actions of all: those that it does not reach take the polygon as given
}

func count(objects []*object, a approach) tally {
	t := tally{approach: a}
	for _, o := range objects {
		if n, ok := o.actions[a]; ok {
			t.reached = append(t.reached, n)
			t.total += n
		} else {
			t.total += float64(o.vertices)
		}
	}
	return t
}

// nearlyAll is the share of the objects which a group reaches at all that an approach has to reach to stand for the group: one
// that reaches few, and those the easy ones, costs little.
const nearlyAll = 0.9

// tallies are those of all approaches, the best of each group first: that of the least total among those that reach nearly
// all.
func tallies(objects []*object) map[string][]tally {
	seen := map[approach]bool{}
	for _, o := range objects {
		for a := range o.actions {
			seen[a] = true
		}
	}
	groups := map[string][]tally{}
	for a := range seen {
		groups[a.group] = append(groups[a.group], count(objects, a))
	}
	for _, g := range groups {
		most := 0
		for _, t := range g {
			most = max(most, len(t.reached))
		}
		few := func(t tally) int {
			if float64(len(t.reached)) < nearlyAll*float64(most) {
				return 1
			}
			return 0
		}
		slices.SortFunc(g, func(a, b tally) int {
			return cmp.Or(cmp.Compare(few(a), few(b)), cmp.Compare(a.total, b.total), cmp.Compare(a.name, b.name))
		})
	}
	return groups
}

// ratio is the actions of one approach over those of another among the n objects that both reach.
func ratio(objects []*object, a, b approach) (r float64, n int) {
	var sumA, sumB float64
	for _, o := range objects {
		x, ok := o.actions[a]
		y, ok2 := o.actions[b]
		if ok && ok2 {
			sumA, sumB, n = sumA+x, sumB+y, n+1
		}
	}
	return sumA / max(sumB, 1), n
}

func printLabeling(out io.Writer, objects []*object, skipped int) {
	groups := tallies(objects)
	if len(groups[levelsGroup]) == 0 {
		fmt.Fprintln(out, "\nNo object is reached at all.")
		return
	}
	levels := groups[levelsGroup][0].approach
	fmt.Fprintf(out, "\n### What it saves a person\n\nA simulated labeler (`deploy/bench/superpixel/labeler` says what it knows and may do) marks the %d instances of "+
		"coco128 to IoU ≥ %.1f; %d more have no pixel. A click is 1 action, a drag 1 and 1 for every 50 pixels in proportion, the wheel 1 a step, deselecting 1; a "+
		"polygon takes 1 a vertex. Simplified, it has the fewest of its vertices that reach the same IoU. The levels are about 3200 ⊃ 800 ⊃ 200 (⊃ 50) regions "+
		"of fine. With the polygon: where regions do not reach an object, the polygon as given is clicked. The first of each kind stands for it: that of the least "+
		"such mean among those that reach at least %.0f %% of the objects that any of the kind reaches. Levels against it: actions of "+
		"the best levels over those of the row, among the objects that both reach.\n", len(objects), labeler.Enough, skipped, 100*nearlyAll)
	fmt.Fprint(out, "\n| | reached | actions of those: mean | quartiles | mean with the polygon | levels against it |\n|---|---|---|---|---|---|\n")
	for _, polygon := range []struct {
		name     string
		vertices func(*object) int
	}{{"polygon as given", given}, {"polygon simplified", simplified}} {
		all := each(objects, polygon.vertices)
		fmt.Fprintf(out, "| %s | 100.0 %% | %.1f | %s | %.1f | %.2f |\n", polygon.name, mean(all), quartiles(all), mean(all), againstPolygon(objects, levels, polygon.vertices))
	}
	for _, g := range groupNames {
		for _, t := range groups[g] {
			r, _ := ratio(objects, levels, t.approach)
			fmt.Fprintf(out, "| %s: %s | %.1f %% | %.1f | %s | %.1f | %.2f |\n", g, t.name, 100*float64(len(t.reached))/float64(len(objects)), mean(t.reached),
				quartiles(t.reached), t.total/float64(len(objects)), r)
		}
	}
	printSizes(out, objects, groups)
	for _, g := range groupNames[1:] {
		if len(groups[g]) == 0 {
			continue
		}
		best := groups[g][0]
		r, n := ratio(objects, levels, best.approach)
		total := groups[levelsGroup][0].total / best.total
		fmt.Fprintf(out, "\nLevels against the best of \"%s\" (%s): %.2f of the actions among the %d objects that both reach (%s), %.2f over all objects with the polygon "+
			"where regions fail (%s).\n", g, best.name, r, n, verdict(r, .5, false), total, verdict(total, .5, false))
	}
}

var groupNames = []string{levelsGroup, singleGroup, peerGroup}

// printSizes compares the best of each group by the size of objects.
func printSizes(out io.Writer, objects []*object, groups map[string][]tally) {
	fmt.Fprint(out, "\nThe best of each group by size of the object: share reached, mean actions of those, and mean with the polygon.\n\n"+
		"| | objects | polygon as given | simplified | levels | one level | scikit-image |\n|---|---|---|---|---|---|---|\n")
	for i, s := range sizes {
		var some []*object
		for _, o := range objects {
			if o.area >= s.from && (i+1 == len(sizes) || o.area < sizes[i+1].from) {
				some = append(some, o)
			}
		}
		if len(some) == 0 {
			continue
		}
		fmt.Fprintf(out, "| %s | %d | %.1f | %.1f |", s.name, len(some), mean(each(some, given)), mean(each(some, simplified)))
		for _, g := range groupNames {
			if len(groups[g]) == 0 {
				fmt.Fprint(out, " none |")
				continue
			}
			t := count(some, groups[g][0].approach)
			fmt.Fprintf(out, " %.1f %%, %.1f, %.1f |", 100*float64(len(t.reached))/float64(len(some)), mean(t.reached), t.total/float64(len(some)))
		}
		fmt.Fprintln(out)
	}
}

func given(o *object) int      { return o.vertices }
func simplified(o *object) int { return o.simplified }

func each(objects []*object, of func(*object) int) []float64 {
	all := make([]float64, len(objects))
	for i, o := range objects {
		all[i] = float64(of(o))
	}
	return all
}

// againstPolygon is the actions of an approach over the vertices of polygons, among the objects that it reaches.
func againstPolygon(objects []*object, a approach, vertices func(*object) int) float64 {
	var own, polygon float64
	for _, o := range objects {
		if n, ok := o.actions[a]; ok {
			own, polygon = own+n, polygon+float64(vertices(o))
		}
	}
	return own / max(polygon, 1)
}

func quartiles(values []float64) string {
	if len(values) == 0 {
		return "none"
	}
	return fmt.Sprintf("%.1f, %.1f, %.1f", report.Quantile(values, .25), report.Median(values), report.Quantile(values, .75))
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(1, len(values)))
}
