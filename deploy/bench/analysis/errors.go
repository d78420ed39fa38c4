package main

import (
	"context"
	"errors"
	"io"
	"slices"

	"gleaner/connectors/onnx"
	"gleaner/schemas"
)

const (
	evenImages, evenEpochs = 20_000, 8
	tailLargest            = 2500
	tailEpochs             = 12
)

// mistakes measures how well scores of training dynamics tell wrong labels, and rare images from wrongly labeled ones.
func (b *bench) mistakes(ctx context.Context, out io.Writer) (err error) {
	all, err := cifar(ctx)
	if err != nil {
		return err
	}
	rt, err := onnx.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	var even, tail []study
	for seed := range int64(b.seeds) {
		for _, s := range []struct {
			name   string
			sizes  []int
			epochs int
			to     *[]study
		}{
			{"even", slices.Repeat([]int{evenImages / len(all.Classes)}, len(all.Classes)), evenEpochs, &even},
			{"tail", longTail(len(all.Classes), tailLargest), tailEpochs, &tail},
		} {
			l := mislabel(s.name, all, s.sizes, seed)
			curves, err := b.curves(ctx, rt, l, studied(s.name, s.epochs, seed))
			if err != nil {
				return err
			}
			*s.to = append(*s.to, study{l, curves})
		}
	}
	_ = out
	return nil
}

// study is a labeling and what training on it showed.
type study struct {
	*labeling
	curves []schemas.Curve
}
