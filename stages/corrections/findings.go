package corrections

import (
	"cmp"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// mostJudged is the most judgments of one submission: nobody looks at more one by one, and no single piece of work teaches much.
const mostJudged = 50

// JudgeFindings says what a person made of the findings of a submitted sample, which are those that they were shown. An override
// is a word for the label as it is; else what was done to the label counts, and where nothing was done the finding was passed by.
// That is a no like an override: a finding's score is the probability that whoever looks at it changes the label. Rules are not
// judged, since what breaks one is no matter of probability, nor are findings that point nowhere. Of findings that are the same the
// first is judged, and of all the first mostJudged. A sample without stamps, which no desk made, has none. A nil path means that
// classes are as they are called.
func JudgeFindings(s *schemas.Sample, path Path) []schemas.Judgment {
	if s.Rank < schemas.RankHuman || len(s.Stamps) == 0 {
		return nil
	}
	if path == nil {
		path = unrelated
	}
	var out []schemas.Judgment
	for i, f := range s.Findings {
		if len(out) == mostJudged {
			break
		}
		same := func(g schemas.Finding) bool { return g.Settle("").Covers(f) }
		if f.Type == schemas.FindingRule || f.Box.Empty() || slices.ContainsFunc(s.Findings[:i], same) {
			continue
		}
		j := schemas.Judgment{
			SampleID: s.ID, Dataset: s.Dataset, Revision: s.Revision, Index: i, Type: f.Type, ObjectID: f.ObjectID, Class: f.Class, Box: f.Box,
			Score: f.Score, Prior: cmp.Or(f.Prior, f.Score), Outcome: schemas.JudgedPassed, Actor: s.Actor, At: s.Stamps[len(s.Stamps)-1].At,
		}
		at := slices.IndexFunc(s.Overrides, func(o schemas.Override) bool { return o.Covers(f) })
		switch {
		case at >= 0:
			j.Outcome, j.Reason = schemas.JudgedKept, s.Overrides[at].Reason
		case fixed(f, s, path):
			j.Outcome = schemas.JudgedFixed
		}
		out = append(out, j)
	}
	return out
}

// fixed tells whether labels are what a finding asked for. A label that is gone, or that has another class where the class was
// doubted, is; one that only has another class elsewhere is not: naming a super-class's label says nothing against its box, nor
// against the super-class, unless that very class was suggested.
func fixed(f schemas.Finding, s *schemas.Sample, path Path) bool {
	now := s.Objects
	doubted := f.Box.Clip(s.Image.W, s.Image.H) // as labels are
	if f.ObjectID == "" {
		return slices.ContainsFunc(now, func(o schemas.Object) bool { return o.Box.IoU(doubted) >= match })
	}
	o, same, found := successor(f, doubted, now)
	switch {
	case !found:
		return true
	case f.Type == schemas.FindingDuplicate:
		return nearby(doubted, now) < 2
	case f.Removes():
		return false
	case f.Type == schemas.FindingSwap || f.FixClass != "":
		return o.Class != f.Class && (o.Class == f.FixClass || !slices.Contains(path(s.Dataset, o.Class), path(s.Dataset, f.Class)[0]))
	case f.Type == schemas.FindingLoss && o.Class != f.Class: // losses doubt all of a label
		return true
	}
	return schemas.Moved(doubted, o.Box, same)
}

// successor is the label that stands for the doubted one: of the same id, or the one that covers the same place best.
func successor(f schemas.Finding, doubted geometry.Box, now []schemas.Object) (best schemas.Object, same, found bool) {
	top := 0.0
	for _, o := range now {
		iou := o.Box.IoU(doubted)
		if iou >= match && o.ID == f.ObjectID {
			return o, true, true
		}
		if iou >= match && iou > top {
			best, found, top = o, true, iou
		}
	}
	return best, false, found
}

func nearby(box geometry.Box, now []schemas.Object) (n int) {
	for _, o := range now {
		if o.Box.IoU(box) >= match {
			n++
		}
	}
	return n
}
