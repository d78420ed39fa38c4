package forest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// rings are points that mean yes in a ring about the origin; a third number says nothing, and a fourth is NaN or 1 where it is yes.
func rings(n int, seed uint64) (rows [][]float32, yes []bool) {
	r := rand.New(rand.NewPCG(seed, 2))
	for range n {
		x, y := 2*r.Float32()-1, 2*r.Float32()-1
		d := math.Hypot(float64(x), float64(y))
		in := d > 0.4 && d < 0.8
		hint := float32(math.NaN())
		if in && r.IntN(2) == 0 {
			hint = 1
		}
		rows, yes = append(rows, []float32{x, y, r.Float32(), hint}), append(yes, in)
	}
	return rows, yes
}

func options() Options {
	return Options{Trees: 80, Leaves: 8, Rate: 0.2, MinRows: 5, Ridge: 1, Features: 0.75, Rows: 0.8, Seed: 7}
}

func TestFit(t *testing.T) {
	rows, yes := rings(3000, 1)
	f := Fit(rows, yes, options())
	again := Fit(rows, yes, options())
	if !slices.Equal(f.Append(nil), again.Append(nil)) {
		t.Error("the same rows, options and seed made another forest")
	}
	rows, yes = rings(2000, 9)
	right := 0
	for i, s := range f.Scores(NewBatch(rows)) {
		if (s > 0) == yes[i] {
			right++
		}
	}
	if share := float64(right) / 2000; share < 0.93 {
		t.Errorf("%.3f are told right", share)
	}
}

func TestEncoding(t *testing.T) {
	rows, yes := rings(500, 1)
	f := Fit(rows, yes, options())
	g, rest, err := Decode(append(f.Append(nil), 1, 2), 4)
	if err != nil || len(rest) != 2 {
		t.Fatal(len(rest), err)
	}
	if b := NewBatch(rows); !slices.Equal(f.Scores(b), g.Scores(b)) {
		t.Error("a score changed")
	}
	if !slices.Equal(f.Append(nil), g.Append(nil)) {
		t.Error("the encoding changed")
	}
	if _, _, err := Decode(f.Append(nil), 2); err == nil {
		t.Error("a tree that asks for what is not there was read")
	}
}

// FuzzDecode: what is read can be scored.
func FuzzDecode(f *testing.F) {
	rows, yes := rings(100, 1)
	f.Add(Fit(rows, yes, options()).Append(nil))
	f.Add([]byte{0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if forest, _, err := Decode(data, 4); err == nil {
			forest.Scores(NewBatch(rows[:1]))
		}
	})
}
