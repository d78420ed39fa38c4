package main

import (
	"context"
	"fmt"
	"io"
)

// Those of airbench94_muon, whose 8 epochs reach 94 % by six views on the original images.
const (
	fullWidth  = 64
	fullEpochs = 8
)

// long trains the network at the reference's full width for its epochs, whatever the time: how long it is to what the budget does not reach.
func (b *bench) long(ctx context.Context, out io.Writer) error {
	cfg, err := b.recipe(0)
	if err != nil {
		return err
	}
	cfg.Width, cfg.Epochs = fullWidth, fullEpochs
	cfg.Run.RunID = "cifar10/long"
	t, err := b.trainAs(ctx, ctx, cfg)
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
	fmt.Fprintf(out, "\n### CIFAR-10 without a budget\n\nOne seed, %d epochs at width %d, the reference's own, %.3f PFLOP: %.0f GFLOP/s, %.0f %% of what a product of 2048 x 2048 matrices reaches by the same runtime and threads (%.0f). Of the processor time, half is what two cores take by the clock when nothing else runs.\n\n"+
		"| epoch | minutes by the clock | half of the processor minutes | accuracy |\n|---|---|---|---|\n", t.planned, cfg.Width, done/1e15, done/t.spent.Wall.Seconds()/1e9, 100*done/t.spent.Wall.Seconds()/peak, peak/1e9)
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
