package evidence

import (
	"cmp"
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// A Twin is a near-duplicate image with the best label that it has.
type Twin struct {
	schemas.Label
	Distance int // bits in which its perceptual hash differs from the image's, [0,64]
}

// Disagreement is what twins say against one label of an image, or for one that is missing.
type Disagreement struct {
	Label int          // among the image's; -1: the twins have one that is missing
	Class string       // that the twins have instead; empty: the label's
	Box   geometry.Box // likewise, in pixels of the image and cut to it; empty: the label's. Both empty: the twins have nothing there.
	Score float64      // (0,1), the share of the votes that the twins have which say so
	Agree int          // how many these are
	First Twin         // the one of them with the greatest vote
}

const (
	// MaxTwins is how many twins are asked: more would cost time and say the same.
	MaxTwins = 5

	twinMatch = 0.2 // IoU from which boxes of related classes may be of one thing
	twinSame  = 0.7 // IoU from which boxes are alike: people draw one thing no more so
	twinApart = 0.4 // IoU below which they are not at all
	twinSlack = 3   // pixels by which edges may differ, however small the box
	// imagesDiffer votes for every label as it is: near duplicates are not equal, and what has moved since is no error.
	imagesDiffer = 0.25
)

// trust is the vote of a label by who made it.
func trust(r schemas.Rank) float64 {
	switch {
	case r >= schemas.RankReviewed:
		return 2
	case r >= schemas.RankHuman:
		return 1
	}
	return 0.25
}

// relation is what a twin has for a label of the image.
type relation uint8

const (
	twinNone    relation = iota // nothing
	twinPlaced                  // a label of a related class about there
	twinMoved                   // a label of a related class nearby, which is none of the other labels
	twinRenamed                 // a label of an unrelated class right there
)

// twinView is a twin as it looks from the image.
type twinView struct {
	Twin
	vote  float64        // halves with every four bits that the images differ by
	boxes []geometry.Box // [labels of the twin], in pixels of the image
	of    []relation     // [labels of the image]
	to    []int          // [labels of the image]: which of the twin's it is
	free  []bool         // [labels of the twin]: it is for none of the image's
}

// Disagreements compares the labels of an image with those of its twins, of which MaxTwins count. Boxes are brought to the image's
// size. Twins vote, the more the nearer they are and the higher the rank of their labels, and so does the label that the image has;
// of a twin that no person has labeled, silence says nothing. There is at most one disagreement a label, in the order of the labels, and
// then those about what is missing. Votes are set by hand, as no data here tell what people make of them: judgments correct the scores by
// type and dataset. Related tells whether two classes may name one thing.
func Disagreements(s *schemas.Sample, twins []Twin, related func(a, b string) bool) []Disagreement {
	var views []*twinView
	for _, t := range twins {
		if t.Image.W > 0 && t.Image.H > 0 && len(views) < MaxTwins {
			views = append(views, viewTwin(s, t, related))
		}
	}
	slices.SortStableFunc(views, func(a, b *twinView) int { return cmp.Compare(b.vote, a.vote) })
	own := trust(s.Rank) + imagesDiffer
	var out []Disagreement
	for i := range s.Objects {
		top := extra(views, i, own)
		for _, d := range []Disagreement{misnamed(views, i, own, related), misplaced(s, views, i, own)} {
			if d.Score > top.Score {
				top = d
			}
		}
		if top.Score > 0 {
			out = append(out, top)
		}
	}
	return append(out, lacking(s, views, own, related)...)
}

// viewTwin finds what a twin has for each label: first what has about the same place and a related class, the best overlap first, then
// what has the same place and another class, and of what is left the nearest of a related class, within a box's length.
func viewTwin(s *schemas.Sample, t Twin, related func(a, b string) bool) *twinView {
	v := &twinView{
		Twin: t, vote: trust(t.Rank) * math.Exp2(-float64(t.Distance)/4), boxes: make([]geometry.Box, len(t.Objects)),
		of: make([]relation, len(s.Objects)), to: make([]int, len(s.Objects)), free: make([]bool, len(t.Objects)),
	}
	x, y := float32(s.Image.W)/float32(t.Image.W), float32(s.Image.H)/float32(t.Image.H)
	for j, o := range t.Objects {
		v.free[j] = true
		v.boxes[j] = geometry.Box{X1: o.Box.X1 * x, Y1: o.Box.Y1 * y, X2: o.Box.X2 * x, Y2: o.Box.Y2 * y}
	}
	type pair struct {
		i, j int
		near float64
	}
	match := func(as relation, near func(i, j int) (float64, bool)) {
		var pairs []pair
		for i := range s.Objects {
			for j := range t.Objects {
				if v.of[i] != twinNone || !v.free[j] {
					continue
				}
				if n, ok := near(i, j); ok {
					pairs = append(pairs, pair{i, j, n})
				}
			}
		}
		slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(b.near, a.near) })
		for _, p := range pairs {
			if v.of[p.i] == twinNone && v.free[p.j] {
				v.of[p.i], v.to[p.i], v.free[p.j] = as, p.j, false
			}
		}
	}
	alike := func(i, j int) bool { return related(s.Objects[i].Class, t.Objects[j].Class) }
	match(twinPlaced, func(i, j int) (float64, bool) {
		o := iou(s.Objects[i].Box, v.boxes[j])
		return float64(o), o >= twinMatch && alike(i, j)
	})
	match(twinRenamed, func(i, j int) (float64, bool) {
		o := iou(s.Objects[i].Box, v.boxes[j])
		return float64(o), o >= oneThing && !alike(i, j)
	})
	match(twinMoved, func(i, j int) (float64, bool) {
		a, b := s.Objects[i].Box, v.boxes[j]
		dx, dy := float64(a.X1+a.X2-b.X1-b.X2)/2, float64(a.Y1+a.Y2-b.Y1-b.Y2)/2
		near := math.Hypot(dx, dy) / max(math.Hypot(float64(a.W()), float64(a.H())), 1)
		return -near, near <= 1 && alike(i, j)
	})
	return v
}

