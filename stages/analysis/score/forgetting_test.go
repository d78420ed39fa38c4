package score

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"gleaner/schemas"
)

func TestForgettingByHand(t *testing.T) {
	f, err := os.Open("testdata/forgetting.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cases := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		fields := strings.Fields(line)
		signs := ""
		if len(fields) == 5 {
			signs = fields[0]
		}
		var c schemas.Curve
		for epoch, sign := range signs {
			if sign != '.' {
				c.Epochs = append(c.Epochs, uint32(epoch))
				c.Correct = append(c.Correct, sign == '+')
			}
		}
		got := Of(DefaultConfig(), c)
		learned, unforgettable := "never", "no"
		if got.Learned {
			learned = fmt.Sprint(got.FirstLearned)
		}
		if got.Unforgettable() {
			unforgettable = "yes"
		}
		have := strings.Join([]string{fmt.Sprint(got.Events), learned, fmt.Sprint(got.Rank()), unforgettable}, " ")
		if want := strings.Join(fields[len(fields)-4:], " "); have != want {
			t.Errorf("%s: %s, want %s", line, have, want)
		}
		cases++
	}
	if cases < 10 {
		t.Errorf("%d cases in the script", cases)
	}
}
