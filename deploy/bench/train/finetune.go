package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"gleaner/trainers/autograd"
)

// detector is a training of all of a detector towards given outputs.
func (b *bench) detector(file []byte, threads int) (*autograd.Trainer, error) {
	cfg := autograd.DefaultConfig()
	cfg.Loss, cfg.Optimizer, cfg.Threads, cfg.Clip = autograd.Squares{}, autograd.DefaultAdamW(), threads, 10
	cfg.Blocked = autograd.CanBlock(b.runtime)
	return autograd.New(b.runtime, file, cfg)
}

// fineTune trains the whole of detectors of others, and serves what comes of it.
func (b *bench) fineTune(_ context.Context, out io.Writer) error {
	const steps = 20
	fmt.Fprintf(out, "\n### Import\n\nThe whole of each detector, every operator of it passing gradients, trained for %d steps by AdamW towards its own outputs times 0.8, by squares, on noise. Then the exported file serves; the difference of its outputs from those of the training graph is relative to the largest.\n\n", steps)
	fmt.Fprintln(out, "| model | weights learned | loss before | after | served outputs differ by |\n|---|---|---|---|---|")
	for _, name := range []string{"yolox_nano.onnx", "FastestDet.onnx", "nanodet.onnx"} {
		if err := b.fineTuneOne(name, steps, out); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (b *bench) fineTuneOne(name string, steps int, out io.Writer) (err error) {
	file, err := os.ReadFile(filepath.Join(b.data, "models", name))
	if err != nil {
		return err
	}
	t, err := b.detector(file, b.threads)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	input, err := inputOf(b, file)
	if err != nil {
		return err
	}
	image := t.Input(input)
	for i := range image {
		image[i] = float32(math.Abs(math.Sin(float64(i * i % 9973)))) // 0..1
	}
	before, err := serve(b, file, image)
	if err != nil {
		return err
	}
	for output, y := range before {
		target := t.Target(output)
		if len(target) != len(y) {
			return fmt.Errorf("output %s of %d numbers has a target of %d", output, len(y), len(target))
		}
		for i := range target {
			target[i] = 0.8 * y[i]
		}
	}
	rate := autograd.Cosine(1e-5, 0.1, steps).Warmup(3)
	var first, last float64
	for step := range steps {
		if err := t.Step(rate(step)); err != nil {
			return err
		}
		if last = float64(t.Losses()[0]); step == 0 {
			first = last
		}
	}
	exported, err := t.Export(false)
	if err != nil {
		return err
	}
	after, err := serve(b, exported, image)
	if err != nil {
		return err
	}
	if err := t.Step(0); err != nil { // what the training graph computes with the exported weights
		return err
	}
	worst, count := 0.0, 0
	for output, y := range after {
		worst = max(worst, relative(y, t.Output(output)))
	}
	for _, p := range t.Parameters() {
		count += len(t.Parameter(p))
	}
	fmt.Fprintf(out, "| %s | %d in %d tensors | %.3g | %.3g | %.1e |\n", name, count, len(t.Parameters()), first, last, worst)
	return nil
}