// votes adds the twins up that say what a disagreement does.
func (d *Disagreement) votes(views []*twinView, own float64, says func(*twinView) (against, supports float64)) {
	all := own
	for _, v := range views {
		against, supports := says(v)
		if against > 0 {
			d.Agree++
			d.Score += v.vote * against
		}
		all += v.vote * (against + supports)
	}
	d.Score /= all
}

// extra is that twins have nothing where label i is.
func extra(views []*twinView, i int, own float64) (d Disagreement) {
	at := slices.IndexFunc(views, func(v *twinView) bool { return v.of[i] == twinNone && v.Rank >= schemas.RankHuman })
	if at < 0 {
		return d
	}
	d.Label, d.First = i, views[at].Twin
	d.votes(views, own, func(v *twinView) (against, supports float64) {
		switch {
		case v.of[i] != twinNone:
			return 0, 1
		case v.Rank >= schemas.RankHuman:
			return 1, 0
		}
		return 0, 0
	})
	return d
}

// misnamed is that twins have another class for label i.
func misnamed(views []*twinView, i int, own float64, related func(a, b string) bool) (d Disagreement) {
	at := slices.IndexFunc(views, func(v *twinView) bool { return v.of[i] == twinRenamed })
	if at < 0 {
		return d
	}
	d.Label, d.First, d.Class = i, views[at].Twin, views[at].Objects[views[at].to[i]].Class
	d.votes(views, own, func(v *twinView) (against, supports float64) {
		switch {
		case v.of[i] == twinRenamed && related(v.Objects[v.to[i]].Class, d.Class):
			return 1, 0
		case v.of[i] != twinNone:
			return 0, 1
		}
		return 0, 0
	})
	return d
}

// misplaced is that twins have label i elsewhere, all of them in one place: a thing that is elsewhere in each moves.
func misplaced(s *schemas.Sample, views []*twinView, i int, own float64) (d Disagreement) {
	label := s.Objects[i].Box
	at := slices.IndexFunc(views, func(v *twinView) bool { return v.of[i] == twinPlaced && away(label, v.boxes[v.to[i]]) > 0 })
	if at < 0 {
		return d
	}
	first := views[at].boxes[views[at].to[i]]
	d.Label, d.First, d.Box = i, views[at].Twin, first.Clip(s.Image.W, s.Image.H)
	if d.Box.Empty() {
		return Disagreement{}
	}
	d.votes(views, own, func(v *twinView) (against, supports float64) {
		switch v.of[i] {
		case twinPlaced:
			off := away(label, v.boxes[v.to[i]])
			if away(first, v.boxes[v.to[i]]) > 0 {
				off = 0
			}
			return off, 1 - off
		case twinMoved:
			return 0, 1
		}
		return 0, 0
	})
	return d
}

// away is how much farther from each other two boxes are than people draw one thing, [0,1].
func away(a, b geometry.Box) float64 {
	p, q := sides(a), sides(b)
	for e := range p {
		if !(math.Abs(p[e]-q[e]) <= twinSlack) {
			return min(max((twinSame-float64(iou(a, b)))/(twinSame-twinApart), 0), 1)
		}
	}
	return 0
}

// lacking is what twins have and the image lacks.
func lacking(s *schemas.Sample, views []*twinView, own float64, related func(a, b string) bool) (out []Disagreement) {
	for _, first := range views {
		for j, object := range first.Objects {
			if !first.free[j] {
				continue
			}
			box := first.boxes[j].Clip(s.Image.W, s.Image.H)
			if box.Empty() {
				continue
			}
			d := Disagreement{Label: -1, First: first.Twin, Class: object.Class, Box: box}
			d.votes(views, own, func(v *twinView) (against, supports float64) {
				for k, o := range v.Objects {
					if v.free[k] && related(o.Class, object.Class) && iou(v.boxes[k], first.boxes[j]) >= oneThing {
						v.free[k] = false // it is told once
						return 1, 0
					}
				}
				if v.Rank >= schemas.RankHuman {
					return 0, 1
				}
				return 0, 0
			})
			out = append(out, d)
		}
	}
	return out
}
