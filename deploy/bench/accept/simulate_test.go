package main

import (
	"testing"

	"gleaner/stages/route/guarantee"
)

// TestViolates: a violation is one error more than the target allows in any window, and no fewer.
func TestViolates(t *testing.T) {
	images := make([]taken, 4*guarantee.Window)
	wrong := func(from, n int) {
		clear(images)
		for i := range n {
			images[from+i].wrong = true
		}
	}
	for from := range 3 * guarantee.Window {
		if wrong(from, 25); violates(images, .95) {
			t.Fatalf("25 errors from %d on are a violation", from)
		}
		if wrong(from, 26); !violates(images, .95) {
			t.Fatalf("26 errors from %d on are none", from)
		}
	}
	if violates(images[:guarantee.Window-1], 1) {
		t.Error("fewer images than a window are a violation")
	}
}

// TestRequired: the tabulated numbers are the least whose bound of Clopper and Pearson is within the limit.
func TestRequired(t *testing.T) {
	r := newRequired(.05, 20)
	if r[0] != guarantee.AtLeast(.05, guarantee.Alpha) || r[1] != 93 {
		t.Errorf("without an error %d and with one %d audits are required, want 59 and 93", r[0], r[1])
	}
	for k, n := range r {
		if binomial(n, k, .05) > guarantee.Alpha || binomial(n-1, k, .05) <= guarantee.Alpha {
			t.Errorf("with %d errors %d audits are not the least", k, n)
		}
	}
}

// TestSimulate: the same seed gives the same stream, and a good score is accepted without a violation.
func TestSimulate(t *testing.T) {
	run := func() outcome {
		g, err := guarantee.New(guarantee.Config{Target: .95, Audit: guarantee.DefaultAudit(.95)})
		if err != nil {
			t.Fatal(err)
		}
		return simulate(g, drifts(.99, .05)[0], 5000, 100, true, .95, 7)
	}
	a, b := run(), run()
	if a != b {
		t.Errorf("%+v and %+v", a, b)
	}
	if a.violated || a.accepted < 1000 || a.agreed > a.oracle || a.audits == 0 {
		t.Errorf("%+v", a)
	}
}
