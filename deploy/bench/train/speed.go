package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"gleaner/deploy/bench/report"
	"gleaner/trainers/autograd"
)

// timed is what steps took, in milliseconds, one number a round.
type timed struct{ clock, processor []float64 }

func (t *timed) add(clock, processor float64) {
	t.clock, t.processor = append(t.clock, clock), append(t.processor, processor)
}

// stepped times one step.
func stepped(t *autograd.Trainer, into *timed) error {
	clock, processor := time.Now(), report.ProcessorTime()
	if err := t.Step(0.001); err != nil {
		return err
	}
	into.add(report.Millis(time.Since(clock)), report.Millis(report.ProcessorTime()-processor))
	return nil
}

// speed times whole steps against JAX's, in one run, a step of each in turn.
func (b *bench) speed(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "\n### Speed\n\nA step (forward, loss, backward, momentum, the update) at batch 128 on CIFAR-10's images, milliseconds by the clock and, in brackets, of processor time; medians of %d rounds, in each of which ours "+
		"and JAX's take a step in turn. JAX %s is jitted, its buffers donated and its data in place before; channels before places (NCHW) or after them (NHWC), of which the faster counts; XLA has as many threads as processors that its process may use. "+
		"Ours in the blocked layout where the processor has it: %v here.\n\n", b.rounds, "of requirements.txt", autograd.CanBlock(b.runtime))
	fmt.Fprintln(out, "| network | threads | ours | JAX NCHW | JAX NHWC | JAX / ours | by processor time | aim |\n|---|---|---|---|---|---|---|---|")
	for _, threads := range []int{1, 2} {
		if err := b.speedOn(ctx, threads, out); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\nA whole step of YOLOX-nano at 416 x 416 (every weight learns by AdamW; squares as the loss), which JAX has no file of:\n\n| threads | ms | of processor time |\n|---|---|---|\n")
	for _, threads := range []int{1, 2} {
		var t timed
		if err := b.detectorSteps(threads, &t); err != nil {
			return err
		}
		fmt.Fprintf(out, "| %d | %.0f | %.0f |\n", threads, report.Median(t.clock), report.Median(t.processor))
	}
	return nil
}

func (b *bench) speedOn(ctx context.Context, threads int, out io.Writer) (err error) {
	p, err := startPeer(ctx, b.python, b.dir, threads)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	train, err := b.cifar("test")
	if err != nil {
		return err
	}
	x := batches(train, 128, 1, 1)[0]
	for _, n := range []struct {
		title, name string
		width       int
		aim         float64
	}{{"ConvNet-3, width 64", "convnet3", 64, 1.6}, {"ConvNet-3, width 128", "convnet3", 128, 1.7}, {"ResNet-9, width 32, batch normalization", "resnet9", 32, 1.4}} {
		file, err := b.network(n.name, n.width, 1)
		if err != nil {
			return err
		}
		ours, err := b.plain(file, 128, threads)
		if err != nil {
			return err
		}
		feed(ours, x)
		var mine timed
		var theirs [2]timed
		var runs [2]*jaxRun
		for i, layout := range []string{"nchw", "nhwc"} {
			if runs[i], err = p.load(file, layout, "float32", ours.Parameters()); err != nil {
				return errors.Join(err, ours.Close())
			}
		}
		start, _ := weights(ours)
		for round := range b.rounds + 2 {
			if round == 2 { // compiled, and warm
				mine, theirs = timed{}, [2]timed{}
			}
			if err := stepped(ours, &mine); err != nil {
				return errors.Join(err, ours.Close())
			}
			for i, r := range runs {
				a, _, err := r.step(x, 0.001, momentum, start, false)
				if err != nil {
					return errors.Join(err, ours.Close())
				}
				theirs[i].add(a.Millis, a.Processor)
			}
			start = nil
		}
		if err := ours.Close(); err != nil {
			return err
		}
		cell := func(t timed) string {
			return fmt.Sprintf("%.0f (%.0f)", report.Median(t.clock), report.Median(t.processor))
		}
		ratio := min(report.Median(theirs[0].clock), report.Median(theirs[1].clock)) / report.Median(mine.clock)
		byProcessor := min(report.Median(theirs[0].processor), report.Median(theirs[1].processor)) / report.Median(mine.processor)
		fmt.Fprintf(out, "| %s | %d | %s | %s | %s | %.2f | %.2f | %.1f |\n", n.title, threads, cell(mine), cell(theirs[0]), cell(theirs[1]), ratio, byProcessor, n.aim)
	}
	return nil
}

// detectorSteps times steps of YOLOX-nano.
func (b *bench) detectorSteps(threads int, into *timed) error {
	file, err := os.ReadFile(filepath.Join(b.data, "models", "yolox_nano.onnx"))
	if err != nil {
		return err
	}
	t, err := b.detector(file, threads)
	if err != nil {
		return err
	}
	for round := range b.rounds + 2 {
		if round == 2 {
			*into = timed{}
		}
		if err = stepped(t, into); err != nil {
			break
		}
	}
	return errors.Join(err, t.Close())
}

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
