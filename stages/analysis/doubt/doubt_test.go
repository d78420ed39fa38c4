package doubt

import (
	"errors"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gleaner/schemas"
)

func seq(curves []schemas.Curve) iter.Seq2[schemas.Curve, error] {
	return func(yield func(schemas.Curve, error) bool) {
		for _, c := range curves {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func curve(id byte, margins ...float32) schemas.Curve {
	c := schemas.Curve{SampleID: schemas.SampleID{id}, ObjectID: "o1"}
	for i, m := range margins {
		c.Epochs = append(c.Epochs, uint32(i))
		c.Margin = append(c.Margin, m)
		c.Correct = append(c.Correct, m > 0)
	}
	return c
}

func TestPickTakesNegativeMarginsOnly(t *testing.T) {
	got, err := Pick(Config{Max: 10, MinPresentation: 3}, seq([]schemas.Curve{
		curve(1, 2, 3, 4),
		curve(2, -1, -1, -1),
		curve(3, -5, -5, 1),
		curve(4, -9, -9), // too short to say anything
		curve(5, 1, -4, float32(math.NaN())),
	}))
	if err != nil {
		t.Fatal(err)
	}
	var ids []byte
	for _, p := range got {
		ids = append(ids, p.SampleID[0])
	}
	if !slices.Equal(ids, []byte{3, 5, 2}) {
		t.Fatalf("picked %v, want the samples 3, 5 and 2 in that order", ids)
	}
	for i, want := range []string{"only from epoch 2", "forgot this label 1 times", "never agreed"} {
		if !strings.Contains(got[i].Reason, want) {
			t.Errorf("reason of pick %d is %q, want it to say %q", i, got[i].Reason, want)
		}
	}
}

// The bounded heap must give what sorting everything would.
func TestPickEqualsFullSort(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var curves []schemas.Curve
	for i := range 500 {
		c := curve(byte(i), make([]float32, 6)...)
		c.SampleID[1] = byte(i >> 8)
		for k := range c.Margin {
			c.Margin[k] = float32(rng.IntN(7) - 3)
		}
		curves = append(curves, c)
	}
	all, err := Pick(Config{Max: 1000, MinPresentation: 1}, seq(curves))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 7, 50} {
		got, err := Pick(Config{Max: n, MinPresentation: 1}, seq(curves))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, all[:n]) {
			t.Errorf("the first %d picks differ from a full sort", n)
		}
	}
}

func TestPickStopsAtAnError(t *testing.T) {
	broken := errors.New("connection lost")
	_, err := Pick(DefaultConfig(), func(yield func(schemas.Curve, error) bool) { yield(schemas.Curve{}, broken) })
	if !errors.Is(err, broken) {
		t.Fatalf("got %v, want the store's error", err)
	}
}
