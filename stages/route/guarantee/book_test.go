package guarantee

import (
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"gleaner/schemas"
)

// seq yields audits without an error, and then an error if there is one.
func seq(audits []schemas.Audit, err error) iter.Seq2[schemas.Audit, error] {
	return func(yield func(schemas.Audit, error) bool) {
		for _, a := range audits {
			if !yield(a, nil) {
				return
			}
		}
		if err != nil {
			yield(schemas.Audit{}, err)
		}
	}
}

// TestBook: people see everything until audits have been read, when they were read too long ago, and when the dataset wants
// something else than they were read for; what wants no guarantee is not covered.
func TestBook(t *testing.T) {
	configs := map[string]Config{"street": {Target: .95, Audit: .1}}
	b := NewBook(func(dataset string) (Config, bool) { c, ok := configs[dataset]; return c, ok })
	now := time.Unix(2e9, 0)
	b.now = func() time.Time { return now }
	var audits []schemas.Audit
	for s := newStream(4); s.n < 600; {
		audits = append(audits, s.audit(false))
	}
	accepts := func() bool {
		t.Helper()
		for i := range 100 {
			d, covered := b.Decide("street", id(i), 1)
			if !covered {
				t.Fatal("the dataset is not covered")
			}
			if d.Accept {
				return true
			}
			if d.Probability == 0 {
				t.Fatal("an image of confidence 1 is neither accepted nor drawn")
			}
		}
		return false
	}
	if _, covered := b.Decide("elsewhere", id(1), 1); covered {
		t.Error("a dataset without a target is covered")
	}
	if accepts() {
		t.Error("accepts before audits have been read")
	}
	down := errors.New("the store is down")
	if err := b.Read("street", seq(audits, down), now); !errors.Is(err, down) || accepts() {
		t.Errorf("half a reading counts: %v", err)
	}
	if err := b.Read("street", seq(audits, nil), now); err != nil || !accepts() {
		t.Fatalf("600 audits without an error do not suffice: %v", err)
	}
	a, ok := b.State("street")
	if !ok || a.State != schemas.AcceptanceOn || a.TotalAudits != 600 || a.Needed != 0 || a.Bound > .05 || a.Share != 1 || a.AtLeast != 59 {
		t.Errorf("state %+v", a)
	}
	if n := len(a.History); n < maxPoints/2 || n > maxPoints || !slices.IsSortedFunc(a.History, func(a, b schemas.BoundPoint) int { return a.Audits - b.Audits }) {
		t.Errorf("%d points of history", n)
	}
	now = now.Add(2 * Stale)
	if a, _ := b.State("street"); accepts() || a.State != schemas.AcceptancePaused {
		t.Error("accepts by what was read long ago")
	}
	if b.Confirm("street", now); !accepts() || !b.Current("street") {
		t.Error("does not accept by what is known to be all")
	}
	configs["street"] = Config{Target: .99, Audit: .1}
	if accepts() || b.Current("street") {
		t.Error("accepts by audits that were read for another target")
	}
	if b.Forget("street"); len(b.Withdrawals("street")) != 0 {
		t.Error("a forgotten dataset has withdrawals")
	}
	if _, ok := b.State("street"); ok {
		t.Error("a forgotten dataset has a state")
	}
}

// TestProvisional: a dataset may accept before there are audits, until these speak against it.
func TestProvisional(t *testing.T) {
	g, err := New(Config{Target: .95, Audit: .1, Provisional: .5})
	if err != nil {
		t.Fatal(err)
	}
	count := func(confidence float64) (accepted int) {
		for i := range 1000 {
			if g.Decide(id(i), confidence).Accept {
				accepted++
			}
		}
		return accepted
	}
	if a := g.State(); a.State != schemas.AcceptanceUnproven {
		t.Errorf("state %s while images are accepted without evidence", a.State)
	}
	if above, below := count(.6), count(.4); above < 850 || above > 950 || below != 0 {
		t.Errorf("of 1000 images, %d above the provisional threshold and %d below are accepted", above, below)
	}
	s := newStream(5)
	for range 300 {
		g.Add(s.audit(true))
	}
	if n := count(.6); n != 0 {
		t.Errorf("after 300 errors %d images are accepted", n)
	}
	if w := g.Withdrawals(); len(w) != 1 || w[0].Recall.After(s.at(0).Add(-24*time.Hour)) || g.State().State != schemas.AcceptanceWithdrawn {
		t.Errorf("what was accepted is not recalled: %+v", w)
	}
}
