package main

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/prelabel/evaluate"
)

// TestFusionOnPhotos holds average precision to what the Python evaluation of deploy/e2e/detect has for the same objects, and
// fused detections to the aim.
func TestFusionOnPhotos(t *testing.T) {
	for _, need := range []string{"coco128", "models"} {
		realdata.Need(t, need)
	}
	data, _ := realdata.Dir()
	b := &bench{data: data}
	defer func() {
		if err := b.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := b.open(); err != nil {
		t.Fatal(err)
	}
	s, err := b.coco128(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	single := s.evaluation(s.first())
	if got := 100 * single.Mean(nil); math.Abs(got-49.08) > 0.05 {
		t.Errorf("AP50 of %s is %.2f, Python has 49.08", s.models[0], got)
	}
	models := b.allKnowing()
	found, fusers := crossFit(models, s.images(models), 0)
	over := evaluate.Difference(s.evaluation(found), single, 1000, 1)
	t.Logf("%s: %s points over %s", fusers[0].Method, points(over), s.models[0])
	if over.Low < -0.005 {
		t.Errorf("fused is %s points over %s", points(over), s.models[0])
	}
}

func TestWeightedBoxesFusion(t *testing.T) {
	box := func(x, score float32) schemas.Object {
		return schemas.Object{Class: "cat", Score: score, Box: geometry.Box{X1: x, X2: x + 10, Y2: 10}}
	}
	got := weighted([][]schemas.Object{{box(0, .9), box(50, .4)}, {box(1, .3)}})
	want := []schemas.Object{box(.25, .6), box(50, .2)}
	if !slices.EqualFunc(got, want, func(a, b schemas.Object) bool {
		return math.Abs(float64(a.Score-b.Score)) < 1e-6 && math.Abs(float64(a.Box.X1-b.Box.X1)) < 1e-5
	}) {
		t.Errorf("%+v", got)
	}
}

func TestHits(t *testing.T) {
	at := func(x float32, class string, refine bool) schemas.Object {
		return schemas.Object{Class: class, Refine: refine, Score: 0.5, Box: geometry.Box{X1: x, X2: x + 10, Y2: 10}}
	}
	labels := []schemas.Object{at(0, "raccoon", false), at(50, "dog", false), at(100, "cat", false)}
	for want, objects := range map[int][]schemas.Object{
		0: {at(0, "cat", false), at(20, "animal", true)},
		1: {at(0, "animal", true), at(1, "animal", true)},
		2: {at(1, "animal", true), at(51, "dog", false), at(101, "animal", false)},
	} {
		if got := hits(labels, objects); got != want {
			t.Errorf("%d labels found by %+v, want %d", got, objects, want)
		}
	}
	if got := hits(nil, labels); got != 0 {
		t.Errorf("%d found of none", got)
	}
}

func TestVerdict(t *testing.T) {
	for want, overs := range map[string][]evaluate.Interval{
		"met, it is better by every interval":               {{Value: .02, Low: .01}, {Value: .03, Low: .02}},
		"met by every interval":                             {{Value: .02, Low: .01}, {Value: 0, Low: -.004}},
		"met on these pictures, an interval leaves it open": {{Value: .02, Low: .01}, {Value: 0, Low: -.006}},
		"missed": {{Value: .02, Low: .01}, {Value: -.006, Low: -.02}},
	} {
		if got := verdict(overs); got != want {
			t.Errorf("%v: %s, want %s", overs, got, want)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for want, o := range map[string]options{
		`-only fusion,speed: there is no section "speed"`: {only: "fusion,speed", seeds: 1, resamples: 100},
		"-seeds 0":                        {only: "fusion", resamples: 100},
		"-seeds 1 -resamples 5: at least": {only: "fusion", seeds: 1, resamples: 5},
	} {
		if err := run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
