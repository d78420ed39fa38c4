package schemas

import (
	"strings"
	"testing"
	"time"
)

// TestSelectionID: an id is one set of picks, and requests to people have a key of their own.
func TestSelectionID(t *testing.T) {
	pick := Pick{SampleID: SampleID{1}, ObjectID: "o1", Score: 1.5, Weight: 1, Reason: "why"}
	id := SelectionID([]Pick{pick}, "street", "picked", "q")
	if again := SelectionID([]Pick{pick}, "street", "picked", "q"); again != id || !strings.HasPrefix(id, "street/picked/q/") {
		t.Errorf("%s, then %s", id, again)
	}
	for what, change := range map[string]func(*Pick){
		"sample": func(p *Pick) { p.SampleID = SampleID{2} }, "object": func(p *Pick) { p.ObjectID = "" }, "score": func(p *Pick) { p.Score++ },
		"weight": func(p *Pick) { p.Weight = 2 }, "reason": func(p *Pick) { p.Reason = "" }, "since": func(p *Pick) { p.Since = time.Unix(1, 0) },
	} {
		other := pick
		change(&other)
		if SelectionID([]Pick{other}, "street", "picked", "q") == id {
			t.Errorf("another %s has the same id", what)
		}
	}
	for kind, want := range map[string]string{SelectionDoubtful: id, "review": id, "remove": "street/remove", "picked": "street/picked"} {
		if got := (&Selection{ID: id, Dataset: "street", Kind: kind}).Key(); got != want {
			t.Errorf("%s has the key %s, want %s", kind, got, want)
		}
	}
}
