package probe

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
	"gleaner/trainers/boxes"
)

// painted is a set of images with one colored square each on gray noise, labeled by color but for the mislabeled ones.
type painted struct {
	images     map[schemas.Hash]*pixels.Image
	labels     []schemas.Label
	mislabeled map[schemas.SampleID]bool
}

func paint(n, wrong int) painted {
	rng := rand.New(rand.NewPCG(5, 6))
	set := painted{images: map[schemas.Hash]*pixels.Image{}, mislabeled: map[schemas.SampleID]bool{}}
	classes := []string{"red", "green", "blue"}
	for i := range n {
		img := &pixels.Image{W: 64, H: 48, Pix: make([]uint8, 64*48*3)}
		for p := range img.Pix {
			img.Pix[p] = uint8(100 + rng.IntN(40))
		}
		color := i % 3
		box := geometry.Box{X1: float32(rng.IntN(30)), Y1: float32(rng.IntN(20))}
		box.X2, box.Y2 = box.X1+20, box.Y1+20
		for y := int(box.Y1); y < int(box.Y2); y++ {
			for x := int(box.X1); x < int(box.X2); x++ {
				img.Pix[(y*img.W+x)*3+color] = uint8(200 + rng.IntN(40))
			}
		}
		l := schemas.Label{Dataset: "d", SampleID: schemas.SampleID{byte(i), byte(i >> 8)}, Rank: schemas.RankHuman}
		l.Group, l.Image.SHA256 = l.SampleID, schemas.Hash{byte(i), byte(i >> 8)}
		class := classes[color]
		if i < wrong {
			class = classes[(color+1)%3]
			set.mislabeled[l.SampleID] = true
		}
		l.Objects = []schemas.Object{{ID: "o1", Class: class, Box: box}}
		set.images[l.Image.SHA256] = img
		set.labels = append(set.labels, l)
	}
	return set
}

func (s painted) Image(_ context.Context, ref schemas.ImageRef) (*pixels.Image, error) {
	if img, ok := s.images[ref.SHA256]; ok {
		return img, nil
	}
	return nil, fmt.Errorf("no image %s", ref.SHA256)
}

func (s painted) all() iter.Seq2[schemas.Label, error] {
	return func(yield func(schemas.Label, error) bool) {
		for _, l := range s.labels {
			if !yield(l, nil) {
				return
			}
		}
	}
}

