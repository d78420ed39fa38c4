package score

import (
	"math"
	"math/rand/v2"
	"testing"

	"gleaner/schemas"
)

// TestPermutedEpochsAreNoEdges: where the order of the epochs means nothing, at most 5 % of the curves are called edge cases, whatever
// their noise is like.
func TestPermutedEpochsAreNoEdges(t *testing.T) {
	for name, make := range map[string]func(*rand.Rand) schemas.Curve{
		"as training gives":            func(r *rand.Rand) schemas.Curve { return shuffled(r, realistic(r, 40)) },
		"few epochs":                   func(r *rand.Rand) schemas.Curve { return shuffled(r, realistic(r, 12)) },
		"many epochs":                  func(r *rand.Rand) schemas.Curve { return shuffled(r, realistic(r, 200)) },
		"mostly small, rarely large":   func(r *rand.Rand) schemas.Curve { return spiked(r, 60, func(float64) float64 { return 0.1 }) },
		"noisier towards the end":      func(r *rand.Rand) schemas.Curve { return spiked(r, 60, func(at float64) float64 { return at }) },
		"noise that lingers, no trend": lingering,
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 6))
			var run []Member
			for range 4000 {
				run = append(run, Member{Scores: Of(DefaultConfig(), make(r))})
			}
			edges := 0
			for _, v := range Judge(run) {
				if v.Kind == Edge || v.Q <= MaxEdgeRate {
					edges++
				}
			}
			if share := float64(edges) / float64(len(run)); share > 0.05 {
				t.Errorf("%.1f %% are called edge cases", 100*share)
			}
		})
	}
}

// spiked makes a curve whose loss now and then is large, by a chance that depends on how far training is.
func spiked(r *rand.Rand, epochs int, chance func(at float64) float64) schemas.Curve {
	var c schemas.Curve
	for e := range epochs {
		margin := 5 + r.NormFloat64()
		if r.Float64() < 0.2*chance(float64(e)/float64(epochs)) || r.Float64() < 0.05 {
			margin = -3 * r.ExpFloat64()
		}
		present(&c, uint32(e), margin, 1)
	}
	c.Loss = shuffled(r, c).Loss
	return c
}

// lingering makes a curve whose noise depends on the noise before.
func lingering(r *rand.Rand) schemas.Curve {
	var c schemas.Curve
	noise := 0.0
	for e := range 60 {
		noise = 0.3*noise + r.NormFloat64()
		present(&c, uint32(e), 3+noise, 1)
	}
	return c
}

// TestKinds plants objects of each kind among easy ones and finds them.
func TestKinds(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	want := map[Kind]func(at float64) float64{ // the margin as training goes on
		Easy:       func(at float64) float64 { return -1 + 9*math.Min(1, 4*at) },
		Hard:       func(float64) float64 { return -0.5 },
		Edge:       func(at float64) float64 { return 4 - 3.5*at },
		LabelError: func(at float64) float64 { return -6 + at },
	}
	var run []Member
	var planted []Kind
	for i := range 1000 {
		kind := Easy
		if i%10 == 0 {
			kind = []Kind{Hard, Edge, LabelError}[i/10%3]
		}
		var c schemas.Curve
		for e := range 60 {
			present(&c, uint32(e), want[kind](float64(e)/60)+0.4*r.NormFloat64(), 1)
		}
		run, planted = append(run, Member{Class: []string{"cat", "dog"}[i%2], Scores: Of(DefaultConfig(), c)}), append(planted, kind)
	}
	wrong := map[Kind]int{}
	for i, v := range Judge(run) {
		if v.Kind != planted[i] {
			wrong[planted[i]]++
		}
	}
	if wrong[Easy] > 5 || wrong[Hard]+wrong[Edge]+wrong[LabelError] > 5 {
		t.Errorf("taken for another kind: %v", wrong)
	}
	if v := Judge([]Member{{Scores: Of(DefaultConfig(), schemas.Curve{})}}); v[0].Kind != Unknown {
		t.Errorf("a curve without presentations is %s", v[0].Kind)
	}
}

// TestSuspect: a whole class of low margins is no class of errors.
func TestSuspect(t *testing.T) {
	var run []Member
	for i := range 100 {
		run = append(run, Member{"head", Scores{AUM: 5 + float64(i%5)}}, Member{"tail", Scores{AUM: -5 + float64(i%5)}})
	}
	run = append(run, Member{"head", Scores{AUM: -5}}, Member{"", Scores{AUM: math.NaN()}})
	got := Suspect(run)
	head := got[200]
	for i, s := range got[:200] {
		if s.Error >= head.Error || s.Outlier >= head.Outlier {
			t.Errorf("%+v is like its class, and more suspected (%+v) than the outlier of its own (%+v)", run[i], s, head)
		}
	}
	if s := got[201]; !math.IsNaN(s.Error) || !math.IsNaN(s.Outlier) {
		t.Errorf("an object without margins is suspected: %+v", s)
	}
}

func TestBenjaminiHochberg(t *testing.T) {
	// The example of the paper, section 3.2: 15 tests, of which a rate of 0.05 rejects the first four.
	p := []float64{0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1}
	q := BenjaminiHochberg(append([]float64{math.NaN()}, p...))
	rejected := 0
	for _, v := range q[1:] {
		if v <= 0.05 {
			rejected++
		}
	}
	if rejected != 4 || !math.IsNaN(q[0]) || math.Abs(q[1]-0.0015) > 1e-12 {
		t.Errorf("%d rejected: %v", rejected, q)
	}
}

func TestAcross(t *testing.T) {
	got := Across([]float64{1, math.NaN(), 3})
	if got.Runs != 2 || got.Mean != 2 || math.Abs(got.Spread-math.Sqrt2) > 1e-12 {
		t.Errorf("got %+v", got)
	}
}
