package detect

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gleaner/connectors/onnx"
	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
)

// loadFeatures is load of a model with the feature map that is chosen.
func loadFeatures(tb testing.TB, file string) prelabel.Session {
	tb.Helper()
	rt, err := onnx.Open()
	if err != nil {
		tb.Fatal(err)
	}
	defer rt.Close()
	data, err := os.ReadFile(realdata.Need(tb, "models", file))
	if err != nil {
		tb.Fatal(err)
	}
	s, err := rt.LoadFeatures(file, data, "", onnx.DefaultConfig())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return prelabel.WithFeatures(s)
}

// TestNeighbors asks for the ten nearest images to each of fifty photos of three datasets, which differ in what they show: most
// must be of the photo's own dataset, where chance gives a third.
func TestNeighbors(t *testing.T) {
	const each, n = 50, 10
	cache := pixels.NewCache(1<<28, func(context.Context, string) ([]byte, error) { return nil, fs.ErrNotExist })
	p, err := prelabel.New(prelabel.DefaultConfig(), prelabel.Deps{Models: prelabel.Fixed{recognize(t, loadFeatures(t, "yolox_nano.onnx"), "yolox_nano.onnx")}, Images: cache, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	datasets := []string{"coco128", "bccd", "raccoon"}
	var of []string
	var vectors [][]float32
	for _, dataset := range datasets {
		files, err := filepath.Glob(filepath.Join(realdata.Need(t, dataset, "images"), "*"))
		if err != nil || len(files) < each {
			t.Fatalf("%d photos of %s, %v", len(files), dataset, err)
		}
		for _, path := range files[:each] {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			img, _, err := pixels.Decode(data, pixels.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			s := sample(photo{filepath.Base(path), data, img})
			_, emits, err := p.ProcessAndEmbed(t.Context(), s)
			if err != nil || len(emits) != 1 {
				t.Fatalf("%s: %d records, %v", path, len(emits), err)
			}
			e, err := schemas.DecodeEmbeddings(emits[0].Record.Value)
			if err != nil || e.Dim != 256 || e.ObjectID[0] != "" || e.Layer[0] != "1024" || e.Model[0] != "yolox_nano@1" {
				t.Fatalf("%s: %v, %v", path, e, err)
			}
			of, vectors = append(of, dataset), append(vectors, e.Vector[:e.Dim])
		}
	}
	hits := map[string]int{}
	for i, v := range vectors {
		cosine := func(j int) (sum float32) {
			for k, x := range vectors[j] {
				sum += x * v[k]
			}
			return sum
		}
		order := make([]int, 0, len(vectors))
		for j := range vectors {
			if j != i {
				order = append(order, j)
			}
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(cosine(b), cosine(a)) })
		for _, j := range order[:n] {
			if of[i] == of[j] {
				hits[of[i]]++
			}
		}
	}
	for dataset, least := range map[string]float64{"coco128": 0.6, "bccd": 0.95, "raccoon": 0.8} {
		precision := float64(hits[dataset]) / (each * n)
		t.Logf("%s: %.3f", dataset, precision)
		if precision < least {
			t.Errorf("%s: %.3f of the neighbors are of the dataset, want %.2f", dataset, precision, least)
		}
	}
}
