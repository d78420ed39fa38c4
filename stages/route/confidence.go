package route

// How sure the system is of a label that no person has seen, and what it says to people when it is not.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gleaner/schemas"
)

// Confidence is how far the objects of a sample may be trusted without a person, [0,1]: 0 where one is needed whatever is likely,
// else what estimate says.
func Confidence(s *schemas.Sample, wanted []schemas.Object) float64 {
	if needed(s) {
		return 0
	}
	return estimate(s, wanted)
}

// doubt is by how much a sample comes before others, [0,2]: 1 - its estimate, and 1 more where a person is needed whatever that is. So
// images that all break a rule, or all have a class to be refined, still differ by what else may be wrong.
func doubt(s *schemas.Sample, wanted []schemas.Object) float64 {
	d := 1 - estimate(s, wanted)
	if needed(s) {
		d++
	}
	return d
}

// needed tells whether a person has to see the sample: no detector has looked at the image (other steps name what they work with too,
// but it has seen no objects), the class of an object is still to be refined, or a rule is broken for certain.
func needed(s *schemas.Sample) bool {
	return len(s.Models()) == 0 || slices.ContainsFunc(s.Objects, func(o schemas.Object) bool { return o.Refine }) ||
		slices.ContainsFunc(s.Findings, schemas.Finding.Certain)
}

// estimate is the chance that the objects are right as far as it is uncertain, [0,1]: the least of
//
//   - 1 - the highest score among the findings that are estimates;
//   - the lowest score among the objects, or, where there are none, 1 - the highest score among wanted, the proposals that the
//     dataset's rules let in: of what it does not want there may be any number.
func estimate(s *schemas.Sample, wanted []schemas.Object) float64 {
	least := 1.0
	for _, f := range s.Findings {
		if !f.Certain() {
			least = min(least, 1-float64(f.Score))
		}
	}
	for _, o := range s.Objects {
		least = min(least, float64(o.Score))
	}
	if len(s.Objects) == 0 {
		for _, p := range wanted {
			least = min(least, 1-float64(p.Score))
		}
	}
	return max(least, 0)
}

const reasonFindings = 2 // named in a reason; the others are counted

// reason is the sentence that a person reads: what the findings say, the most doubtful first, else what is least certain; with
// its score only where no audit would be known by it.
func reason(s *schemas.Sample, scores bool) string {
	if len(s.Findings) == 0 {
		return plainReason(s, scores)
	}
	findings := slices.Clone(s.Findings)
	slices.SortStableFunc(findings, func(a, b schemas.Finding) int { return cmp.Compare(b.Score, a.Score) })
	var parts []string
	for _, f := range findings[:min(len(findings), reasonFindings)] {
		why := f.Why
		if why == "" {
			why = strings.TrimSpace(string(f.Type) + " " + f.Class)
		}
		parts = append(parts, strings.TrimSuffix(clip(why, 300), "."))
	}
	if more := len(findings) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ")
}

func plainReason(s *schemas.Sample, scores bool) string {
	switch {
	case len(s.Models()) == 0 && len(s.Objects) == 0:
		return "no model has labeled this image"
	case len(s.Objects) == 0:
		return "the model saw nothing here"
	}
	if at := slices.IndexFunc(s.Objects, func(o schemas.Object) bool { return o.Refine }); at >= 0 {
		return fmt.Sprintf("what kind of %s is this?", s.Objects[at].Class)
	}
	o := slices.MinFunc(s.Objects, func(a, b schemas.Object) int { return cmp.Compare(a.Score, b.Score) })
	if !scores {
		return "no finding; least certain: " + o.Class
	}
	return fmt.Sprintf("no finding; least certain: %s at %.2f", o.Class, o.Score)
}

// clip cuts a sentence to about n bytes at a rune's end.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
