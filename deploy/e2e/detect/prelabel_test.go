package detect

import (
	"context"
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"gleaner/connectors/onnx"
	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
)

func sample(p photo) schemas.Sample {
	sum := schemas.Hash(sha256.Sum256(p.data))
	return schemas.Sample{
		ID: schemas.NewSampleID("coco128", p.name, sum), Dataset: "coco128", UniqueID: p.name, Task: "detect",
		Image: schemas.ImageRef{SHA256: sum, Size: int64(len(p.data)), MediaType: "image/jpeg", W: p.img.W, H: p.img.H, Inline: p.data},
	}
}

// step is the prelabel step, with some photos decoded beforehand.
func step(tb testing.TB, cfg prelabel.Config, models prelabel.Models, decoded ...photo) *prelabel.Prelabel {
	tb.Helper()
	cache := pixels.NewCache(1<<28, func(_ context.Context, key string) ([]byte, error) {
		return nil, fmt.Errorf("%s was fetched although the sample carries its image", key)
	})
	for _, p := range decoded {
		cache.Put(tb.Context(), sha256.Sum256(p.data), p.img)
	}
	p, err := prelabel.New(cfg, prelabel.Deps{Models: models, Images: cache, Version: "test"})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func process(tb testing.TB, p *prelabel.Prelabel, s schemas.Sample) schemas.Sample {
	tb.Helper()
	out, err := p.Process(tb.Context(), s)
	if err != nil || len(out) != 1 {
		tb.Fatalf("%d samples, %v", len(out), err)
	}
	return out[0]
}

// TestPrelabel checks what the step puts on samples, by all workers at once and by one again: the same.
func TestPrelabel(t *testing.T) {
	images := photos(t, 12)
	cfg := prelabel.DefaultConfig()
	cfg.Datasets = map[string]prelabel.Dataset{"strict": {Accept: 0.6}}
	p := step(t, cfg, prelabel.Fixed{recognize(t, load(t, "yolox_nano.onnx"), "yolox_nano.onnx")})
	got := make([]schemas.Sample, len(images))
	var wg sync.WaitGroup
	for i, img := range images {
		wg.Go(func() {
			out, err := p.Process(context.Background(), sample(img))
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = out[0]
		})
	}
	wg.Wait()
	objects := 0
	for i, img := range images {
		s := got[i]
		objects += len(s.Objects)
		if s.Stage != schemas.StagePrelabeled || s.Rank != schemas.RankAutomatic || len(s.Stamps) != 1 {
			t.Fatalf("%s: stage %d, rank %s, stamps %v", img.name, s.Stage, s.Rank, s.Stamps)
		}
		if m := s.Stamps[0]; m.Step != "prelabel" || m.Model != "yolox_nano@1" || !strings.HasPrefix(m.Hash, "695e750a5d5754bb") || m.At.IsZero() {
			t.Errorf("%s: stamp %+v", img.name, m)
		}
		for j, o := range s.Objects {
			if o.ID != fmt.Sprintf("o%d", j+1) || o.Score < cfg.Accept || o.Source != "yolox_nano@1" || o.Box != o.Box.Clip(s.Image.W, s.Image.H) {
				t.Errorf("%s: object %+v", img.name, o)
			}
		}
		for _, o := range s.Proposals {
			if o.Score < cfg.Low {
				t.Errorf("%s: proposal %+v", img.name, o)
			}
		}
		again := process(t, p, sample(img))
		if !reflect.DeepEqual(again.Objects, s.Objects) || !reflect.DeepEqual(again.Proposals, s.Proposals) {
			t.Errorf("%s: not the same again", img.name)
		}
		strict := sample(img)
		strict.Dataset = "strict"
		want := slices.DeleteFunc(slices.Clone(s.Objects), func(o schemas.Object) bool { return o.Score < 0.6 })
		if strict = process(t, p, strict); !slices.EqualFunc(strict.Objects, want, func(a, b schemas.Object) bool { return reflect.DeepEqual(a, b) }) {
			t.Errorf("%s: the stricter dataset got %d objects, want %d", img.name, len(strict.Objects), len(want))
		}
	}
	if objects < len(images) {
		t.Errorf("%d objects in %d photos", objects, len(images))
	}
}

func TestPrelabelKeepsLabelsOfPeople(t *testing.T) {
	p := step(t, prelabel.DefaultConfig(), prelabel.Fixed{recognize(t, load(t, "yolox_nano.onnx"), "yolox_nano.onnx")})
	in := sample(photos(t, 1)[0])
	in.Rank, in.Revision = schemas.RankHuman, 3
	in.Objects = []schemas.Object{{ID: "a", Class: "bowl", Box: geometry.Box{X2: 10, Y2: 10}, Source: "person:ann"}}
	out := process(t, p, in)
	if !reflect.DeepEqual(out.Objects, in.Objects) || out.Rank != in.Rank || out.Revision != 3 || len(out.Proposals) == 0 {
		t.Errorf("%+v", out)
	}
}

func TestPrelabelWithoutModel(t *testing.T) {
	out := process(t, step(t, prelabel.DefaultConfig(), prelabel.Fixed{}), sample(photos(t, 1)[0]))
	if len(out.Objects)+len(out.Proposals) != 0 || out.Rank != schemas.RankNone || out.Stamps[0].Model != "" || out.Stamps[0].Hash != "" {
		t.Errorf("%+v", out)
	}
}

func TestPrelabelRefusesBrokenImages(t *testing.T) {
	p := step(t, prelabel.DefaultConfig(), prelabel.Fixed{recognize(t, load(t, "yolox_nano.onnx"), "yolox_nano.onnx")})
	in := sample(photos(t, 1)[0])
	in.Image.Inline = in.Image.Inline[:100]
	_, err := p.Process(t.Context(), in)
	if _, ok := schemas.AsFault(err); !ok || !strings.Contains(err.Error(), in.ID.String()) {
		t.Errorf("%v", err)
	}
}

// TestTwoModelsAtOnce closes one session while another goes on.
func TestTwoModelsAtOnce(t *testing.T) {
	rt, err := onnx.Open()
	if err != nil {
		t.Fatal(err)
	}
	first, err := rt.Load(realdata.Need(t, "models", "yolox_nano.onnx"), onnx.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	second := recognize(t, load(t, "FastestDet.onnx"), "FastestDet.onnx")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := rt.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Detect(t.Context(), photos(t, 1)[0].img, 0.05); err != nil {
		t.Error(err)
	}
}
