package guarantee

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gleaner/schemas"
)

func TestAtLeast(t *testing.T) {
	for _, c := range []struct {
		limit float64
		want  int
	}{{.05, 59}, {.02, 149}} {
		if got := AtLeast(c.limit, Alpha); got != c.want {
			t.Errorf("limit %g: %d clean audits at the least, want %d", c.limit, got, c.want)
		}
		if got := (Evidence{}).Needed(c.limit, Alpha); got < c.want {
			t.Errorf("limit %g: evidence that may be read at any time wants %d, fewer than any test may", c.limit, got)
		}
	}
}

// TestNeeded: with the audits that are said to be missing the evidence suffices, and with one less it does not.
func TestNeeded(t *testing.T) {
	for _, e := range []Evidence{{}, {30, 0}, {100, 1}, {40, 5}} {
		n := e.Needed(.05, Alpha)
		if enough := (Evidence{e.N + n, e.Wrong}).Bound(Alpha); enough > .05+1e-5 {
			t.Errorf("%+v and %d more without an error: the bound is %g", e, n, enough)
		}
		if short := (Evidence{e.N + n - 1, e.Wrong}).Bound(Alpha); short <= .05 {
			t.Errorf("%+v and %d more without an error: the bound is %g already", e, n-1, short)
		}
	}
	if n := (Evidence{500, 1}).Needed(.05, Alpha); n != 0 {
		t.Errorf("500 audits with an error need %d more", n)
	}
}

// TestEvidenceHoldsWhenReadAnytime: at the limit, wealth reaches 1/alpha at any time in a share of alpha of long sequences at most.
func TestEvidenceHoldsWhenReadAnytime(t *testing.T) {
	const sequences, audits = 2000, 1000
	for _, limit := range []float64{.02, .05, .2} {
		o, crossed := newOdds(limit), 0
		rng := rand.New(rand.NewPCG(7, uint64(1000*limit)))
		for range sequences {
			var e Evidence
			for range audits {
				if e.Add(rng.Float64() < limit); e.logWealth(o) >= -math.Log(Alpha) {
					crossed++
					break
				}
			}
		}
		allowed := Alpha + 3*math.Sqrt(Alpha*(1-Alpha)/sequences)
		if got := float64(crossed) / sequences; got > allowed {
			t.Errorf("limit %g: certified in %.3f of sequences, allowed are %.3f", limit, got, allowed)
		}
	}
}

// TestNeverCertifiesWhatIsNotGood: through pilot, sequences and periods begun anew.
func TestNeverCertifiesWhatIsNotGood(t *testing.T) {
	const streams = 500
	certified := 0
	for seed := range uint64(streams) {
		g := newGuarantee(t)
		s := newStream(seed)
		for range 1000 {
			g.Add(s.audit(s.rng.Float64() < .0501))
			if _, ok := g.Threshold(); ok {
				certified++
				break
			}
		}
	}
	if allowed := Alpha + 3*math.Sqrt(Alpha*(1-Alpha)/streams); float64(certified)/streams > allowed {
		t.Errorf("certified in %d of %d streams, allowed are %.3f", certified, streams, allowed)
	}
}

// TestAcceptsPausesAndWithdraws follows a dataset through a good time, a change, and a good time again.
func TestAcceptsPausesAndWithdraws(t *testing.T) {
	g, s := newGuarantee(t), newStream(1)
	if d := g.Decide(schemas.SampleID{1}, 1); d.Accept || d.Probability != 1 {
		t.Fatalf("nothing is known, and an image of confidence 1 gets %+v", d)
	}
	until := func(what string, wrong, done func() bool) {
		t.Helper()
		for range 2000 {
			if done() {
				return
			}
			g.Add(s.audit(wrong()))
		}
		t.Fatalf("2000 audits, and still: not %s", what)
	}
	right := func() bool { return false }
	accepts := func() bool { _, ok := g.Threshold(); return ok }
	until("accepting", right, accepts)
	if s.n < pilot+AtLeast(.05, Alpha) {
		t.Errorf("accepts after %d audits", s.n)
	}
	accepted, drawn := 0, 0
	for i := range 2000 {
		switch d := g.Decide(id(i), 1); {
		case d.Accept && d.Probability == 0:
			accepted++
		case !d.Accept && d.Probability == usualAudit:
			drawn++
		default:
			t.Fatalf("an image of confidence 1 gets %+v", d)
		}
	}
	if share := float64(drawn) / 2000; math.Abs(share-usualAudit) > .02 {
		t.Errorf("%g of the images are drawn, want %g", share, usualAudit)
	}
	for range 200 {
		g.Add(s.audit(false))
	}
	change := s.n
	always := func() bool { return true }
	until("pausing", always, g.Paused)
	if d := g.Decide(id(5), 1); d.Accept || d.Probability != 1 {
		t.Errorf("paused, and an image of confidence 1 gets %+v", d)
	}
	until("withdrawn", always, func() bool { return len(g.Withdrawals()) > 0 })
	if s.n > change+5 {
		t.Errorf("withdrawn after %d errors in a row", s.n-change)
	}
	if recall := g.Withdrawals()[0].Recall; recall.After(s.at(change)) || recall.Before(s.at(change-50)) {
		t.Errorf("what was accepted since %v is recalled; the change was at %v", recall, s.at(change))
	}
	if accepts() {
		t.Error("accepts after the withdrawal")
	}
	// What was routed before the withdrawal says nothing of the new period.
	old := s.audit(false)
	for range 1000 {
		old.Routed, old.At = s.at(change), s.at(s.n)
		g.Add(old)
	}
	if accepts() {
		t.Error("accepts by audits from before the withdrawal")
	}
	until("accepting again", right, accepts)
}

