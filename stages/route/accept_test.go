package route

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/stages/route/guarantee"
)

// fixed decides the same of every image of every dataset; nil covers none.
type fixed struct{ decision *guarantee.Decision }

func (f fixed) Decide(string, schemas.SampleID, float64) (guarantee.Decision, bool) {
	if f.decision == nil {
		return guarantee.Decision{}, false
	}
	return *f.decision, true
}

// TestGuaranteeDecides: what a guarantee covers it alone decides, whatever the threshold of the configuration is, and what no
// model has looked at it does not decide.
func TestGuaranteeDecides(t *testing.T) {
	certain := Config{Datasets: map[string]Dataset{"street": {AcceptAbove: .1}}}
	r, blobs := newRoute(t, certain, shelf{})
	decide := func(d guarantee.Decision) { r.guarantees = fixed{&d} }

	decide(guarantee.Decision{Accept: true})
	if l := label(t, handle(t, r, record(t, sample(1)))); l.Rank != schemas.RankAutomatic || l.Actor != "route" {
		t.Errorf("accepted as %+v", l)
	}
	if _, err := blobs.Get(t.Context(), schemas.DrawKey(sample(1).ID)); err == nil {
		t.Error("what is accepted is drawn")
	}
	unseen := sample(2)
	unseen.Stamps = unseen.Stamps[1:]
	if e := handle(t, r, record(t, unseen)); e[0].Topic != schemas.Desk {
		t.Error("an image that no model has seen is accepted")
	}
	decide(guarantee.Decision{Probability: 1})
	handle(t, r, record(t, unseen))
	if _, err := blobs.Get(t.Context(), schemas.DrawKey(unseen.ID)); err == nil {
		t.Error("an image that no model has seen is drawn")
	}
	decide(guarantee.Decision{})
	if e := handle(t, r, record(t, sample(3))); e[0].Topic != schemas.Desk {
		t.Error("an image below the threshold is accepted")
	}
	if _, err := blobs.Get(t.Context(), schemas.DrawKey(sample(3).ID)); err == nil {
		t.Error("an image that was not drawn is")
	}
}

// TestAuditsAreBlind: the task of an image that was drawn holds nothing that one which was not could not hold, and nothing of its
// confidence: its reason has no score, and its priority is the same whatever the scores are.
func TestAuditsAreBlind(t *testing.T) {
	r, blobs := newRoute(t, Config{}, shelf{})
	s := sample(4)
	create := func(d guarantee.Decision, score float32) (schemas.CreateBody, schemas.Sample) {
		t.Helper()
		r.guarantees = fixed{&d}
		s.Objects[0].Score, s.Objects[1].Score = score, score
		_, body, shown := task(t, blobs, handle(t, r, record(t, s))[0])
		return body, shown
	}
	drawn, shownDrawn := create(guarantee.Decision{Probability: .1}, .96875)
	plain, shownPlain := create(guarantee.Decision{}, .96875)
	if diff := cmp.Diff(shownPlain, shownDrawn); diff != "" {
		t.Errorf("the page is shown something else:\n%s", diff)
	}
	if drawn.Reason != plain.Reason || drawn.Reason != "no finding; least certain: person" {
		t.Errorf("reasons %q and %q", drawn.Reason, plain.Reason)
	}
	drawn.Priority, plain.Priority = 0, 0
	if drawn != plain {
		t.Errorf("commands %+v and %+v", drawn, plain)
	}
	sure, _ := create(guarantee.Decision{Probability: .1}, 1)
	doubtful, _ := create(guarantee.Decision{Probability: .1}, .0625)
	if sure.Priority != doubtful.Priority {
		t.Errorf("priorities %g and %g tell the confidence", sure.Priority, doubtful.Priority)
	}
	// The first draw counts, however often the record comes.
	data, err := blobs.Get(t.Context(), schemas.DrawKey(s.ID))
	var d schemas.Draw
	if err != nil || json.Unmarshal(data, &d) != nil {
		t.Fatalf("draw %s, %v", data, err)
	}
	if d.SampleID != s.ID || d.Confidence != .96875 || d.Probability != .1 || !d.Routed.Equal(linted) || len(d.Objects) != 2 {
		t.Errorf("draw %+v", d)
	}
}
