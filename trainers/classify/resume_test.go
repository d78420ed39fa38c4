package classify

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/connectors/onnx"
	"gleaner/schemas"
)

// thorough uses all that training keeps from step to step, and batches that its images do not fill.
func thorough(network string) Config {
	cfg := small(network)
	cfg.Batch, cfg.Pass, cfg.Threads, cfg.Checkpoint = 28, 7, 2, 5
	cfg.Average, cfg.Lookahead, cfg.Smoothing, cfg.Augment.Cutout = 0.9, Lookahead{Steps: 3, Rate: 0.5}, 0.1, 4
	if network == "airbench" {
		cfg.Optimizer, cfg.BiasRate, cfg.HeadRate = "muon", 8, 2
		cfg.Pass, cfg.Threads = 14, 4 // two threads share a pass
	}
	return cfg
}

// record is all that a training says.
type record struct {
	rows        schemas.Losses
	checkpoints [][]byte
	file        []byte
	result      Result
}

// run trains; stop, if it is above 0, is the step after which it is canceled.
func run(t *testing.T, tr *Trainer, stop int) record {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var r record
	var err error
	r.result, err = tr.Train(ctx, Hooks{
		Losses: func(_ context.Context, l *schemas.Losses) error { r.rows.AppendTable(l); return nil },
		Progress: func(p Progress) {
			if p.Step == stop {
				cancel()
			}
		},
		Checkpoint: func(c []byte) error { r.checkpoints = append(r.checkpoints, c); return nil },
	})
	if stop > 0 && !errors.Is(err, context.Canceled) || stop == 0 && err != nil {
		t.Fatalf("stopped after step %d: %v", stop, err)
	}
	if r.file, err = tr.Export(); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestResume stops in the middle of an epoch, goes on in a new trainer, and comes to the same weights and rows as without a stop, bit
// for bit; so does the same training once more.
func TestResume(t *testing.T) {
	rt := open(t)
	for _, network := range []string{"convnet3", "airbench"} {
		t.Run(network, func(t *testing.T) {
			train, held := stripes(100, 16, 1), stripes(30, 16, 2)
			start := func() *Trainer { return newTrainer(t, rt, thorough(network), train, held) }
			whole := run(t, start(), 0)
			first := run(t, start(), 6)
			if n := len(first.checkpoints); n != 3 { // after the epoch's 4 steps, after 5, and at the stop
				t.Fatalf("%d checkpoints", n)
			}
			second := start()
			if err := second.Restore(first.checkpoints[2]); err != nil {
				t.Fatal(err)
			}
			rest := run(t, second, 0)
			if got := rest.result.Run.Attempt; got != 2 {
				t.Errorf("attempt %d", got)
			}
			if !slices.Equal(weights(t, rest.file), weights(t, whole.file)) {
				t.Error("the weights are others after a stop")
			}
			for i := range rest.rows.Attempt {
				rest.rows.Attempt[i] = 1
			}
			first.rows.AppendTable(&rest.rows)
			if d := cmp.Diff(whole.rows, first.rows); d != "" {
				t.Errorf("rows: %s", d)
			}
			if again := run(t, start(), 0); !bytes.Equal(again.checkpoints[len(again.checkpoints)-1], whole.checkpoints[len(whole.checkpoints)-1]) {
				t.Error("the same training comes to other weights")
			}
			// A checkpoint of within an epoch that was not the last one written.
			third := start()
			if err := third.Restore(first.checkpoints[1]); err != nil {
				t.Fatal(err)
			}
			if got := run(t, third, 0); !slices.Equal(weights(t, got.file), weights(t, whole.file)) {
				t.Error("the weights are others after an earlier checkpoint")
			}
		})
	}
}

// weights are the bytes of a file without its metadata, which has times.
func weights(t *testing.T, file []byte) []byte {
	t.Helper()
	out, err := onnx.WithMetadata(file, map[string]string{"gleaner.run": "{}"})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRestoreRefuses wants other configurations, images and damage told.
func TestRestoreRefuses(t *testing.T) {
	rt := open(t)
	cfg := small("convnet3")
	train := stripes(32, 16, 1)
	tr := newTrainer(t, rt, cfg, train, Images{})
	checkpoint, err := tr.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Rate *= 2
	other := newTrainer(t, rt, cfg, train, Images{})
	damaged := slices.Clone(checkpoint)
	damaged[len(damaged)/2] ^= 1
	for name, c := range map[string]struct {
		tr   *Trainer
		data []byte
		want string
	}{
		"configuration":   {other, checkpoint, "another configuration"},
		"images":          {newTrainer(t, rt, small("convnet3"), stripes(32, 16, 5), Images{}), checkpoint, "other images"},
		"damage":          {tr, damaged, "corrupt"},
		"cut off":         {tr, checkpoint[:len(checkpoint)-1], "cut off"},
		"another file":    {tr, []byte("hello"), "no checkpoint"},
		"another version": {tr, []byte(checkpointKind + "1\n{}"), "another version"},
	} {
		if err := c.tr.Restore(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if r, err := CheckpointRun(checkpoint); err != nil || r.RunID != "run" || r.Attempt != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// FuzzCheckpoint wants no panic, and that what decodes encodes to the same bytes.
func FuzzCheckpoint(f *testing.F) {
	seed, err := encodeCheckpoint(header{Fingerprint: "f", Step: 3}, []byte{5}, []byte("state"), nil)
	if err != nil {
		f.Fatal(err)
	}
	body := seed[len(checkpointMagic)+32:]
	f.Add(body)
	f.Add(body[:len(body)-1])
	f.Fuzz(func(t *testing.T, body []byte) {
		h, bits, state, best, err := decodeCheckpoint(sealed(body))
		if err != nil {
			return
		}
		again, err := encodeCheckpoint(h, bits, state, best)
		if err != nil {
			t.Fatal(err)
		}
		h2, bits2, state2, best2, err := decodeCheckpoint(again)
		if err != nil || cmp.Diff(h, h2) != "" || !bytes.Equal(bits, bits2) || !bytes.Equal(state, state2) || !bytes.Equal(best, best2) {
			t.Errorf("decoded %+v, again %+v, %v", h, h2, err)
		}
	})
}
