package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"gleaner/schemas"
	"gleaner/stages/prelabel"
	"gleaner/stages/prelabel/evaluate"
	"gleaner/stages/prelabel/fuse"
)

const outerFolds = 5 // of what is judged; what a fuser is learned from is folded again within

// fusion judges fused detections beside each model's and plain ways of fusing, on pictures that nothing was learned from.
func (b *bench) fusion(ctx context.Context, out io.Writer) error {
	s, err := b.coco128(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### Fusion\n\nAP50 on the %d pictures of coco128 (COCO's 101 recalls, mean over the %d classes labeled), detections from score %g, suppressed at IoU %g "+
		"within each class. The models were trained on pictures like these, so only differences count. Ours is learned by %d-fold cross-fitting: each picture is fused by "+
		"what the other folds' pictures taught, choice of the method included. Intervals are the middle 95 %% of %d resamples of the pictures, paired.\n",
		len(s.pictures), len(s.evaluation(s.first()).Labeled()), prelabel.DefaultConfig().Low, prelabel.DefaultConfig().IoU, outerFolds, b.resamples)
	all := b.allKnowing()
	b.fusionTable(out, s, "Every model knows every class", all)
	for _, split := range []struct {
		name  string
		parts [][]string
	}{
		{"Complementary classes", [][]string{{"vehicle", "animal", "outdoor", "sports"}, {"person", "furniture", "kitchen", "food", "electronic", "appliance", "indoor", "accessory"}}},
		{"Classes that overlap in part", [][]string{{"person", "vehicle", "animal"}, {"person", "furniture", "food", "kitchen"}}},
	} {
		some := slices.Clone(all[:2])
		var says []string
		for i, part := range split.parts {
			some[i].Classes = b.below(part...)
			says = append(says, fmt.Sprintf("%s knows %s", some[i].ID, strings.Join(part, ", ")))
		}
		b.fusionTable(out, s, split.name+": "+strings.Join(says, "; "), some)
	}
	return nil
}

// fusionTable compares ways to use some of the models, where each is kept to its classes.
func (b *bench) fusionTable(out io.Writer, s *scored, title string, models []fuse.Model) {
	images := s.images(models)
	type row struct {
		name string
		*evaluate.Precision
	}
	each := func(fused func(i int) []schemas.Object) *evaluate.Precision {
		found := make([][]schemas.Object, len(images))
		for i := range images {
			found[i] = fused(i)
		}
		return s.evaluation(found)
	}
	var rows []row
	best := 0
	for m, model := range models {
		rows = append(rows, row{model.ID + " alone", each(func(i int) []schemas.Object { return images[i].Found[m] })})
		if rows[m].Mean(nil) > rows[best].Mean(nil) {
			best = m
		}
	}
	rows = append(
		rows,
		row{"all together, suppressed", each(func(i int) []schemas.Object { return together(images[i].Found) })},
		row{"weighted boxes fusion, plain", each(func(i int) []schemas.Object { return weighted(images[i].Found) })},
	)
	ours, fusers := crossFit(models, images, 0)
	rows = append(rows, row{"**ours**", s.evaluation(ours)})
	fmt.Fprintf(out, "\n**%s.**\n\n| | AP50 | less the best model alone |\n|---|---|---|\n", title)
	for i, r := range rows {
		over := "(the best)"
		if i != best {
			over = points(evaluate.Difference(r.Precision, rows[best].Precision, b.resamples, 1))
		}
		fmt.Fprintf(out, "| %s | %.2f | %s |\n", r.name, 100*r.Mean(nil), over)
	}
	var chosen []string
	for _, f := range fusers {
		chosen = append(chosen, fmt.Sprintf("%s (%d classes refused)", f.Method, len(f.Refused)))
	}
	first := evaluate.Difference(rows[len(rows)-1].Precision, rows[best].Precision, b.resamples, 1)
	overs := []evaluate.Interval{first}
	for seed := 1; seed < b.seeds; seed++ {
		again, _ := crossFit(models, images, seed)
		overs = append(overs, evaluate.Difference(s.evaluation(again), rows[best].Precision, b.resamples, uint64(seed+1)))
	}
	byValue := func(a, b evaluate.Interval) int { return cmp.Compare(a.Value, b.Value) }
	fmt.Fprintf(out, "\nChosen in the folds: %s. Not below the best model by more than 0.5 points: %s. Over %d seeds of the folds and the resamples the difference is %s to %s.\n",
		strings.Join(chosen, ", "), verdict(overs), b.seeds, points(slices.MinFunc(overs, byValue)), points(slices.MaxFunc(overs, byValue)))
}

