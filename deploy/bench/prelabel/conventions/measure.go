package conventions

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"gleaner/deploy/bench/report"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/prelabel/convention"
)

// steps are the numbers of corrections after which boxes are measured; the last must be reached.
var steps = []int{0, 2, 5, 10, 20, 35, 50, 75, 100}

// leastHeldOut is how many boxes a trial is measured on at least.
const leastHeldOut = 20

// people is a way in which labels came about. teach is what a photo's corrections are, test turns a pair of a box and its label as
// it is into the pair to measure.
type people struct {
	teach func(p photo) []schemas.Correction
	test  func(c schemas.Correction) schemas.Correction
}

// byRule draws labels by the set's rule.
func (s set) byRule() people {
	return people{
		func(p photo) []schemas.Correction { return p.accepted(s.draw) },
		func(c schemas.Correction) schemas.Correction {
			c.Label = s.draw(c.Label).Clip(c.W, c.H)
			return c
		},
	}
}

// asIs leaves the labels as they are.
func asIs() people {
	same := func(b geometry.Box) geometry.Box { return b }
	return people{
		func(p photo) []schemas.Correction { return p.accepted(same) },
		func(c schemas.Correction) schemas.Correction { return c },
	}
}

// exchanged has box and label of every second pair, by lot, change places: whatever set people and model apart, there is nothing to
// learn, and IoU is the same.
func exchanged(seed uint64) people {
	lot := func(c schemas.Correction) schemas.Correction {
		h := fnv.New64a()
		_, _ = h.Write(binary.LittleEndian.AppendUint64([]byte(c.ProposalID+c.SampleID.String()), seed))
		if rand.New(rand.NewPCG(h.Sum64(), seed)).IntN(2) == 0 {
			c.Proposal, c.Label = c.Label, c.Proposal
		}
		return c
	}
	return people{
		func(p photo) []schemas.Correction {
			all := asIs().teach(p)
			for i := range all {
				all[i] = lot(all[i])
			}
			return all
		},
		lot,
	}
}

// trial is one order of the photos: the first of them give corrections, in this order; the others, which are the same for all
// steps, are measured on.
type trial struct {
	heldOut                  int               // boxes measured on
	first, last              map[int][]float64 // IoU of each photo's boxes with labels by the rule, before and after all corrections
	ruled, drawn, unlearning []float64         // median IoU after steps[i] corrections: labels by the rule, as they are, and exchanged
}

// recovered is the share of the median IoU that the rule costs which is back after steps[i] corrections.
func (t trial) recovered(i int) float64 { return (t.ruled[i] - t.ruled[0]) / (t.drawn[0] - t.ruled[0]) }

// lost is the median IoU that learning costs where there is nothing to learn.
func (t trial) lost(i int) float64 { return t.unlearning[0] - t.unlearning[i] }

// run measures one order of the photos.
func (s set) run(photos []photo, seed uint64) (trial, error) {
	order := rand.New(rand.NewPCG(seed, 0)).Perm(len(photos))
	most := steps[len(steps)-1]
	ways := []people{s.byRule(), asIs(), exchanged(seed)}
	n := 0 // photos to learn from
	for _, p := range ways {
		for n < len(order) && len(lessons(p, photos, order[:n], most)) < most {
			n++
		}
	}
	var pairs []schemas.Correction
	var of []int // photo of each pair
	for _, at := range order[n:] {
		taught := asIs().teach(photos[at])
		pairs, of = append(pairs, taught...), append(of, slices.Repeat([]int{at}, len(taught))...)
	}
	t := trial{heldOut: len(pairs), first: map[int][]float64{}, last: map[int][]float64{}}
	if len(pairs) < leastHeldOut {
		return t, fmt.Errorf("%s: after the photos that give %d corrections, %d boxes are left to measure on", s.name, most, len(pairs))
	}
	for _, step := range steps {
		for i, out := range []*[]float64{&t.ruled, &t.drawn, &t.unlearning} {
			book := convention.New(path)
			book.Update(lessons(ways[i], photos, order[:n], step))
			ious := make([]float64, len(pairs))
			for j, c := range pairs {
				c = ways[i].test(c)
				ious[j] = book.Apply(s.name, c.Class, c.Source, c.Proposal, c.W, c.H).IoU(c.Label)
			}
			*out = append(*out, report.Median(ious))
			for j, iou := range ious {
				switch {
				case i > 0: // not by the rule
				case step == 0:
					t.first[of[j]] = append(t.first[of[j]], iou)
				case step == most:
					t.last[of[j]] = append(t.last[of[j]], iou)
				}
			}
		}
	}
	return t, nil
}

// lessons are the corrections of the first photos of an order: whole photos, until there are most.
func lessons(p people, photos []photo, order []int, most int) (all []schemas.Correction) {
	for i, at := range order {
		if len(all) >= most {
			break
		}
		for _, c := range p.teach(photos[at]) {
			c.At = time.Unix(int64(i), 0)
			all = append(all, c)
		}
	}
	return all
}
