package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"gleaner/deploy/bench/meter"

	"gleaner/connectors/clickhouse"
	"gleaner/deploy/bench/report"
	"gleaner/schemas"
	"gleaner/schemas/labelmap"
	"gleaner/stages/ingest"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
	"gleaner/stages/superpixel"
)

// stages measures each step by itself, on one core, beside the kernel in it.
func (b *bench) stages(ctx context.Context, out io.Writer) error {
	photos, err := b.readPhotos()
	if err != nil {
		return err
	}
	var some []photo
	for i := 0; i < len(photos); i += max(1, len(photos)/200) {
		some = append(some, photos[i])
	}
	k, err := b.openKernels()
	if err != nil {
		return err
	}
	defer k.close()
	images := pixels.NewCache(b.cfg.Pixels.Cache, b.conn.Blobs.Get)
	in, err := ingest.New(b.cfg.Ingest, ingest.Deps{Blobs: b.conn.Blobs, Twins: clickhouse.NewTwins(b.conn.DB), Images: images})
	if err != nil {
		return err
	}
	pre, err := prelabel.New(b.cfg.Prelabel, prelabel.Deps{Models: prelabel.Fixed{k.detector}, Images: images})
	if err != nil {
		return err
	}
	super, err := superpixel.New(b.cfg.Superpixel, images, nil, "")
	if err != nil {
		return err
	}

	took := map[string][]time.Duration{}
	var cpu time.Duration // of ingest beyond decoding
	var mapBytes, pixelCount int
	timed := func(name string, fn func() error) error {
		from := time.Now()
		err := fn()
		took[name] = append(took[name], time.Since(from))
		return err
	}
	for _, p := range some {
		var img *pixels.Image
		var sample schemas.Sample
		from := meter.Read()
		err := timed("decode", func() (err error) { img, err = k.decode(p); return err })
		decode := from.Since()
		if err != nil {
			return err
		}
		from = meter.Read()
		err = timed("ingest", func() error {
			emits, err := in.Handle(ctx, schemas.Record{Topic: schemas.Raw, Value: p.data, Headers: []schemas.Header{
				{Key: schemas.HeaderDataset, Value: []byte("bench-stages")}, {Key: schemas.HeaderUniqueID, Value: []byte(p.UniqueID)},
			}})
			if err == nil && emits[0].Topic == schemas.Samples {
				sample, err = schemas.DecodeSample(emits[0].Record.Value)
			}
			return err
		})
		cpu += from.Since().Own - decode.Own
		if err != nil {
			return err
		}
		if sample.Image.W == 0 {
			continue // rejected
		}
		for _, one := range []struct {
			name string
			run  func() error
		}{
			{"network", func() error { return k.infer(ctx) }},
			{"prelabel", func() error { _, err := pre.Process(ctx, sample); return err }},
			{"slic", func() error { k.slic(img); return nil }},
			{"superpixel", func() error {
				o, err := super.Process(ctx, sample)
				if err == nil {
					mapBytes += len(o[0].Superpixels.Data)
					pixelCount += img.W * img.H
					err = timed("labelmap decode", func() error {
						_, err := labelmap.Decode(o[0].Superpixels.Data)
						return err
					})
				}
				return err
			}},
		} {
			if err := timed(one.name, one.run); err != nil {
				return err
			}
		}
	}
	m := func(name string) float64 { return report.Millis(report.Median(took[name])) }
	fmt.Fprintf(out, "\n### Steps by themselves\n\n%d photos, one at a time, medians. Ingest writes to the real stores.\n\n"+
		"| step | time | kernel in it | ratio |\n|---|---|---|---|\n", len(some))
	fmt.Fprintf(out, "| ingest | %.1f ms | decoding %.1f ms | %.2f |\n", m("ingest"), m("decode"), m("ingest")/m("decode"))
	fmt.Fprintf(out, "| prelabel | %.1f ms | bare ONNX Runtime %.1f ms | %.2f |\n", m("prelabel"), m("network"), m("prelabel")/m("network"))
	fmt.Fprintf(out, "| superpixel | %.1f ms | SLIC %.1f ms | %.2f |\n", m("superpixel"), m("slic"), m("superpixel")/m("slic"))
	fmt.Fprintf(out, "\nIngest beyond decoding takes %.2f ms of processor time an image, stores included. A label map takes %.1f KB, %.2f bits a pixel, and %.2f ms to decode.\n",
		report.Millis(cpu)/float64(len(some)), float64(mapBytes)/float64(len(took["slic"]))/1e3, 8*float64(mapBytes)/float64(max(1, pixelCount)), m("labelmap decode"))
	return nil
}
