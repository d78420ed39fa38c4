package score

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"gleaner/schemas"
)

// TestParity compares all scores with straight NumPy (testdata/scores.py), on curves of training's shape and on arbitrary ones.
func TestParity(t *testing.T) {
	python := os.Getenv("GLEANER_PYTHON")
	if python == "" {
		python = "python3"
	}
	if out, err := exec.Command(python, "-c", "import numpy").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, NOT PASSED: %s lacks NumPy (`make parity` installs it): %v\n%s", python, err, out)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var curves []schemas.Curve
	for i := range 400 {
		curves = append(curves, realistic(r, 1+i/2), arbitrary(r, 1+r.IntN(120)))
	}
	flat := realistic(r, 40)
	for i := range flat.Loss {
		flat.Loss[i], flat.PTrue[i] = 0.1, 0.3
	}
	curves = append(curves, flat)
	theirs := numpy(t, python, curves)
	for i, c := range curves {
		s := Of(DefaultConfig(), c)
		first := -1
		if s.Learned {
			first = int(s.FirstLearned)
		}
		if theirs[i]["events"] != float64(s.Events) || theirs[i]["first_learned"] != float64(first) {
			t.Errorf("curve %d: %d events, first learned at %d; NumPy %v and %v", i, s.Events, first, theirs[i]["events"], theirs[i]["first_learned"])
		}
		for name, ours := range map[string]float64{
			"confidence": s.Confidence, "variability": s.Variability, "correctness": s.Correctness, "aum": s.AUM, "mean_loss": s.MeanLoss,
			"el2n": s.EL2N, "grand": s.GraNd, "dyn_unc": s.DynUnc, "trend_slope": s.Slope, "trend_se": s.SE,
		} {
			if want := theirs[i][name]; !same(ours, want, 1e-6) {
				t.Errorf("curve %d of %d presentations: %s is %v, NumPy's %v", i, c.Len(), name, ours, want)
			}
		}
		if want := theirs[i]["trend_p"]; !same(s.P, want, 2e-5) { // Hill's deviate against Student's integral
			t.Errorf("curve %d of %d presentations: trend_p is %v, NumPy's %v", i, c.Len(), s.P, want)
		}
	}
}

// numpy scores curves in Python.
func numpy(t *testing.T, python string, curves []schemas.Curve) []map[string]float64 {
	t.Helper()
	var in []map[string]any
	for _, c := range curves {
		in = append(in, map[string]any{
			"epochs": c.Epochs, "correct": c.Correct, "loss": texts(c.Loss), "margin": texts(c.Margin), "p_true": texts(c.PTrue), "el2n": texts(c.EL2N), "emb_norm": texts(c.EmbNorm),
		})
	}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "testdata/scores.py")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(data), os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	if err := json.Unmarshal(answer, &rows); err != nil {
		t.Fatal(err)
	}
	out := make([]map[string]float64, len(rows))
	for i, row := range rows {
		out[i] = map[string]float64{}
		for name, v := range row {
			switch v := v.(type) {
			case float64:
				out[i][name] = v
			case string: // JSON has no NaN
				if out[i][name], err = strconv.ParseFloat(v, 64); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return out
}

func texts(column []float32) []string {
	out := make([]string, len(column))
	for i, v := range column {
		out[i] = strconv.FormatFloat(float64(v), 'g', -1, 64)
	}
	return out
}

// same reports whether two numbers are the same but for tolerance, relative above 1.
func same(a, b, tolerance float64) bool {
	if math.IsNaN(a) || math.IsNaN(b) {
		return math.IsNaN(a) && math.IsNaN(b)
	}
	return math.Abs(a-b) <= tolerance*max(1, math.Abs(b))
}
