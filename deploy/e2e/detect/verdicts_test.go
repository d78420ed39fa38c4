package detect

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"gleaner/connectors/formats"
	"gleaner/deploy/e2e/realdata"
	"gleaner/deploy/label"
	lintfiles "gleaner/deploy/lint"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/ingest"
	"gleaner/stages/lint"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
)

// verdict is what two looks at a place of bccd, in different orders and without knowing what lint says of it, made of it.
type verdict struct {
	Image string      `json:"image"`
	Index *int        `json:"box_index"` // of the label; null where there is none
	Box   *[4]float32 `json:"box"`       // where a label may be missing
	Set   string      `json:"set"`       // "top": of the fifty findings that lint is surest of; "past": of those of other weights; "random": a label drawn by chance; "control": a thing drawn by chance that lint takes for covered or for another
	Looks [2]string   `json:"looks"`     // "yes": a reviewer would change the label, or add one; "clump": would add several, for which the box is too large; "no"
}

// wrong tells what both looks say, if they agree on whether something is wrong.
func (v verdict) wrong() (wrong, agree bool) {
	return v.Looks[0] != "no", (v.Looks[0] == "no") == (v.Looks[1] == "no")
}

func verdicts(t *testing.T) (out []verdict) {
	t.Helper()
	f, err := os.Open("testdata/bccd_verdicts.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var v verdict
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// TestLintAgreesWithVerdicts: on real errors of a dataset whose classes no model knows, labels drawn by chance that are wrong are doubted
// more than the others, things that lack a label more than those that do not, and what was wrong of the findings that it was surest of it finds again.
func TestLintAgreesWithVerdicts(t *testing.T) {
	dir := realdata.Need(t, "bccd", "images")
	labels, err := formats.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	o := lintfiles.Options{Images: dir, Labels: labels, Prelabel: prelabel.DefaultConfig(), Lint: lint.DefaultConfig(), Limits: pixels.DefaultLimits(), Wishes: label.Wishes{Rules: schemas.DatasetRules{Dataset: "bccd"}}, Twins: ingest.Thresholds{GroupBits: -1}, Jobs: 2}
	o.Lint.Rules.MinScore = 0.01
	for _, m := range models {
		o.Models = append(o.Models, recognize(t, load(t, m.file), m.file))
	}
	all := verdicts(t)
	var images []string
	for _, v := range all {
		if !slices.Contains(images, v.Image) {
			images = append(images, v.Image)
		}
	}
	found := map[string][]lintfiles.Finding{}
	err = lintfiles.Run(t.Context(), images, o, func(r lintfiles.Result) {
		if r.Err != nil {
			t.Error(r.Err)
		}
		found[r.Image] = r.Findings
	})
	if err != nil {
		t.Fatal(err)
	}
	box := func(b [4]float32) geometry.Box { return geometry.Box{X1: b[0], Y1: b[1], X2: b[2], Y2: b[3]} }
	doubt := func(v verdict) (score float32) {
		for _, f := range found[v.Image] {
			if v.Index != nil && f.Index != nil && *f.Index == *v.Index ||
				v.Box != nil && f.Type == schemas.FindingMissing && box(f.Box).IoU(box(*v.Box)) >= 0.5 {
				score = max(score, f.Score)
			}
		}
		return score
	}
	var random, absent separation
	share := map[string][2]int{}
	real, again := 0, 0 // of the findings that lint was surest of
	for _, v := range all {
		wrong, agree := v.wrong()
		if !agree {
			continue
		}
		n := share[v.Set]
		n[1]++
		if wrong {
			n[0]++
		}
		share[v.Set] = n
		if wrong && v.Set == "top" {
			real++
			if doubt(v) >= 0.5 {
				again++
			}
		}
		switch {
		case v.Box != nil:
			absent.add(wrong, doubt(v))
		case v.Set == "random":
			random.add(wrong, doubt(v))
		}
	}
	t.Logf("areas under the ROC curve: labels drawn by chance %.2f, things without a label %.2f; wrong of all: %v; of the surest that are wrong, %d of %d are found again", random.area(), absent.area(), share, again, real)
	if !(random.area() > 0.6) || !(absent.area() > 0.6) {
		t.Error("an area is not above 0.6")
	}
	if again < real*9/10 {
		t.Errorf("of %d real errors among the surest findings lint doubts %d by .5 or more", real, again)
	}
}

// separation are the scores of what is wrong and of what is not.
type separation struct{ wrong, right []float32 }

func (s *separation) add(wrong bool, score float32) {
	if wrong {
		s.wrong = append(s.wrong, score)
	} else {
		s.right = append(s.right, score)
	}
}

// area is the one under the ROC curve: the chance that what is wrong scores higher than what is not.
func (s *separation) area() float64 {
	above := 0.0
	for _, w := range s.wrong {
		for _, r := range s.right {
			if w > r {
				above++
			} else if w == r {
				above += 0.5
			}
		}
	}
	return above / float64(len(s.wrong)*len(s.right))
}
