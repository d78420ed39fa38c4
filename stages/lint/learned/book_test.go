package learned

import (
	"math"
	"testing"

	"gleaner/schemas"
)

// judged is what reviewers did with n findings of type missing at each of ten scores, of which they changed the share that line gives.
func judged(dataset string, n uint64, line func(own float64) float64) (counts []schemas.JudgmentCount) {
	for i := range 10 {
		own := (float64(i) + 0.5) / 10
		fixed := uint64(math.Round(float64(n) * line(own)))
		counts = append(counts, schemas.JudgmentCount{Dataset: dataset, Type: schemas.FindingMissing, Prior: own, Fixed: fixed, Kept: (n - fixed) / 2, Passed: n - fixed - (n-fixed)/2})
	}
	return counts
}

// Scores stay as they are until there are judgments, and then go to what reviewers do, each dataset's to its own and those of types
// that nobody judged nowhere.
func TestBook(t *testing.T) {
	var b Book
	if got := b.Score("street", schemas.FindingMissing, 0.3); got != 0.3 || b.Known("street") != nil {
		t.Errorf("an empty book says %v", got)
	}
	b.Learn(nil)
	if got := b.Score("street", schemas.FindingMissing, 0.3); got != 0.3 {
		t.Errorf("a book of nothing says %v", got)
	}
	half := func(own float64) float64 { return own / 2 }
	counts := append(judged("street", 100, half), judged("zoo", 100, math.Sqrt)...)
	b.Learn(counts)
	for dataset, line := range map[string]func(float64) float64{"street": half, "zoo": math.Sqrt} {
		before := float32(0)
		for _, own := range []float32{0.05, 0.2, 0.5, 0.8, 0.95} {
			got := b.Score(dataset, schemas.FindingMissing, own)
			if math.Abs(float64(got)-line(float64(own))) > 0.1 || got < before {
				t.Errorf("%s: %v is worth %v, reviewers say %v", dataset, own, got, line(float64(own)))
			}
			before = got
		}
	}
	if got := b.Score("street", schemas.FindingSpurious, 0.3); got != 0.3 {
		t.Errorf("a type that nobody judged: %v", got)
	}
	between := b.Score("new", schemas.FindingMissing, 0.5)
	if between <= b.Score("street", schemas.FindingMissing, 0.5) || between >= b.Score("zoo", schemas.FindingMissing, 0.5) {
		t.Errorf("a new dataset's 0.5 is worth %v, which is not between the others'", between)
	}
	known := b.Known("street")
	if len(known) != 1 || known[0].Fixed+known[0].Kept+known[0].Passed != 1000 || known[0].AtHalf != b.Score("street", schemas.FindingMissing, 0.5) {
		t.Errorf("known %+v", known)
	}
}

// One override moves a score a little and never by leaps; a thousand times as many judgments, as bounded work, say the same as many.
func TestBookIsSteady(t *testing.T) {
	one := func(own float64) []schemas.JudgmentCount {
		return []schemas.JudgmentCount{{Dataset: "street", Type: schemas.FindingMissing, Prior: own, Kept: 1}}
	}
	var b Book
	b.Learn(one(0.8))
	if got := b.Score("street", schemas.FindingMissing, 0.8); got >= 0.8 || got < 0.4 {
		t.Errorf("after one override 0.8 is worth %v", got)
	}
	var few, many Book
	third := func(float64) float64 { return 1. / 3 }
	few.Learn(judged("street", 300, third))
	many.Learn(judged("street", 300_000, third))
	for _, own := range []float32{0.1, 0.5, 0.9} {
		if f, m := few.Score("street", schemas.FindingMissing, own), many.Score("street", schemas.FindingMissing, own); math.Abs(float64(f-m)) > 0.02 {
			t.Errorf("%v is worth %v by few and %v by many", own, f, m)
		}
	}
}
