package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"gleaner/deploy/bench/report"
)

// steps compares whole training steps of a ConvNet-3 with JAX's.
func (b *bench) steps(ctx context.Context, out io.Writer) (err error) {
	const count, rate, width = 100, 0.01, 64
	train, err := b.cifar("test")
	if err != nil {
		return err
	}
	p, err := startPeer(ctx, b.python, b.dir, 2)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	fmt.Fprintf(out, "\n### Steps\n\n")
	fmt.Fprintf(out, "ConvNet-3 of width %d on CIFAR-10's images, momentum %g, rate %g: %d steps of ours beside those of JAX on this processor. ", width, momentum, rate, count)
	fmt.Fprint(out, "\"From the same weights\": JAX begins each step with our weights of that moment; momenta are each one's own. Differences of weights are relative to the largest weight of the parameter, "+
		"of losses to the loss; \"the step\" is the Euclidean norm of the difference of both updates of all weights, relative to JAX's update. Median and worst of the steps; the aim is 1e-4. "+
		"\"Free\": each goes on with its own weights, and the difference from JAX in float64 after the last step is of rounding that grows from step to step.\n\n")
	fmt.Fprintln(out, "| batch | from the same weights: weights | loss | the step | free: ours to JAX float64 | JAX float32 to JAX float64 | steps until ours, JAX float32 pass 1e-4 |\n|---|---|---|---|---|---|---|")
	for _, n := range []int{8, 32, 128} {
		file, err := b.network("convnet3", width, 1)
		if err != nil {
			return err
		}
		ours, err := b.plain(file, n, b.threads)
		if err != nil {
			return err
		}
		names := ours.Parameters()
		var runs [3]*jaxRun // from our weights, free in float32, free in float64
		for i, kind := range []string{"float32", "float32", "float64"} {
			if runs[i], err = p.load(file, "nchw", kind, names); err != nil {
				return errors.Join(err, ours.Close())
			}
		}
		var same, losses, updates, drift, theirs []float64
		first, ends := weights(ours)
		for i, x := range batches(train, n, count, uint64(n)) {
			start, _ := weights(ours)
			feed(ours, x)
			if err := ours.Step(rate); err != nil {
				return errors.Join(err, ours.Close())
			}
			end, _ := weights(ours)
			var after [3][]float64
			var answers [3]peerAnswer
			for k, r := range runs {
				from := start
				if k > 0 {
					from = nil
					if i == 0 {
						from = first
					}
				}
				if answers[k], after[k], err = r.step(x, rate, momentum, from, true); err != nil {
					return errors.Join(err, ours.Close())
				}
			}
			same = append(same, apart(end, after[0], ends))
			losses = append(losses, math.Abs(loss(ours)-answers[0].Loss)/answers[0].Loss)
			difference, length := 0.0, 0.0
			for j := range end {
				difference += (end[j] - after[0][j]) * (end[j] - after[0][j])
				length += (after[0][j] - start[j]) * (after[0][j] - start[j])
			}
			updates = append(updates, math.Sqrt(difference/length))
			drift, theirs = append(drift, apart(end, after[2], ends)), append(theirs, apart(after[1], after[2], ends))
		}
		if err := ours.Close(); err != nil {
			return err
		}
		both := func(x []float64) string { return fmt.Sprintf("%.1e, %.1e", report.Median(x), report.Quantile(x, 1)) }
		fmt.Fprintf(out, "| %d | %s | %s | %s | %.1e | %.1e | %s, %s |\n", n, both(same), both(losses), both(updates), drift[count-1], theirs[count-1], passed(drift), passed(theirs))
	}
	return nil
}

// passed is the first step after which a difference is above 1e-4.
func passed(differences []float64) string {
	for i, d := range differences {
		if d > 1e-4 {
			return fmt.Sprint(i + 1)
		}
	}
	return "none"
}
