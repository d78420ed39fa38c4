package guarantee

import (
	"math"
	"slices"
	"testing"
	"time"

	"gleaner/schemas"
)

// TestQueue: what was drawn after an audit that is still to come is held back until this comes, or has been passed over for long.
func TestQueue(t *testing.T) {
	s := newStream(1)
	var q queue
	open := s.audit(false)
	open.At, open.Probability = time.Time{}, .1
	if ready := q.push(open); len(ready) != 0 {
		t.Fatalf("ready: %+v", ready)
	}
	for i := range patience {
		a := s.audit(false)
		a.Probability = .1
		if ready := q.push(a); len(ready) != 0 {
			t.Fatalf("%d audits after one that is still to come: ready %+v", i+1, ready)
		}
	}
	if q.unread() != patience+1 || q.outstanding() != 1 {
		t.Errorf("%d unread, %d outstanding", q.unread(), q.outstanding())
	}
	soon := s.audit(false)
	soon.At = open.Routed.Add(grace)
	q.push(soon)
	if q.answered != patience+1 || len(q.held) != patience+2 {
		t.Errorf("passed over within the grace: %d held", len(q.held))
	}
	late := s.audit(false)
	late.At = open.Routed.Add(grace + time.Second)
	ready := q.push(late)
	if len(ready) != patience+3 || !ready[0].Wrong || ready[0].SampleID != open.SampleID || !slices.ContainsFunc(ready, func(a schemas.Audit) bool { return a.SampleID == late.SampleID }) {
		t.Errorf("passed over for long: ready %+v", ready)
	}
	if q.unread() != 0 || q.outstanding() != 1 {
		t.Errorf("%d unread, %d outstanding", q.unread(), q.outstanding())
	}
}

// TestSelectiveAnswers: of a score with 8 % of errors, more of which are never answered than are, no threshold for .95 is certified
// more often than Alpha allows.
func TestSelectiveAnswers(t *testing.T) {
	const streams = 200
	certified := 0
	for seed := range uint64(streams) {
		b := NewBook(func(string) (Config, bool) { return Config{Target: .95, Audit: usualAudit}, true })
		s := newStream(seed)
		var audits []schemas.Audit
		for range 1000 {
			a := s.audit(s.rng.Float64() < .08)
			a.Probability = 1
			if a.Wrong && s.rng.Float64() < .6 {
				a.At = time.Time{}
			}
			audits = append(audits, a)
		}
		for n := 200; n <= len(audits); n += 100 {
			if err := b.Read("street", seq(audits[:n], nil), time.Now()); err != nil {
				t.Fatal(err)
			}
			if a, _ := b.State("street"); a.State == schemas.AcceptanceOn {
				certified++
				break
			}
		}
	}
	if allowed := Alpha + 3*math.Sqrt(Alpha*(1-Alpha)/streams); float64(certified)/streams > allowed {
		t.Errorf("certified in %d of %d streams, allowed are %.3f", certified, streams, allowed)
	}
}

// TestPausesWhenBlind: acceptance pauses while more audits of the present are still to come than a window has, and says how many.
func TestPausesWhenBlind(t *testing.T) {
	b := NewBook(func(string) (Config, bool) { return Config{Target: .95, Audit: .1}, true })
	s := newStream(4)
	var audits []schemas.Audit
	read := func() schemas.Acceptance {
		t.Helper()
		if err := b.Read("street", seq(audits, nil), time.Now()); err != nil {
			t.Fatal(err)
		}
		a, _ := b.State("street")
		return a
	}
	for range 600 {
		a := s.audit(false)
		a.Probability = 1
		audits = append(audits, a)
	}
	for range Window / 10 {
		a := s.audit(false)
		a.At, a.Probability = time.Time{}, .1
		audits = append(audits, a)
	}
	if a := read(); a.State != schemas.AcceptanceOn || a.Outstanding != 50 {
		t.Errorf("with audits of a window outstanding: %s, %d", a.State, a.Outstanding)
	}
	one := audits[len(audits)-1]
	one.SampleID, one.Routed = id(s.n), s.at(s.n)
	audits = append(audits, one)
	if a := read(); a.State != schemas.AcceptancePaused || a.Outstanding != 51 {
		t.Errorf("with more: %s, %d", a.State, a.Outstanding)
	}
	if d, _ := b.Decide("street", id(1), 1); d.Accept || d.Probability != 1 {
		t.Errorf("with more: %+v", d)
	}
	for i := range audits {
		audits[i].At = audits[i].Routed
	}
	if a := read(); a.State != schemas.AcceptanceOn || a.Outstanding != 0 {
		t.Errorf("when they have come: %s, %d", a.State, a.Outstanding)
	}
}