// TestPauseEnds: a few errors among many audits cost a pause and no more.
func TestPauseEnds(t *testing.T) {
	g, s := newGuarantee(t), newStream(2)
	for range 400 {
		g.Add(s.audit(false))
	}
	for !g.Paused() {
		g.Add(s.audit(true))
	}
	for range 100 {
		g.Add(s.audit(false))
	}
	if _, ok := g.Threshold(); !ok || g.Paused() || len(g.Withdrawals()) > 0 {
		t.Error("acceptance does not go on")
	}
}

// TestSinceInAnyOrder: what is suspected may have begun when the oldest of the latest audits was routed, wherever it is among them.
func TestSinceInAnyOrder(t *testing.T) {
	s := newStream(1)
	m := newMonitor(.01, .05, 5)
	for _, n := range []int{9, 4, 7, 1, 8, 6} {
		m.add(false, s.at(n))
	}
	if m.add(true, s.at(20)); !m.since.Equal(s.at(1)) {
		t.Errorf("since %v, want %v", m.since, s.at(1))
	}
}

// TestFoldIsDeterministic: audits in any order of arrival give the same state, and so the same decisions.
func TestFoldIsDeterministic(t *testing.T) {
	s, rng := newStream(3), rand.New(rand.NewPCG(3, 3))
	var audits []schemas.Audit
	for i := range 900 {
		audits = append(audits, s.audit(i > 600 && rng.Float64() < .3))
	}
	fold := func() *Guarantee {
		rng.Shuffle(len(audits), func(i, j int) { audits[i], audits[j] = audits[j], audits[i] })
		Order(audits)
		g := newGuarantee(t)
		for _, a := range audits {
			g.Add(a)
		}
		return g
	}
	a, b := fold(), fold()
	if len(a.Withdrawals()) == 0 || !slices.Equal(a.Withdrawals(), b.Withdrawals()) {
		t.Errorf("withdrawals %v and %v", a.Withdrawals(), b.Withdrawals())
	}
	for i := range 1000 {
		if c := rng.Float64(); a.Decide(id(i), c) != b.Decide(id(i), c) {
			t.Fatalf("image %d of confidence %g: %+v and %+v", i, c, a.Decide(id(i), c), b.Decide(id(i), c))
		}
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []Config{{}, {Target: .4, Audit: .1}, {Target: 1, Audit: .1}, {Target: .95}, {Target: .95, Audit: 1.1}, {Target: math.NaN(), Audit: .1}, {Target: .95, Audit: .1, Provisional: 2}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

// stream makes audits a minute apart, of confidences drawn by chance.
type stream struct {
	rng *rand.Rand
	n   int
}

func newStream(seed uint64) *stream { return &stream{rng: rand.New(rand.NewPCG(seed, 0))} }

func (s *stream) at(n int) time.Time { return time.Unix(1e9, 0).Add(time.Duration(n) * time.Minute) }

func (s *stream) audit(wrong bool) schemas.Audit {
	a := schemas.Audit{SampleID: id(s.n), Confidence: s.rng.Float64(), Wrong: wrong, Routed: s.at(s.n), At: s.at(s.n)}
	s.n++
	return a
}

func id(n int) (id schemas.SampleID) {
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return id
}

func newGuarantee(t *testing.T) *Guarantee {
	t.Helper()
	g, err := New(Config{Target: .95, Audit: usualAudit})
	if err != nil {
		t.Fatal(err)
	}
	return g
}
