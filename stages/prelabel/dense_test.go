package prelabel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
)

// sound holds candidates to what their docs say.
func sound(t *testing.T, c schemas.Candidates, w, h int) {
	t.Helper()
	for i, cell := range c.Cells {
		if !finite(cell.Box) || cell.Box.Empty() || cell.Box != cell.Box.Clip(w, h) || !(cell.Score >= 0.01 && cell.Score <= 1) || cell.Score < c.Floor {
			t.Errorf("%s: cell %d: %+v", c.Model, i, cell)
		}
		if i > 0 && cell.Score > c.Cells[i-1].Score {
			t.Errorf("%s: %d: not in order", c.Model, i)
		}
		if len(cell.Scores) > maxClassScores {
			t.Errorf("%s: cell %d: %d classes", c.Model, i, len(cell.Scores))
		}
		for j, s := range cell.Scores {
			if !(s.Score > 0 && s.Score <= 1) || int(s.Class) >= len(c.Classes) || j > 0 && s.Score > cell.Scores[j-1].Score {
				t.Errorf("%s: cell %d: classes %+v", c.Model, i, cell.Scores)
			}
		}
	}
}

// TestDense lets a model of two outputs for its one stride look: candidates are what its cells say, and reach lower than detections.
func TestDense(t *testing.T) {
	nano := &nanoDet{named: 3, bins: 8, center: 0.5, scorer: scorer{schemas.ActivationNone, schemas.BackgroundNone}}
	nano.levels = []nanoLevel{{grid{8, 2, 2}, view{0, 0, 3}, view{1, 0, 32}}}
	scores := []float32{0.1, 0.7, 0.3, 0.02, 0.01, 0, 0, 0, 0.004, 0.2, 0, 0.3}
	sides := make([]float32, 4*32)
	for side := range 4 {
		sides[8*side+side] = 50 // cell 0: distances 0, 1, 2, 3 for sure
		sides[96+8*side+1] = 50 // cell 3: between 1 and 2
		sides[96+8*side+2] = 50 + math.Ln2/2
	}
	a := &adapter{model: schemas.Model{ID: "m@1", Classes: []string{"cat", "dog", "eel"}}, decoder: nano}
	at := placement{perX: 2, perY: 4, left: 1}
	out := [][]float32{scores, sides}
	var m memory
	var err error
	m.found, err = nano.decode(nil, out, 0.01)
	if err != nil {
		t.Fatal(err)
	}
	c := a.dense(out, m.onImage(at, 100, 100), at, Dense{Floor: 0.01, Max: 10}, nil)
	sound(t, c, 100, 100)
	if len(c.Cells) != 3 || c.Floor != 0.01 || c.Model != "m@1" {
		t.Fatalf("%+v", c)
	}
	if want := []schemas.ClassScore{{Class: 1, Score: 0.7}, {Class: 2, Score: 0.3}, {Class: 0, Score: 0.1}}; !cmp.Equal(c.Cells[0].Scores, want) {
		t.Errorf("%+v, want %+v", c.Cells[0].Scores, want)
	}
	s := c.Cells[0].Sides
	if s.X != 6 || s.Y != 16 || s.StepX != 16 || s.StepY != 32 || s.P[0] != 255 || s.P[9] != 255 || s.P[18] != 255 || s.P[27] != 255 {
		t.Errorf("%+v", s)
	}
	if p := c.Cells[1].Sides.P; p[1] != 106 || p[2] != 149 {
		t.Errorf("%v", p)
	}
	if few := a.dense(out, m.onImage(placement{perX: 1, perY: 1}, 100, 100), at, Dense{Floor: 0.01, Max: 2}, nil); len(few.Cells) != 2 || few.Floor != 0.02 {
		t.Errorf("%+v", few)
	}
}

