package lint

import (
	"testing"

	"gleaner/schemas"
	"gleaner/stages/lint/forest"
)

func TestMannerOf(t *testing.T) {
	whole := func(model string) schemas.Candidates { return schemas.Candidates{Model: model} }
	tiles := schemas.Candidates{Model: "m@1", Look: schemas.LookTiles}
	closer := schemas.Candidates{Model: "m@1", Look: schemas.LookCloser}
	unlabeled := schemas.Candidates{Model: "m@1", Look: schemas.LookUnlabeled}
	for name, c := range map[string]struct {
		candidates []schemas.Candidates
		want       Manner
	}{
		"proposals only":                {nil, Manner{}},
		"one model":                     {[]schemas.Candidates{whole("m@1")}, Manner{}},
		"one model, tiles":              {[]schemas.Candidates{whole("m@1"), tiles}, Manner{}},
		"one model, tiles and closer":   {[]schemas.Candidates{whole("m@1"), tiles, closer}, Manner{Closer: true}},
		"one model, closer at no label": {[]schemas.Candidates{whole("m@1"), unlabeled}, Manner{Closer: true}},
		"two models":                    {[]schemas.Candidates{whole("m@1"), whole("n@1")}, Manner{Several: true}},
		"two models, closer":            {[]schemas.Candidates{whole("m@1"), closer, whole("n@1")}, Manner{Several: true, Closer: true}},
	} {
		if got := mannerOf(&schemas.Sample{Candidates: c.candidates}); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestWeightsByManner: each manner's evidence is judged by forests of its own, which a file keeps apart; what is missing is by those of one model,
// and what resembles labels by those of the same models without closer looks.
func TestWeightsByManner(t *testing.T) {
	row := func(of schemas.FindingType) []float32 { return make([]float32, len(names(of))) }
	of := map[Manner]Forests{}
	chance := map[Manner]map[schemas.FindingType]float64{}
	n := 0
	for _, m := range Manners() {
		of[m], chance[m] = Forests{}, map[schemas.FindingType]float64{}
		for _, typ := range m.Fitted() {
			n++
			rows, yes := make([][]float32, n), make([]bool, n)
			for i := range rows {
				rows[i], yes[i] = row(typ), true
			}
			of[m][typ] = forest.Fit(rows, yes, forest.Options{Leaves: 1}) // no trees: it says how many rows there were
			chance[m][typ] = (float64(n) + 0.5) / float64(n+1)
		}
	}
	data, err := NewWeights(of).Encode()
	if err != nil {
		t.Fatal(err)
	}
	w, err := DecodeWeights(data)
	if err != nil {
		t.Fatal(err)
	}
	near := func(got, want float64) bool { return got-want < 1e-5 && want-got < 1e-5 }
	for _, m := range Manners() {
		for typ, got := range w.boxes(m, [][]float32{row(schemas.FindingLoose)}, [][]float32{row(schemas.FindingEdge)}) {
			if !near(logistic(float64(got[0])), chance[m][typ]) {
				t.Errorf("%+v: %s: %v, want %v", m, typ, got, chance[m][typ])
			}
		}
		for _, typ := range []schemas.FindingType{schemas.FindingMissing, MissingAlike} {
			by := Manner{Closer: m.Closer}
			if typ == MissingAlike {
				by = Manner{Several: m.Several}
			}
			if got := w.missing(m, typ, [][]float32{row(typ)}); !near(got[0], chance[by][typ]) {
				t.Errorf("%+v: %s: %v, want %v", m, typ, got, chance[by][typ])
			}
		}
	}
}
