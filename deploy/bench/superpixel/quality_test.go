package main

import (
	"math"
	"testing"
)

func TestBorders(t *testing.T) {
	for _, c := range []struct {
		name   string
		labels []uint16
		w      int
		want   float64
	}{
		{"one region", []uint16{7, 7, 7, 7}, 2, 0},
		{"one pixel", []uint16{0}, 1, 0},
		{"left and right", []uint16{0, 0, 0, 1, 0, 0, 0, 1}, 4, 0.5},
		{"only the row's ends differ, which are no neighbors", []uint16{0, 0, 1, 1, 1, 1}, 6, 2.0 / 6},
		{"a corner does not count", []uint16{0, 0, 0, 0, 0, 0, 0, 0, 1}, 3, 3.0 / 9},
	} {
		if got := borders(c.labels, c.w); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %.3f, want %.3f", c.name, got, c.want)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		got, aim float64
		least    bool
		want     string
	}{
		{1.6, 1.5, true, "≥ 1.5: met"},
		{1.5, 1.5, true, "≥ 1.5: met"},
		{1.25, 1.5, true, "≥ 1.5: missed by 0.25"},
		{0.0812, 0.08, false, "≤ 0.08: missed by 0.001"},
		{0.07, 0.08, false, "≤ 0.08: met"},
	} {
		if got := verdict(c.got, c.aim, c.least); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestSlope(t *testing.T) {
	if got := slope([]float64{1, 2, 4}, []float64{3, 12, 48}); math.Abs(got-2) > 1e-9 {
		t.Errorf("slope %.3f of a square, want 2", got)
	}
}

func TestBestApproachReachesNearlyAll(t *testing.T) {
	coarse, fine := approach{"K=100", peerGroup}, approach{"K=3200", peerGroup}
	var objects []*object
	for i := range 10 {
		o := &object{vertices: 30, actions: map[approach]float64{fine: 40}}
		if i == 0 {
			o.actions[coarse] = 2
		}
		objects = append(objects, o)
	}
	groups := tallies(objects)
	if best := groups[peerGroup][0]; best.approach != fine || len(best.reached) != 10 {
		t.Errorf("%s stands for the group: it reaches %d of 10", best.name, len(best.reached))
	}
	if r, n := ratio(objects, coarse, fine); r != 0.05 || n != 1 {
		t.Errorf("ratio %.3f among %d objects, want 0.05 among the one that both reach", r, n)
	}
}
