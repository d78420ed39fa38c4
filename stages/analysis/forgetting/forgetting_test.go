package forgetting

import (
	"testing"

	"gleaner/schemas"
)

// Each case is a curve, one letter per presentation: + right, - wrong.
func TestDefinitions(t *testing.T) {
	for _, c := range []struct {
		curve         string
		events, rank  int
		learned       bool
		first         uint32
		unforgettable bool
	}{
		{"", 0, 0, false, 0, false},
		{"+", 0, 0, true, 0, true},
		{"-", 0, 1, false, 0, false},
		{"++++", 0, 0, true, 0, true},
		{"--++", 0, 0, true, 2, true},
		{"----", 0, 4, false, 0, false},
		{"+-+-", 2, 2, true, 0, false},
		{"-+--", 1, 1, true, 1, false},
		{"-+-+-+", 2, 2, true, 1, false},
	} {
		t.Run(c.curve, func(t *testing.T) {
			var curve schemas.Curve
			for i, r := range c.curve {
				curve.Epochs = append(curve.Epochs, uint32(i))
				curve.Correct = append(curve.Correct, r == '+')
			}
			s := Of(curve)
			if s.Events != c.events || s.Rank() != c.rank || s.Learned != c.learned || s.Unforgettable() != c.unforgettable {
				t.Errorf("got %+v, rank %d, unforgettable %v; want %+v", s, s.Rank(), s.Unforgettable(), c)
			}
			if s.Learned && s.FirstLearned != c.first {
				t.Errorf("first learned at %d, want %d", s.FirstLearned, c.first)
			}
		})
	}
}