// TestTranslatedCandidates: two classes become one, and what the dataset has no use for keeps its box.
func TestTranslatedCandidates(t *testing.T) {
	c := schemas.Candidates{Model: "m@1", Classes: []string{"cat", "dog", "eel"}, Cells: []schemas.Candidate{
		{Score: 0.9, Scores: []schemas.ClassScore{{Class: 1, Score: 0.9}, {Class: 0, Score: 0.5}, {Class: 2, Score: 0.1}}},
		{Score: 0.4, Scores: []schemas.ClassScore{{Class: 2, Score: 0.4}}},
	}}
	translate := func(of []schemas.Object) []schemas.Object {
		of = slices.DeleteFunc(of, func(o schemas.Object) bool { return o.Class == "eel" })
		for i := range of {
			of[i].Class = "pet"
		}
		return of
	}
	nothing := translated(schemas.Candidates{Model: "m@1", Classes: c.Classes}, translate)
	c = translated(c, translate)
	want := []schemas.Candidate{{Score: 0.9, Scores: []schemas.ClassScore{{Class: 0, Score: 0.9}}}, {Score: 0.4, Scores: []schemas.ClassScore{}}}
	if !cmp.Equal(c.Classes, []string{"pet"}) || !cmp.Equal(c.Cells, want) {
		t.Errorf("%+v", c)
	}
	if !cmp.Equal(nothing.Classes, c.Classes) {
		t.Errorf("a look that sees nothing knows %v", nothing.Classes)
	}
}

// row are a cell's class numbers.
func row(d manifold, out [][]float32, cell int) []float32 {
	if d, ok := d.(rowed); ok {
		return d.classes(out, cell)
	}
	var row []float32
	for numbers, cells := d.(planar).classPlanes(out); cell < len(numbers); cell += cells {
		row = append(row, numbers[cell])
	}
	return row
}

// TestLeast: classes that are passed over unscored are those that score below what is asked for.
func TestLeast(t *testing.T) {
	const cells, named = 6, 40
	rng := rand.New(rand.NewPCG(3, 4))
	shares, logits := make([]float32, cells*(5+named)), make([]float32, cells*named)
	for i := range shares {
		shares[i] = float32(math.Pow(rng.Float64(), 6))
	}
	for i := range logits {
		logits[i] = float32(4 * rng.NormFloat64())
	}
	line := []nanoLevel{{grid{8, cells, 1}, view{0, 0, named}, view{0, 0, named}}}
	for name, c := range map[string]struct {
		d   manifold
		out []float32
	}{
		"yolox":      {&yolox{0, 5 + named, nil}, shares},
		"yolov5":     {&yolov5{row: 5 + named}, shares},
		"yolov8":     {&yolov8{planes: 4 + named, named: named}, shares[:cells*(4+named)]},
		"FastestDet": {&fastestDet{0, grid{16, cells, 1}, 96, 16}, shares},
		"NanoDet":    {&nanoDet{levels: line, named: named, scorer: scorer{schemas.ActivationSigmoid, schemas.BackgroundNone}}, logits},
		"DETR":       {&detr{scores: view{0, 0, named}, row: named, scorer: scorer{schemas.ActivationSoftmax, schemas.BackgroundLast}}, logits},
	} {
		out, passed := [][]float32{c.out}, 0
		for cell := range cells {
			for _, low := range []float32{1e-3, 0.02, 0.3} {
				least := hairBelow(c.d.least(out, cell, low))
				for class, v := range row(c.d, out, cell) {
					score := c.d.score(out, cell, v)
					if v <= least {
						passed++
						if score >= low {
							t.Errorf("%s, cell %d, class %d scores %g and is passed over at %g", name, cell, class, score, low)
						}
					} else if score < low*0.98 && v > 1e-6 {
						t.Errorf("%s, cell %d, class %d scores %g and is not passed over at %g", name, cell, class, score, low)
					}
				}
			}
		}
		if passed == 0 {
			t.Errorf("%s: nothing is passed over", name)
		}
	}
}