// verdict holds differences, by several seeds, to the aim.
func verdict(overs []evaluate.Interval) string {
	value, low := math.Inf(1), math.Inf(1)
	for _, o := range overs {
		value, low = min(value, o.Value), min(low, o.Low)
	}
	switch {
	case low > 0:
		return "met, it is better by every interval"
	case low >= -0.005:
		return "met by every interval"
	case value >= -0.005:
		return "met on these pictures, an interval leaves it open"
	}
	return "missed"
}

// points prints an interval of fractions as percent with its sign.
func points(i evaluate.Interval) string {
	return fmt.Sprintf("%+.2f [%+.2f, %+.2f]", 100*i.Value, 100*i.Low, 100*i.High)
}

// crossFit fuses every image by a fuser learned from the other folds', which a seed decides, and returns these fusers, too.
func crossFit(models []fuse.Model, images []fuse.Image, seed int) ([][]schemas.Object, []*fuse.Fuser) {
	ids := make([]string, len(images))
	for i, img := range images {
		ids[i] = fmt.Sprint("outer ", seed, img.ID)
	}
	fold := evaluate.Folds(ids, outerFolds)
	found, fusers := make([][]schemas.Object, len(images)), make([]*fuse.Fuser, outerFolds)
	for k := range fusers {
		var others []fuse.Image
		for i, img := range images {
			if fold[i] != k {
				others = append(others, img)
			}
		}
		fusers[k] = fuse.Fit(models, others, fuse.DefaultConfig())
		for i, img := range images {
			if fold[i] == k {
				found[i] = fusers[k].Fuse(img.Found)
			}
		}
	}
	return found, fusers
}

// together suppresses the detections of all models as if they were one's.
func together(perModel [][]schemas.Object) []schemas.Object {
	all := slices.Concat(perModel...)
	slices.SortStableFunc(all, byScore)
	return prelabel.Suppress(all, prelabel.DefaultConfig().IoU, len(all))
}

func byScore(a, b schemas.Object) int { return cmp.Compare(b.Score, a.Score) }

// weighted is weighted boxes fusion as its paper and its authors' program have it (Solovyev et al. 2021), with equal weights:
// a box joins the fused box of its class that it overlaps most, above IoU 0.55; a fused box is the mean of its members by
// their scores, and its score their mean, times the share of the models that it has members for.
func weighted(perModel [][]schemas.Object) []schemas.Object {
	type fused struct {
		schemas.Object
		members             int
		x1, y1, x2, y2, sum float64
	}
	all := slices.Concat(perModel...)
	slices.SortStableFunc(all, byScore)
	var clusters []*fused
	for _, o := range all {
		var into *fused
		most := fuse.DefaultIoU
		for _, c := range clusters {
			if v := c.Box.IoU(o.Box); c.Class == o.Class && v > most {
				into, most = c, v
			}
		}
		if into == nil {
			into = &fused{Object: o}
			clusters = append(clusters, into)
		}
		w := float64(o.Score)
		into.members++
		into.sum += w
		into.x1, into.y1, into.x2, into.y2 = into.x1+w*float64(o.Box.X1), into.y1+w*float64(o.Box.Y1), into.x2+w*float64(o.Box.X2), into.y2+w*float64(o.Box.Y2)
		into.Box.X1, into.Box.Y1, into.Box.X2, into.Box.Y2 = float32(into.x1/into.sum), float32(into.y1/into.sum), float32(into.x2/into.sum), float32(into.y2/into.sum)
	}
	out := make([]schemas.Object, len(clusters))
	for i, c := range clusters {
		out[i] = c.Object
		out[i].Score = float32(c.sum / float64(c.members) * float64(min(c.members, len(perModel))) / float64(len(perModel)))
	}
	slices.SortStableFunc(out, byScore)
	return out
}
