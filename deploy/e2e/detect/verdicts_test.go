package detect

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"gleaner/connectors/formats"
	"gleaner/deploy/e2e/realdata"
	lintfiles "gleaner/deploy/lint"
	"gleaner/stages/ingest"
	"gleaner/stages/lint"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
)

// verdict is what two looks at a label of bccd, in different orders and without knowing what lint says, made of it.
type verdict struct {
	Image string  `json:"image"`
	Index int     `json:"box_index"`
	Set   string  `json:"set"`   // "random", or "top": it was among the fifty that lint doubted most
	Wrong [2]bool `json:"wrong"` // a reviewer would change the box, by each look
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

// TestLintAgreesWithVerdicts: on real errors of a dataset whose classes no model knows, of boxes drawn by chance those that are wrong are
// doubted more than the others, and what is doubted most is wrong more often.
func TestLintAgreesWithVerdicts(t *testing.T) {
	dir := realdata.Need(t, "bccd", "images")
	labels, err := formats.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	o := lintfiles.Options{Images: dir, Labels: labels, Prelabel: prelabel.DefaultConfig(), Lint: lint.DefaultConfig(), Limits: pixels.DefaultLimits(), Twins: ingest.Thresholds{GroupBits: -1}, Jobs: 2}
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
	type place struct {
		image string
		index int
	}
	doubt := map[place]float32{}
	err = lintfiles.Run(t.Context(), images, o, func(r lintfiles.Result) {
		if r.Err != nil {
			t.Error(r.Err)
		}
		for _, f := range r.Findings {
			if f.Index != nil {
				at := place{f.Image, *f.Index}
				doubt[at] = max(doubt[at], f.Score)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var wrong, right []float32
	share := map[string][2]int{}
	for _, v := range all {
		if v.Wrong[0] != v.Wrong[1] {
			continue
		}
		n := share[v.Set]
		n[1]++
		if v.Wrong[0] {
			n[0]++
		}
		share[v.Set] = n
		switch s := doubt[place{v.Image, v.Index}]; {
		case v.Set != "random":
		case v.Wrong[0]:
			wrong = append(wrong, s)
		default:
			right = append(right, s)
		}
	}
	above := 0.0
	for _, w := range wrong {
		for _, r := range right {
			if w > r {
				above++
			} else if w == r {
				above += 0.5
			}
		}
	}
	area := above / float64(len(wrong)*len(right))
	t.Logf("area under the ROC curve on %d boxes drawn by chance: %.2f; wrong of those: %v, of the most doubted: %v", len(wrong)+len(right), area, share["random"], share["top"])
	if !(area > 0.6) {
		t.Error("the area is not above 0.6")
	}
}
