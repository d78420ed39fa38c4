package main

import (
	"context"
	"errors"
	"os"
	"runtime"
	"time"

	"gleaner/connectors/onnx"
	"gleaner/deploy/bench/meter"
	"gleaner/deploy/config"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
	"gleaner/stages/superpixel"
)

// kernels are the three computations that the flow cannot do without, bare: decoding, one run of the network on a tensor
// that is filled already, and SLIC.
type kernels struct {
	bench    *bench
	runtime  *onnx.Runtime
	session  *onnx.Session
	detector prelabel.Detector
	segments superpixel.Segmenter
}

// kernelFunctions are where the flow computes the same.
var kernelFunctions = []string{
	"gleaner/stages/pixels.Decode", "gleaner/connectors/onnx.(*Session).run", "gleaner/stages/superpixel.(*Segmenter).Segment",
}

func (b *bench) openKernels() (k *kernels, err error) {
	k = &kernels{bench: b}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.close())
		}
	}()
	data, err := os.ReadFile(b.cfg.Prelabel.Model)
	if err != nil {
		return k, err
	}
	names, err := config.ModelClasses(b.cfg.Prelabel.Model, data)
	if err != nil {
		return k, err
	}
	if k.runtime, err = onnx.Open(); err != nil {
		return k, err
	}
	if k.session, err = k.runtime.LoadBytes(b.cfg.Prelabel.Model, data, b.cfg.ONNX); err != nil {
		return k, err
	}
	k.detector, err = prelabel.Recognize(k.session, b.cfg.Prelabel.ModelID(), names, schemas.Decode{})
	return k, err
}

func (k *kernels) close() error {
	var errs []error
	if k.session != nil {
		errs = append(errs, k.session.Close())
	}
	if k.runtime != nil {
		errs = append(errs, k.runtime.Close())
	}
	return errors.Join(errs...)
}

func (k *kernels) decode(p photo) (*pixels.Image, error) {
	img, _, err := pixels.Decode(p.data, k.bench.cfg.Pixels.Limits)
	return img, err
}

// infer runs the network on whatever its input tensor holds: the time does not depend on it.
func (k *kernels) infer(ctx context.Context) error {
	nop := func([][]float32) error { return nil }
	return k.session.Run(ctx, nop, nop)
}

func (k *kernels) slic(img *pixels.Image) {
	k.segments.Segment(img.Pix, img.W, img.H, k.bench.cfg.Superpixel.Params())
}

// round runs the kernels over the photos on all cores: decoding of every photo, the rest of those that the flow lets in. It also
// returns how much of the processor time a profile finds in the kernels.
func (k *kernels) round(ctx context.Context, photos []photo, rejected map[string]bool) (meter.Cost, time.Duration, error) {
	r, err := meter.Record("")
	if err != nil {
		return meter.Cost{}, 0, err
	}
	from := meter.Read()
	err = each(len(photos), runtime.GOMAXPROCS(0), func(i int) error {
		img, err := k.decode(photos[i])
		if err != nil || rejected[photos[i].UniqueID] {
			return err
		}
		k.slic(img)
		return k.infer(ctx)
	})
	cost := from.Since()
	seen, e := r.End(kernelFunctions...)
	return cost, seen, errors.Join(err, e)
}
