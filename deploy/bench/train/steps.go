package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

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
	fmt.Fprintf(out, "ConvNet-3 of width %d on CIFAR-10's images, momentum %g, rate %g: %d steps of ours beside those of JAX on this processor.\n\n", width, momentum, rate, count)
	fmt.Fprint(out, "From the same weights, JAX begins each step with our weights of that moment; momenta are each one's own. The largest difference of any weight after the step is absolute, or relative where the weight is above 1; the aim is 1e-4. "+
		"That of the losses is relative. \"The step\" is the Euclidean norm of the difference of two updates of all weights, relative to one of them, which a single ReLU on the other side of zero moves. Median and worst of the steps.\n\n")
	fmt.Fprintln(out, "| batch | weights | loss | the step: ours to JAX float32 | ours to JAX float64 | JAX float32 to float64 |\n|---|---|---|---|---|---|")
	var free strings.Builder
	for _, n := range []int{8, 32, 128} {
		file, err := b.network("convnet3", width)
		if err != nil {
			return err
		}
		ours, err := b.plain(file, n, b.threads)
		if err != nil {
			return err
		}
		names := ours.Parameters()
		var runs [4]*jaxRun // from our weights in float32 and float64, free in float32 and float64
		for i, kind := range []string{"float32", "float64", "float32", "float64"} {
			if runs[i], err = p.load(file, "nchw", kind, names); err != nil {
				return errors.Join(err, ours.Close())
			}
		}
		var same, losses, drift, theirs []float64
		var updates [3][]float64
		for i, x := range batches(train, n, count, uint64(n)) {
			start := weights(ours)
			feed(ours, x)
			if err := ours.Step(rate); err != nil {
				return errors.Join(err, ours.Close())
			}
			end := weights(ours)
			var after [4][]float64
			var answers [4]peerAnswer
			for k, r := range runs {
				from := start
				if k > 1 && i > 0 {
					from = nil
				}
				if answers[k], after[k], err = r.step(x, rate, momentum, from, true); err != nil {
					return errors.Join(err, ours.Close())
				}
			}
			same = append(same, apart(end, after[0]))
			losses = append(losses, math.Abs(loss(ours)-answers[0].Loss)/answers[0].Loss)
			for k, pair := range [][2][]float64{{end, after[0]}, {end, after[1]}, {after[0], after[1]}} {
				updates[k] = append(updates[k], differs(start, pair[0], pair[1]))
			}
			drift, theirs = append(drift, apart(end, after[3])), append(theirs, apart(after[2], after[3]))
		}
		if err := ours.Close(); err != nil {
			return err
		}
		both := func(x []float64) string { return fmt.Sprintf("%.1e, %.1e", report.Median(x), report.Quantile(x, 1)) }
		fmt.Fprintf(out, "| %d | %s | %s | %s | %s | %s |\n", n, both(same), both(losses), both(updates[0]), both(updates[1]), both(updates[2]))
		fmt.Fprintf(&free, "| %d | %.1e, %.1e | %s, %s |\n", n, drift[count-1], theirs[count-1], passed(drift), passed(theirs))
	}
	fmt.Fprintf(out, "\nFree, each goes on with its own weights, and the rounding of each step grows in those after it: the largest difference from JAX in float64, and the step after which it was above 1e-4.\n\n"+
		"| batch | after %d steps: ours, JAX float32 | above 1e-4: ours, JAX float32 |\n|---|---|---|\n%s", count, free.String())
	return nil
}

// differs is the norm of the difference of two updates from start, relative to the second.
func differs(start, x, y []float64) float64 {
	difference, length := 0.0, 0.0
	for i := range start {
		difference += (x[i] - y[i]) * (x[i] - y[i])
		length += (y[i] - start[i]) * (y[i] - start[i])
	}
	return math.Sqrt(difference / length)
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
