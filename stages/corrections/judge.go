package corrections

import (
	"cmp"
	"slices"

	"gleaner/schemas"
)

// Path lists a class of a dataset and the classes above it by the taxonomy's names, the nearest first: "raccoon", "animal" of what
// the dataset calls "waschbär". A class that is only a kind of one of the taxonomy's comes first, by its own name.
type Path func(dataset, class string) []string

// unrelated is the path where there is no taxonomy.
func unrelated(_, class string) []string { return []string{class} }

// match is the IoU from which a label and a proposal are about one thing, the usual threshold of evaluations (Everingham et al.,
// "The Pascal Visual Object Classes Challenge", 2010).
const match = 0.5

// Judge says how the proposals of a submitted sample fared: those that a label stands for were accepted, the others rejected, and
// labels that no model proposed were missed. Each model is judged by itself: pairs of a label and one of its proposals whose
// classes are equal or one above the other are joined one to one, those that overlap most first. A nil path means that classes
// are as they are called. Of a model's proposals of one class that overlap by match or more only the best counts: the others are
// there for lint to see how boxes scatter, and were never put before people.
//
// It returns nothing where no model has looked at the sample, or no person. Where both have, and nothing is there to judge, one row
// says so, since it replaces what an earlier submission said. The rows are in the order of proposals, then labels.
func Judge(s *schemas.Sample, path Path) []schemas.Correction {
	models := slices.Sorted(slices.Values(s.Models()))
	if s.Rank < schemas.RankHuman || len(models) == 0 {
		return nil
	}
	if path == nil {
		path = unrelated
	}
	proposals := distinct(s.Proposals)
	type pair struct {
		proposal, label int
		iou             float64
	}
	var pairs []pair
	for i, p := range proposals {
		for j, l := range s.Objects {
			if iou := p.Box.IoU(l.Box); iou >= match && related(path(s.Dataset, p.Class), path(s.Dataset, l.Class)) {
				pairs = append(pairs, pair{i, j, iou})
			}
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(b.iou, a.iou), cmp.Compare(a.proposal, b.proposal), cmp.Compare(a.label, b.label))
	})
	type claim struct {
		source string
		label  int
	}
	labelOf, taken, found := make([]int, len(proposals)), map[claim]bool{}, make([]bool, len(s.Objects))
	for i := range labelOf {
		labelOf[i] = -1
	}
	for _, p := range pairs {
		if c := (claim{proposals[p.proposal].Source, p.label}); labelOf[p.proposal] < 0 && !taken[c] {
			labelOf[p.proposal], taken[c], found[p.label] = p.label, true, true
		}
	}
	row := func(class string) schemas.Correction {
		return schemas.Correction{
			SampleID: s.ID, Dataset: s.Dataset, Revision: s.Revision, Models: models, Class: class, Canonical: path(s.Dataset, class)[0],
			W: s.Image.W, H: s.Image.H, Slices: s.Slices, Actor: s.Actor, At: s.Stamps[len(s.Stamps)-1].At,
		}
	}
	out := make([]schemas.Correction, 0, len(proposals)+len(s.Objects))
	for i, p := range proposals {
		c := row(p.Class)
		c.ProposalID, c.Source, c.Score, c.Proposal = p.ID, p.Source, p.OwnScore(), p.Own()
		if labelOf[i] >= 0 {
			l := s.Objects[labelOf[i]]
			c.Accepted, c.ObjectID, c.Labeled, c.Label = true, l.ID, l.Class, l.Box
		}
		out = append(out, c)
	}
	for j, l := range s.Objects {
		if !found[j] {
			c := row(l.Class)
			c.ObjectID, c.Labeled, c.Label = l.ID, l.Class, l.Box
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		out = append(out, row(""))
	}
	return out
}

// distinct leaves out proposals that overlap a better one, by their own scores, of their class by their model.
func distinct(proposals []schemas.Object) []schemas.Object {
	sorted := slices.SortedStableFunc(slices.Values(proposals), func(a, b schemas.Object) int { return cmp.Compare(b.OwnScore(), a.OwnScore()) })
	var kept []schemas.Object
	for _, p := range sorted {
		if !slices.ContainsFunc(kept, func(k schemas.Object) bool {
			return k.Source == p.Source && k.Class == p.Class && k.Box.IoU(p.Box) >= match
		}) {
			kept = append(kept, p)
		}
	}
	return kept
}

// related tells whether classes with these paths may name one thing: they are the same, or one is above the other.
func related(a, b []string) bool { return slices.Contains(a, b[0]) || slices.Contains(b, a[0]) }