func train(t *testing.T, set painted, cfg Config) (run schemas.Run, rows schemas.Losses) {
	t.Helper()
	trainer, err := New(cfg, set, Pixels(), func(_ context.Context, more *schemas.Losses) error { rows.AppendTable(more); return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	run, err = trainer.Train(t.Context(), schemas.Run{RunID: "r", Attempt: 1, Dataset: "d"}, schemas.DefaultSplitRule(), set.all())
	if err != nil {
		t.Fatal(err)
	}
	return run, rows
}

func TestProbeLearnsAndDoubtsTheWrongLabels(t *testing.T) {
	set := paint(300, 12)
	run, rows := train(t, set, DefaultConfig())
	if v := run.Metrics["val_accuracy"]; v < 0.85 || v <= run.Metrics["val_majority"] {
		t.Errorf("validation accuracy %.2f (majority %.2f) on three plain colors", v, run.Metrics["val_majority"])
	}
	boxes := int(run.Metrics["train_boxes"])
	if rows.Len() != boxes*int(run.Epochs) || run.Rows != uint64(rows.Len()) {
		t.Fatalf("%d rows, run says %d; want one for each of %d boxes and %d epochs", rows.Len(), run.Rows, boxes, run.Epochs)
	}
	if run.RunID != "r" || run.Model != "probe/pixels" || run.Finished.Before(run.Started) {
		t.Errorf("%+v", run)
	}
	// In the middle of training, the mislabeled boxes have a higher loss than the others.
	var wrong, right, nWrong, nRight float64
	for i := range rows.Len() {
		if rows.Epoch[i] != 5 {
			continue
		}
		if set.mislabeled[rows.SampleID[i]] {
			wrong += float64(rows.Loss[i])
			nWrong++
		} else {
			right += float64(rows.Loss[i])
			nRight++
		}
	}
	if nWrong == 0 || wrong/nWrong < 2*right/nRight {
		t.Errorf("mean loss of wrong labels %.2f (%v of them), of right ones %.2f", wrong/nWrong, nWrong, right/nRight)
	}
	// Forgot is set where a box was right at its previous presentation and is wrong now.
	before := map[schemas.SampleID]bool{}
	for i := range rows.Len() {
		id := rows.SampleID[i]
		if want := before[id] && !rows.Correct[i]; rows.Forgot[i] != want {
			t.Fatalf("row %d: forgot is %v, want %v", i, rows.Forgot[i], want)
		}
		before[id] = rows.Correct[i]
	}
}

// Boxes whose class is still to be refined teach nothing, and the rows of the others say how their class came to be.
func TestLineageReachesTheRows(t *testing.T) {
	set := paint(60, 0)
	for i := range set.labels {
		set.labels[i].Objects[0].Lineage = "colors@1 paint@2:" + set.labels[i].Objects[0].Class
	}
	run, _ := train(t, set, DefaultConfig())
	for i, l := range set.labels {
		vague := l.Objects[0]
		vague.ID, vague.Class, vague.Refine = "vague", "color", true
		set.labels[i].Objects = append(set.labels[i].Objects, vague)
	}
	again, rows := train(t, set, DefaultConfig())
	if again.Metrics["classes"] != 3 || again.Rows != run.Rows {
		t.Errorf("%g classes and %d rows, %d without boxes to be refined", again.Metrics["classes"], again.Rows, run.Rows)
	}
	for i := range rows.Len() {
		l := set.labels[int(rows.SampleID[i][0])]
		if rows.Lineage[i] != l.Objects[0].Lineage {
			t.Fatalf("row %d: lineage %q, want %q", i, rows.Lineage[i], l.Objects[0].Lineage)
		}
	}
}

func TestSameSeedSameRows(t *testing.T) {
	set := paint(60, 3)
	_, a := train(t, set, DefaultConfig())
	_, b := train(t, set, DefaultConfig())
	if d := cmp.Diff(a, b); d != "" {
		t.Error("two runs of one seed differ:", d)
	}
	other := DefaultConfig()
	other.Seed = 1
	if _, c := train(t, set, other); cmp.Equal(a.Loss, c.Loss) {
		t.Error("another seed gave the same losses")
	}
}

func TestTooFewLabels(t *testing.T) {
	trainer, err := New(DefaultConfig(), painted{}, Pixels(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = trainer.Train(t.Context(), schemas.Run{RunID: "r"}, schemas.DefaultSplitRule(), painted{}.all())
	if !errors.Is(err, boxes.ErrTooFew) {
		t.Errorf("got %v, want ErrTooFew", err)
	}
}

func TestConfigRefuses(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"epochs":       func(c *Config) { c.Epochs = 0 },
		"batch_size":   func(c *Config) { c.BatchSize = 0 },
		"rate":         func(c *Config) { c.Rate = -1 },
		"momentum":     func(c *Config) { c.Momentum = 1 },
		"weight_decay": func(c *Config) { c.Decay = -1 },
		"min_boxes":    func(c *Config) { c.MinBoxes = 0 },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !cmp.Equal(err.Error()[:6+len(name)], "probe."+name) {
			t.Errorf("%s: error %v does not name it", name, err)
		}
	}
}

func TestPixelFeaturesOfAnyBox(t *testing.T) {
	img := paint(1, 0)
	for _, pic := range img.images {
		for _, b := range []geometry.Box{{}, {X1: -5, Y1: -5, X2: 500, Y2: 500}, {X1: 10, Y1: 10, X2: 10.5, Y2: 10.5}, {X1: 90, Y1: 90, X2: 99, Y2: 99}} {
			f := PixelFeatures(pic, b)
			if len(f) != PixelDim {
				t.Fatalf("%d features, want %d", len(f), PixelDim)
			}
			for i, v := range f {
				if v != v || v > 1e6 || v < -1e6 {
					t.Fatalf("feature %d of %v is %g", i, b, v)
				}
			}
		}
	}
}
