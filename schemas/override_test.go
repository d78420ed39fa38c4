package schemas

import (
	"testing"

	"gleaner/schemas/geometry"
)

// An override settles the finding that it was made of, as it comes again, and no other.
func TestOverrideCovers(t *testing.T) {
	left, right := geometry.Box{X1: 10, Y1: 10, X2: 50, Y2: 50}, geometry.Box{X1: 60, Y1: 10, X2: 100, Y2: 50}
	nearLeft := geometry.Box{X1: 12, Y1: 10, X2: 52, Y2: 51}
	for name, c := range map[string]struct {
		was, again Finding
		want       bool
	}{
		"about an object, in other words": {Finding{Type: FindingSpurious, ObjectID: "o1", Box: left, Why: "a"}, Finding{Type: FindingSpurious, ObjectID: "o1", Box: left, Why: "b"}, true},
		"another object":                  {Finding{Type: FindingSpurious, ObjectID: "o1", Box: left}, Finding{Type: FindingSpurious, ObjectID: "o2", Box: left}, false},
		"another type":                    {Finding{Type: FindingSpurious, ObjectID: "o1", Box: left}, Finding{Type: FindingDuplicate, ObjectID: "o1", Box: left}, false},
		"missing at the same place":       {Finding{Type: FindingMissing, Class: "car", Box: left, Why: "(score 0.81)"}, Finding{Type: FindingMissing, Class: "car", Box: nearLeft, Why: "(score 0.79)"}, true},
		"missing at another":              {Finding{Type: FindingMissing, Class: "car", Box: left}, Finding{Type: FindingMissing, Class: "car", Box: right}, false},
		"missing of another class":        {Finding{Type: FindingMissing, Class: "car", Box: left}, Finding{Type: FindingMissing, Class: "bus", Box: left}, false},
		"a rule about an object":          {Finding{Type: FindingRule, ObjectID: "o1", Box: left, Why: "small"}, Finding{Type: FindingRule, ObjectID: "o1", Box: left, Why: "small"}, true},
		"another rule":                    {Finding{Type: FindingRule, ObjectID: "o1", Box: left, Why: "small"}, Finding{Type: FindingRule, ObjectID: "o1", Box: left, Why: "gray"}, false},
		"losses of the image":             {Finding{Type: FindingLoss, Why: "never learned"}, Finding{Type: FindingLoss, Why: "never learned"}, true},
	} {
		if got := c.was.Settle("it is right").Covers(c.again); got != c.want {
			t.Errorf("%s: covers %v, want %v", name, got, c.want)
		}
	}
	// As they were before there were reasons.
	old := Override{Type: FindingMissing, Reason: "a mirror"}
	if !old.Covers(Finding{Type: FindingMissing, Class: "car", Box: left, Why: "a mirror"}) || old.Covers(Finding{Type: FindingMissing, Why: "a car"}) {
		t.Error("an override of a sentence alone does not cover that sentence alone")
	}
}
