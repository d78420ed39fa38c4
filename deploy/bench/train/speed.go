package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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
		"and JAX's take a step in turn. JAX is jitted, its buffers donated and its data in place before; channels before places (NCHW) or after them (NHWC), of which the faster counts; XLA has as many threads as processors that its process may use. "+
		"Ours divides the batch among the threads, so batch normalizations see half of it at two, and is in the blocked layout where the processor has it: %v here.\n\n", b.rounds, autograd.CanBlock(b.runtime))
	fmt.Fprintln(out, "| network | threads | ours | JAX NCHW | JAX NHWC | JAX / ours | by processor time | aim |\n|---|---|---|---|---|---|---|---|")
	for _, threads := range []int{1, 2} {
		if err := b.compare(ctx, threads, out); err != nil {
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

// compare is speed by so many threads.
func (b *bench) compare(ctx context.Context, threads int, out io.Writer) (err error) {
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
		file, err := b.network(n.name, n.width)
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
		start := weights(ours)
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
