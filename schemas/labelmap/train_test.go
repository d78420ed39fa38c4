package labelmap

import (
	"strings"
	"testing"
)

// Training must tell questions apart: what a map never has becomes unlikely, what it always has likely, and what it does not ask
// stays even.
func TestTrain(t *testing.T) {
	const w, h = 64, 48
	stripes := &Map{W: w, H: h, Labels: make([]uint16, w*h)} // upright, 4 wide
	for i := range stripes.Labels {
		stripes.Labels[i] = uint16(i % w / 4)
	}
	got, err := Train([]*Map{stripes, stripes})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != questions {
		t.Fatalf("%d models, want %d", len(got), questions)
	}
	chance := func(model int) float64 { return float64(prior(got[model])>>memoryBits) / (1 << probBits) }
	straight := askTurn + 96*near(0) + 8*(oldest>>1) + 2*(oldest>>1) + 1 // below an old straight crack between old runs
	if p := chance(straight); p > .01 {
		t.Errorf("a straight crack turns with a chance of %.3f", p)
	}
	if p := chance(askSide + 2); p > .05 {
		t.Errorf("a level crack begins at the left border with a chance of %.3f", p)
	}
	if p := chance(askTop + span(4)); p < .9 {
		t.Errorf("a run of the first row ends after 4 pixels with a chance of %.3f", p)
	}
	if p := chance(askBoth); p != .5 {
		t.Errorf("what no map asks has a chance of %.3f", p)
	}
	if strings.IndexFunc(got, func(r rune) bool { return r < firstPrior || r > lastPrior }) >= 0 {
		t.Error("characters that stand for no prior")
	}

	if _, err := Train([]*Map{{W: 3, H: 3, Labels: make([]uint16, 8)}}); err == nil {
		t.Error("a map of 8 labels for 3x3 pixels was taken")
	}
}

// Of all priors, the one chosen must code the answers in the fewest bits: here, by the coder itself.
func TestCheapestIsShortest(t *testing.T) {
	for _, period := range []int{2, 3, 7, 20} {
		answers := make([]bool, 4000)
		for i := range answers {
			answers[i] = i%period == 0
		}
		size := func(char byte) int {
			n := 0
			for from := 0; from < len(answers); from += 40 { // of many short maps, so that the beginning counts
				c := newWriter(nil)
				c.use([]model{prior(char)})
				for range 20 { // whole bytes hide a bit: the same again
					c.models[0] = prior(char)
					for _, one := range answers[from : from+40] {
						c.bit(0, one)
					}
					c.flush()
				}
				n += len(c.finish())
			}
			return n
		}
		var maps [][]bool
		for from := 0; from < len(answers); from += 40 {
			maps = append(maps, answers[from:from+40])
		}
		chosen := size(cheapest(maps, costs()))
		for char := byte(firstPrior); char <= lastPrior; char++ {
			if n := size(char); float64(n) < .999*float64(chosen) {
				t.Errorf("every %d: prior %q takes %d bytes, the chosen one %d", period, char, n, chosen)
			}
		}
	}
}
