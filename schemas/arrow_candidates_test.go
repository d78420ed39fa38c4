package schemas

import (
	"math"
	"math/rand/v2"
	"testing"

	"gleaner/schemas/geometry"
)

// What a model says is kept to an eighth of a pixel and a few percent of the lesser scores, in some twenty bytes a cell and twenty
// more for the distributions of its edges; values that could not be are made into such as could.
func TestCandidatesArePacked(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var c Candidates
	for range 80 {
		c.Classes = append(c.Classes, "class")
	}
	for i := range 300 {
		x, y := 600*rng.Float32(), 400*rng.Float32()
		cell := Candidate{Box: geometry.Box{X1: x, Y1: y, X2: x + 1 + 30*rng.Float32(), Y2: y + 1 + 30*rng.Float32()}, Score: 1 - float32(i)/303}
		for s := cell.Score; len(cell.Scores) < 5; s *= 0.5 {
			cell.Scores = append(cell.Scores, ClassScore{Class: uint16(rng.UintN(80)), Score: s})
		}
		cell.Sides = &Sides{X: x + 3, Y: y + 3, StepX: 8, StepY: 8, P: make([]byte, 32)}
		for side := range 4 {
			copy(cell.Sides.P[8*side+int(rng.UintN(5)):], []byte{20, 200, 30})
		}
		c.Cells = append(c.Cells, cell)
	}
	s := Sample{ID: SampleID{1}, Dataset: "d", Candidates: []Candidates{c}}
	data, err := EncodeSample(&s)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(packCells(c.Cells)) / len(c.Cells); n > 45 {
		t.Errorf("%d bytes a cell", n)
	}
	got, err := DecodeSample(data)
	if err != nil {
		t.Fatal(err)
	}
	for i, was := range c.Cells {
		now := got.Candidates[0].Cells[i]
		far := max(math.Abs(float64(now.Box.X1-was.Box.X1)), math.Abs(float64(now.Box.Y2-was.Box.Y2)), math.Abs(float64(now.Sides.X-was.Sides.X)))
		if far > 1./16 || math.Abs(float64(now.Score-was.Score)) > 1e-5 || diff(was.Sides.P, now.Sides.P) != "" || now.Sides.StepX != 8 {
			t.Errorf("cell %d: %+v, was %+v", i, now, was)
		}
		for j, score := range was.Scores {
			if ratio := now.Scores[j].Score / score.Score; ratio < 0.97 || ratio > 1.03 || now.Scores[j].Class != score.Class {
				t.Errorf("cell %d: scores %+v, were %+v", i, now.Scores, was.Scores)
			}
		}
	}

	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	wild := []Candidate{
		{Box: geometry.Box{X1: nan, Y1: -5, X2: inf, Y2: -7}, Score: nan, Scores: []ClassScore{{Score: inf}}, Sides: &Sides{X: nan, StepX: nan, P: make([]byte, 4)}},
		{Box: geometry.Box{X1: 9, X2: 3}, Score: 7, Scores: []ClassScore{{Score: 1e-9}}, Sides: &Sides{StepX: 1, StepY: 1, P: make([]byte, 7)}},
	}
	if _, err := unpackCells(newDecoding(1000), packCells(wild)); err != nil {
		t.Error(err)
	}
}

// A cell may not name a class that there is none of.
func TestCandidatesNameClasses(t *testing.T) {
	c := testCandidates()
	c.Classes = c.Classes[:2]
	data, err := EncodeSample(&Sample{ID: SampleID{1}, Dataset: "d", Candidates: []Candidates{c}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeSample(data); err == nil {
		t.Error("class 2 of 2 was read")
	}
}

// FuzzCells: arbitrary bytes give an error or cells that packing keeps as they are, in memory that grows with the bytes only.
func FuzzCells(f *testing.F) {
	f.Add(packCells(testCandidates().Cells))
	f.Add([]byte{0, 0, 1, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		cells, err := unpackCells(newDecoding(len(b)), b)
		if err != nil {
			return
		}
		again, err := unpackCells(newDecoding(len(b)), packCells(cells))
		if err != nil || diff(cells, again) != "" {
			t.Fatalf("%v\n%s", err, diff(cells, again))
		}
	})
}

func BenchmarkCandidates(b *testing.B) {
	c := testCandidates()
	for len(c.Cells) < 300 {
		c.Cells = append(c.Cells, c.Cells[:2]...)
	}
	packed := packCells(c.Cells)
	b.Run("pack", func(b *testing.B) {
		for b.Loop() {
			packCells(c.Cells)
		}
	})
	b.Run("unpack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := unpackCells(newDecoding(len(packed)), packed); err != nil {
				b.Fatal(err)
			}
		}
	})
}
