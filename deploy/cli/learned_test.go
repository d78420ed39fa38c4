package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	findings "gleaner/stages/lint/learned"
	"gleaner/stages/prelabel/calibrate"
	"gleaner/stages/prelabel/convention"
	"gleaner/stages/prelabel/evaluate"
	"gleaner/stages/prelabel/fuse"
	"gleaner/stages/prelabel/learned"
)

func TestPrintLearned(t *testing.T) {
	e := convention.Estimate{Class: "car", Model: "yolox@1", N: 50}
	e.Edges[3] = convention.Offset{Mean: -0.1, Low: -0.12, High: -0.08, N: 48, Applied: true}
	car := &calibrate.Line{N: 50, Shift: -0.5, Slope: 0.9}
	model := &calibrate.Line{N: 50, Slope: 1, Below: map[string]*calibrate.Line{"": {N: 50, Slope: 1, Below: map[string]*calibrate.Line{"car": car}}}}
	models := []fuse.Model{{ID: "fast@1"}, {ID: "yolox@1"}}
	f := fuse.New(models)
	f.Method, f.Trials = fuse.Stacked, []fuse.Trial{{Method: fuse.Single, AP: 0.5}, {Method: fuse.Stacked, AP: 0.55, Over: evaluate.Interval{Value: 0.05, Low: 0.01, High: 0.09}}}
	f.Refused = map[string]evaluate.Interval{"bus": {Value: -0.1, Low: -0.2, High: -0.05}}
	known := learned.Known{
		Samples: 60, Conventions: []convention.Estimate{e}, Calibration: &calibrate.Book{All: &calibrate.Line{N: 50, Shift: 0, Slope: 1, Below: map[string]*calibrate.Line{"yolox@1": model}}},
		Fusion: []learned.Fusion{{Images: 60, Fuser: f}, {Images: 3, Fuser: fuse.New(models)}},
	}
	var out strings.Builder
	if err := printLearned(&out, "street", known); err != nil {
		t.Fatal(err)
	}
	want := `CONVENTIONS
class  model    edge    offset %  95 % interval  n   
car    yolox@1  left    +0.0      +0.0 to +0.0   0   
car    yolox@1  top     +0.0      +0.0 to +0.0   0   
car    yolox@1  right   +0.0      +0.0 to +0.0   0   
car    yolox@1  bottom  -10.0     -12.0 to -8.0  48  applied

CALIBRATION, by 60 samples
model    super-class  class  n   shift  slope  score 0.5 is
all      all          all    50  +0.00  1.00   0.50
yolox@1  all          all    50  +0.00  1.00   0.50
yolox@1  -            all    50  +0.00  1.00   0.50
yolox@1  -            car    50  -0.50  0.90   0.38

FUSION of fast@1 and yolox@1, by 60 images
method   AP50 %  less single's, 95 % interval  
single   50.0                                  
stacked  55.0    +5.0, +1.0 to +9.0            chosen
bus              -10.0, -20.0 to -5.0          refused

FUSION of fast@1 and yolox@1, by 3 images
not learned yet: 20 labeled images are needed; each class has the first model that knows it
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	out.Reset()
	if err := printLearned(&out, "street", learned.Known{}); err != nil || !strings.Contains(out.String(), "nothing is known of street") {
		t.Errorf("without corrections: %q, %v", out.String(), err)
	}
}

func TestPrintFindings(t *testing.T) {
	var out strings.Builder
	if err := printFindings(&out, []findings.Type{{Type: "missing", Fixed: 12, Kept: 3, Passed: 45, AtHalf: 0.214}}); err != nil {
		t.Fatal(err)
	}
	want := "\nFINDINGS\ntype     fixed  kept  passed  score 0.5 is\nmissing  12     3     45      0.21\n"
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}
