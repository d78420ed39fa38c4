package classify

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gleaner/connectors/onnx"
	"gleaner/schemas"
	"gleaner/trainers/measure"
)

func open(tb testing.TB) *onnx.Runtime {
	tb.Helper()
	rt, err := onnx.Open()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := rt.Close(); err != nil {
			tb.Error(err)
		}
	})
	return rt
}

// stripes are noisy images of stripes, whose direction is the class.
func stripes(n, side int, seed uint64) Images {
	r := rand.New(rand.NewPCG(seed, 1))
	im := Images{Side: side, Classes: []string{"across", "down", "diagonal"}}
	for i := range n {
		label := i % 3
		dx, dy := []int{0, 1, 1}[label], []int{1, 0, 1}[label]
		shift := r.IntN(4)
		for c := range 3 {
			for y := range side {
				for x := range side {
					level := 60 + 40*c + r.IntN(60)
					if (dx*x+dy*y+shift)%4 < 2 {
						level += 50
					}
					im.Pixels = append(im.Pixels, uint8(min(level, 255)))
				}
			}
		}
		im.Labels = append(im.Labels, label)
		im.Samples = append(im.Samples, schemas.SampleID{byte(i), byte(i >> 8), byte(seed)})
	}
	return im
}

func newTrainer(tb testing.TB, rt *onnx.Runtime, cfg Config, train, held Images) *Trainer {
	tb.Helper()
	tr, err := New(rt, cfg, train, held)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := tr.Close(); err != nil {
			tb.Error(err)
		}
	})
	return tr
}

// small is a configuration of a second.
func small(network string) Config {
	cfg := DefaultConfig()
	cfg.Network, cfg.Width, cfg.Epochs, cfg.Batch, cfg.Augment.Crop = network, 8, 2, 16, 1
	return cfg
}

// TestNetworks trains each network until it tells stripes apart.
func TestNetworks(t *testing.T) {
	rt := open(t)
	for _, name := range Networks() {
		t.Run(name, func(t *testing.T) {
			cfg := small(name)
			cfg.Epochs = 4
			train := stripes(180, 16, 1)
			tr := newTrainer(t, rt, cfg, train, stripes(60, 16, 2))
			var rows schemas.Losses
			result, err := tr.Train(t.Context(), Hooks{Losses: func(_ context.Context, l *schemas.Losses) error {
				rows.AppendTable(l)
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			if rows.Len() != 4*180 || result.Run.Rows != 4*180 {
				t.Errorf("%d rows, want 720", rows.Len())
			}
			if held := result.Run.Metrics["val_accuracy"]; held < 0.8 {
				t.Errorf("held-out accuracy %g", held)
			}
		})
	}
}

// TestRows compares what the first step says of its images, by smoothed labels, with the graph's outputs before it, and what was forgotten
// with the presentations before.
func TestRows(t *testing.T) {
	rt := open(t)
	cfg := small("convnet3")
	cfg.Epochs, cfg.Batch, cfg.Rate, cfg.Smoothing, cfg.Augment = 6, 8, 0.2, 0.2, Augment{Flip: "none"}
	train := stripes(24, 16, 1)
	r := rand.New(rand.NewPCG(3, 3))
	r.Shuffle(len(train.Labels), func(i, j int) { train.Labels[i], train.Labels[j] = train.Labels[j], train.Labels[i] }) // hard to learn
	tr := newTrainer(t, rt, cfg, train, Images{})
	file, err := tr.model.Export(false)
	if err != nil {
		t.Fatal(err)
	}
	s, err := rt.LoadBytes("before", file, onnx.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at, was, forgotten := map[schemas.SampleID]int{}, map[schemas.SampleID]bool{}, 0
	for i, id := range train.Samples {
		at[id] = i
	}
	rows := run(t, tr, 0).rows
	for i, id := range rows.SampleID {
		if want := was[id] && !rows.Correct[i]; rows.Forgot[i] != want {
			t.Fatalf("row %d: forgotten %t, want %t", i, rows.Forgot[i], want)
		} else if want {
			forgotten++
		}
		was[id] = rows.Correct[i]
		if i >= cfg.Batch {
			continue
		}
		k, outputs := at[id], map[string][]float32{}
		fill := func(in [][]float32) error {
			cfg.Augment.render(in[0], train.image(k), train.Side, view{}, tr.levels)
			return nil
		}
		if err := s.Run(t.Context(), fill, func(out [][]float32) error {
			for j, spec := range s.Outputs() {
				outputs[spec.Name] = slices.Clone(out[j])
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		norm := 0.0
		for _, x := range outputs[embeddingName] {
			norm += float64(x) * float64(x)
		}
		want := measure.Of(outputs[logitsName], train.Labels[k])
		for name, pair := range map[string][2]float64{
			"loss": {float64(rows.Loss[i]), float64(want.Loss)}, "margin": {float64(rows.Margin[i]), float64(want.Margin)},
			"p_true": {float64(rows.PTrue[i]), float64(want.PTrue)}, "el2n": {float64(rows.EL2N[i]), float64(want.EL2N)},
			"emb_norm": {float64(rows.EmbNorm[i]), math.Sqrt(norm)},
		} {
			if math.Abs(pair[0]-pair[1]) > 1e-4*max(1, math.Abs(pair[1])) {
				t.Errorf("row %d: %s %g, want %g", i, name, pair[0], pair[1])
			}
		}
		if rows.Correct[i] != want.Correct {
			t.Errorf("row %d: correct %t, want %t", i, rows.Correct[i], want.Correct)
		}
	}
	if forgotten == 0 {
		t.Error("nothing was forgotten")
	}
}

// TestThreads wants the same training with any number of threads, but for rounding: batch normalizations see the same images, and those
// of a last batch that is not full weigh the same.
func TestThreads(t *testing.T) {
	rt := open(t)
	train := stripes(41, 16, 1)
	losses := func(threads int) []float32 {
		cfg := small("resnet9")
		cfg.Epochs, cfg.Batch, cfg.Pass, cfg.Rate, cfg.Threads = 1, 24, 12, 0.01, threads
		return run(t, newTrainer(t, rt, cfg, train, Images{}), 0).rows.Loss
	}
	want := losses(1)
	for i, loss := range losses(4) { // two for each of two passes
		if math.Abs(float64(loss-want[i])) > 1e-4*max(1, float64(want[i])) {
			t.Fatalf("with four threads presentation %d has loss %g, with one %g", i, loss, want[i])
		}
	}
}
