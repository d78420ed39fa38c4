package forgetting

import (
	"testing"

	"gleaner/schemas"
)

// Each case is a curve, one letter per presentation: + right, - wrong.
func TestDefinitions(t *testing.T) {
	for _, c := range []struct {
		curve   string
		events  int
		learned bool
		first   uint32
	}{
		{"", 0, false, 0},
		{"+", 0, true, 0},
		{"-", 0, false, 0},
		{"++++", 0, true, 0},
		{"--++", 0, true, 2},
		{"----", 0, false, 0},
		{"+-+-", 2, true, 0},
		{"-+--", 1, true, 1},
		{"-+-+-+", 2, true, 1},
	} {
		t.Run(c.curve, func(t *testing.T) {
			var curve schemas.Curve
			for i, r := range c.curve {
				curve.Epochs = append(curve.Epochs, uint32(i))
				curve.Correct = append(curve.Correct, r == '+')
			}
			s := Of(curve)
			if s.Events != c.events || s.Learned != c.learned {
				t.Errorf("got %+v, want %+v", s, c)
			}
			if s.Learned && s.FirstLearned != c.first {
				t.Errorf("first learned at %d, want %d", s.FirstLearned, c.first)
			}
		})
	}
}
