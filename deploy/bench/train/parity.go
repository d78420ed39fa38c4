package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"gleaner/connectors/onnx"
	"gleaner/trainers/autograd"
)

// parity compares the logits of training graphs with those that the exported files serve.
func (b *bench) parity(ctx context.Context, out io.Writer) error {
	fmt.Fprint(out, "\n### Parity\n\nLogits of a batch of test images by the training graph's forward pass and by the exported file in a session that serves, and their largest difference relative to the largest logit; the aim is 1e-5. "+
		"Batch normalizations are frozen, as they serve; the weights learn for 20 more steps before.\n\n| network | difference |\n|---|---|\n")
	t, err := b.train(ctx, 0)
	if err != nil {
		return err
	}
	convNet, err := b.network("convnet3", 64)
	if err != nil {
		return err
	}
	resNet, err := b.network("resnet9", 32)
	if err != nil {
		return err
	}
	for _, n := range []struct {
		title string
		file  []byte
	}{{"trained on CIFAR-10, seed 0", t.file}, {"ConvNet-3, width 64", convNet}, {"ResNet-9, width 32", resNet}} {
		difference, err := b.parityOf(n.file)
		if err != nil {
			return fmt.Errorf("%s: %w", n.title, err)
		}
		fmt.Fprintf(out, "| %s | %.1e |\n", n.title, difference)
	}
	return nil
}

func (b *bench) parityOf(file []byte) (difference float64, err error) {
	const n, rate = 64, 1e-4
	cfg := autograd.DefaultConfig()
	cfg.Inputs, cfg.Threads = map[string][]int64{imagesInput: {n, 3, side, side}}, b.threads
	cfg.Blocked = autograd.CanBlock(b.runtime)
	t, err := autograd.New(b.runtime, file, cfg)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	held, err := b.cifar("test")
	if err != nil {
		return 0, err
	}
	var x batch
	for _, x = range batches(held, n, 20, 3) {
		feed(t, x)
		if err := t.Step(rate); err != nil {
			return 0, err
		}
	}
	exported, err := t.Export(false)
	if err != nil {
		return 0, err
	}
	if exported, err = onnx.WithBatch(exported, n); err != nil {
		return 0, err
	}
	served, err := serve(b, exported, x.images)
	if err != nil {
		return 0, err
	}
	if err := t.Step(0); err != nil {
		return 0, err
	}
	return relative(served[logitsOutput], t.Output(logitsOutput)), nil
}
