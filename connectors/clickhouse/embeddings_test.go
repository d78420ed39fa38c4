package clickhouse

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gleaner/schemas"
)

// vectors makes n vectors of length 1 in groups about common centers, as those of images are.
func vectors(n, dim int) [][]float32 {
	r := rand.New(rand.NewPCG(1, 2))
	centers := make([][]float64, 20)
	for i := range centers {
		for range dim {
			centers[i] = append(centers[i], r.NormFloat64())
		}
	}
	out := make([][]float32, n)
	for i := range out {
		square := 0.0
		v := make([]float32, dim)
		for j := range v {
			x := centers[i%len(centers)][j] + 0.7*r.NormFloat64()
			v[j], square = float32(x), square+x*x
		}
		for j := range v {
			v[j] /= float32(math.Sqrt(square))
		}
		out[i] = v
	}
	return out
}

// table has one row for each vector, of the samples from first on.
func table(first int, vectors [][]float32) schemas.Embeddings {
	e := schemas.Embeddings{Dim: len(vectors[0])}
	for i, v := range vectors {
		e.Dataset, e.SampleID = append(e.Dataset, []string{"cats", "dogs"}[(first+i)%2]), append(e.SampleID, sampleID(first+i))
		e.ObjectID, e.Model, e.Layer = append(e.ObjectID, ""), append(e.Model, fmt.Sprintf("m%d@1", e.Dim)), append(e.Layer, "c5")
		e.Vector = append(e.Vector, v...)
	}
	return e
}

// nearest is the order by brute force.
func nearest(vectors [][]float32, to, n int, keep func(i int) bool) (order []int) {
	distances := make([]float64, len(vectors))
	for i, v := range vectors {
		if i != to && keep(i) {
			distances[i], order = distance(v, vectors[to]), append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(distances[a], distances[b]) })
	return order[:min(n, len(order))]
}

func distance(a, b []float32) float64 {
	d := 1.0
	for i := range a {
		d -= float64(a[i]) * float64(b[i])
	}
	return d
}

func put(t *testing.T, db *DB, token string, tables ...schemas.Embeddings) {
	t.Helper()
	if err := db.PutEmbeddings(t.Context(), token, tables); err != nil {
		t.Fatal(err)
	}
}

func similar(t *testing.T, db *DB, sample int, dataset string, n int) []Embedding {
	t.Helper()
	all, err := db.Embeddings(t.Context(), sampleID(sample))
	if err != nil || len(all) == 0 {
		t.Fatalf("%d vectors of sample %d, %v", len(all), sample, err)
	}
	found, err := db.Similar(t.Context(), all[0], dataset, n)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestSimilar compares searches with brute force in Go: exhaustive ones give the same order, those by the index most of the same.
func TestSimilar(t *testing.T) {
	const count, queries, n = 2000, 20, 10
	for _, dim := range []int{64, 464} {
		t.Run(fmt.Sprint(dim), func(t *testing.T) {
			db := open(t)
			all := vectors(count, dim)
			for from := 0; from < count; from += 1000 {
				put(t, db, fmt.Sprint("batch ", from), table(from, all[from:from+1000]))
				put(t, db, "", table(from, all[from:from+100])) // doubles
			}
			check := func(dataset string, keep func(int) bool, recall float64) {
				t.Helper()
				hits := 0
				for query := range queries {
					got := similar(t, db, query, dataset, n)
					if len(got) != n {
						t.Fatalf("%d neighbors of sample %d", len(got), query)
					}
					for i, want := range nearest(all, query, n, keep) {
						if slices.ContainsFunc(got, func(e Embedding) bool { return e.SampleID == sampleID(want) }) {
							hits++
						}
						if d := distance(all[want], all[query]); recall == 1 && math.Abs(got[i].Distance-d) > 1e-6 {
							t.Fatalf("neighbor %d of sample %d is at %g, want sample %d at %g", i, query, got[i].Distance, want, d)
						}
					}
				}
				t.Logf("%d of %d neighbors found", hits, queries*n)
				if float64(hits) < recall*queries*n {
					t.Errorf("%d of %d neighbors found, want %g of them", hits, queries*n, recall)
				}
			}
			everything := func(int) bool { return true }
			check("", everything, 1)
			check("dogs", func(i int) bool { return i%2 == 1 }, 1)
			if err := db.exec(t.Context(), "merge", "OPTIMIZE TABLE embeddings FINAL"); err != nil {
				t.Fatal(err)
			}
			searches := func() string {
				return ask(t, db, "SELECT sum(value) FROM system.events WHERE event = 'USearchSearchCount'")
			}
			before := searches()
			db.cfg.Exhaustive = 0
			check("", everything, 0.9)
			if before == searches() {
				t.Error("the index is not used")
			}
		})
	}
}

// TestEmbeddingsKeepApart checks that images and objects, models and layers are compared with their like only, that what is put
// again replaces, and that erasure takes all of a sample.
func TestEmbeddingsKeepApart(t *testing.T) {
	db := open(t)
	id, other := sampleID(1), sampleID(2)
	row := func(id schemas.SampleID, object, model, layer string, v ...float32) schemas.Embeddings {
		return schemas.Embeddings{
			Dataset: []string{"d"}, SampleID: []schemas.SampleID{id}, ObjectID: []string{object}, Model: []string{model}, Layer: []string{layer}, Dim: len(v), Vector: v,
		}
	}
	put(t, db, "1", row(id, "", "a@1", "c5", 1, 0), row(id, "o1", "a@1", "c5", 0, 1), row(id, "o2", "a@1", "c5", 0.6, 0.8), row(id, "", "b@1", "c5", 1, 0, 0))
	put(t, db, "2", row(other, "", "a@1", "c5", 0, 1), row(other, "o1", "a@1", "c5", 1, 0), row(other, "", "a@1", "c4", 1, 0), row(other, "", "a@2", "c5", 1, 0))
	put(t, db, "3", row(other, "", "a@1", "c5", 0.6, 0.8)) // once more, and other
	search := func(object string) []Embedding {
		found, err := db.Similar(t.Context(), Embedding{SampleID: id, ObjectID: object, Model: "a@1", Layer: "c5", Vector: []float32{1, 0}}, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if got := search(""); len(got) != 1 || got[0].SampleID != other || got[0].ObjectID != "" || math.Abs(got[0].Distance-0.4) > 1e-6 {
		t.Errorf("images: %+v", got)
	}
	if got := search("o1"); len(got) != 2 || got[0].SampleID != other || got[0].Distance > 1e-6 || got[1].SampleID != id || got[1].ObjectID != "o2" {
		t.Errorf("objects: %+v", got)
	}
	for _, c := range []struct {
		object, model, dataset string
		compared, embedded     uint64
	}{{"", "a@1", "", 2, 2}, {"", "b@1", "d", 1, 2}, {"o1", "b@1", "", 0, 2}, {"", "a@1", "elsewhere", 0, 0}} {
		compared, embedded, err := db.Reach(t.Context(), Embedding{ObjectID: c.object, Model: c.model, Layer: "c5"}, c.dataset)
		if err != nil || compared != c.compared || embedded != c.embedded {
			t.Errorf("%+v: %d of %d, %v", c, compared, embedded, err)
		}
	}
	all, err := db.Embeddings(t.Context(), other)
	if err != nil || len(all) != 4 || all[0].Vector[0] != 0.6 {
		t.Errorf("%+v, %v", all, err)
	}
	if err := db.PutEmbeddings(t.Context(), "", []schemas.Embeddings{row(id, "", "a@1", "c5")}); err == nil {
		t.Error("a vector without numbers is taken")
	}
	if _, err := db.Similar(t.Context(), all[0], "", MaxSimilar+1); err == nil {
		t.Error("too many are searched")
	}
	removed, err := db.Erase(t.Context(), other)
	if err != nil || removed["embeddings"] != 5 {
		t.Errorf("removed %v, %v", removed, err)
	}
	if got := search(""); len(got) != 0 {
		t.Errorf("after erasure: %+v", got)
	}
}
