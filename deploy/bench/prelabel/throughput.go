package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"gleaner/connectors/onnx"
	"gleaner/deploy/batch"
	"gleaner/deploy/bench/report"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
)

// rounds over the photos; each gives a ratio.
const rounds = 5

// decoded is a photo as the step gets it.
type decoded struct {
	path   string
	data   []byte
	sample schemas.Sample
}

// throughput measures the step beside bare runs of the same session, one thread, and decoding beside libjpeg-turbo.
func (b *bench) throughput(ctx context.Context, out io.Writer) error {
	photos, images, err := b.decodedPhotos(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### Throughput\n\nMilliseconds of processor time an image, user and system, all of the process's threads, on the %d pictures of coco128 in turns: a bare run of ONNX Runtime "+
		"with one thread on a tensor that is filled already, and the step on the decoded picture (letterbox, tensor, the same run, decoding of outputs, suppression, sample). "+
		"Medians of %d rounds; in brackets the least and the greatest. What the step does outside the runtime is by the clock, the median of all its runs. With embeddings it is the step as it is by default, "+
		"when a layer becomes an output of the model, and features of the picture and of each box are pooled from it.\n\n"+
		"| model | input | bare | step | outside the runtime | throughput of the step against bare | aim: 90 %% | with embeddings |\n|---|---|---|---|---|---|---|---|\n", len(photos), rounds)
	for i := range b.detectors {
		if err := b.throughputOf(ctx, out, i, photos, images); err != nil {
			return err
		}
	}
	return b.jpeg(ctx, out, photos)
}

// throughputOf measures one model.
func (b *bench) throughputOf(ctx context.Context, out io.Writer, i int, photos []decoded, images *pixels.Cache) error {
	d := b.detectors[i]
	step, err := prelabel.New(prelabel.DefaultConfig(), prelabel.Deps{Models: prelabel.Fixed{d}, Images: images})
	if err != nil {
		return err
	}
	session, embedder, err := b.embedder(i)
	if err != nil {
		return err
	}
	defer session.Close()
	embedding, err := prelabel.New(prelabel.DefaultConfig(), prelabel.Deps{Models: prelabel.Fixed{embedder}, Images: images})
	if err != nil {
		return err
	}
	var bare, whole, ratio, embedded, outside []float64
	for round := range rounds + 1 {
		raw, all, full, rest, err := b.compare(ctx, i, step, embedding, photos)
		if err != nil {
			return err
		}
		if round == 0 {
			continue // memory that later rounds use again
		}
		n := float64(len(photos))
		outside = append(outside, rest...)
		bare, whole, ratio = append(bare, report.Millis(raw)/n), append(whole, report.Millis(all)/n), append(ratio, 100*raw.Seconds()/all.Seconds())
		embedded = append(embedded, 100*raw.Seconds()/full.Seconds())
	}
	verdict := "met"
	if report.Median(ratio) < 90 {
		verdict = "missed"
	}
	in := d.Model().Decode.Input
	fmt.Fprintf(out, "| %s | %dx%d | %s | %s | %.2f | %s %% | %s | %s %% |\n", d.Model().ID, in.Width, in.Height, ranged(bare, 2), ranged(whole, 2), report.Median(outside), ranged(ratio, 1), verdict, ranged(embedded, 1))
	return nil
}

// embedder is a model in a session that gives features, too, which its caller closes.
func (b *bench) embedder(i int) (*onnx.Session, prelabel.Detector, error) {
	m := b.detectors[i].Model()
	data, err := os.ReadFile(filepath.Join(b.data, "models", models[i]+".onnx"))
	if err != nil {
		return nil, nil, err
	}
	rt, err := onnx.Open()
	if err != nil {
		return nil, nil, err
	}
	defer rt.Close()
	session, err := rt.LoadFeatures(m.ID, data, "", onnx.DefaultConfig())
	if err != nil {
		return nil, nil, err
	}
	d, err := prelabel.Recognize(prelabel.WithFeatures(session), m.ID, b.classes, schemas.Decode{})
	if err != nil {
		return nil, nil, errors.Join(err, session.Close())
	}
	return session, d, nil
}

// decodedPhotos are those of coco128, decoded in a cache that holds them all.
func (b *bench) decodedPhotos(ctx context.Context) ([]decoded, *pixels.Cache, error) {
	paths, err := batch.List([]string{filepath.Join(b.data, "coco128", "images")})
	if err != nil {
		return nil, nil, err
	}
	images := pixels.NewCache(1<<30, func(context.Context, string) ([]byte, error) { return nil, os.ErrNotExist })
	photos := make([]decoded, len(paths))
	for i, path := range paths {
		img, _, data, err := batch.Read(path, pixels.DefaultLimits())
		if err != nil {
			return nil, nil, err
		}
		sum := schemas.Hash(sha256.Sum256(data))
		images.Put(ctx, sum, img)
		photos[i] = decoded{path, data, schemas.Sample{Dataset: "coco128", Image: schemas.ImageRef{SHA256: sum, W: img.W, H: img.H}}}
	}
	return photos, images, nil
}

// compare runs a model bare, in the step and in the step with embeddings, in turns, and returns the processor time of each. outside has, by
// the clock, the milliseconds of each picture that the step spent outside the runtime.
func (b *bench) compare(ctx context.Context, model int, step, embedding *prelabel.Prelabel, photos []decoded) (bare, whole, embedded time.Duration, outside []float64, err error) {
	nop := func([][]float32) error { return nil }
	for _, p := range photos {
		start := report.ProcessorTime()
		if err := b.sessions[model].Run(ctx, nop, nop); err != nil {
			return 0, 0, 0, nil, err
		}
		var inside atomic.Int64
		half, clock := report.ProcessorTime(), time.Now()
		if _, err := step.Process(onnx.Clocked(ctx, &inside), p.sample); err != nil {
			return 0, 0, 0, nil, err
		}
		took, second := time.Since(clock), report.ProcessorTime()
		if _, _, err := embedding.ProcessAndEmbed(ctx, p.sample); err != nil {
			return 0, 0, 0, nil, err
		}
		outside = append(outside, report.Millis(took-time.Duration(inside.Load())))
		bare, whole, embedded = bare+half-start, whole+second-half, embedded+report.ProcessorTime()-second
	}
	return bare, whole, embedded, outside, nil
}

// jpeg measures decoding in turns with libjpeg-turbo.
func (b *bench) jpeg(ctx context.Context, out io.Writer, photos []decoded) (err error) {
	peers, err := startJPEGPeers(ctx, b.python)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peers.close()) }()
	ours, theirs, ratios := []float64{}, make([][]float64, len(peers.names)), make([][]float64, len(peers.names))
	for round := range rounds + 1 {
		var mine time.Duration
		sums := make([]time.Duration, len(peers.names))
		for _, p := range photos {
			start := report.ProcessorTime()
			if _, _, err := pixels.Decode(p.data, pixels.DefaultLimits()); err != nil {
				return err
			}
			mine += report.ProcessorTime() - start
			took, err := peers.decode(p.path)
			if err != nil {
				return err
			}
			for i := range took {
				sums[i] += took[i]
			}
		}
		if round == 0 {
			continue
		}
		n := float64(len(photos))
		ours = append(ours, report.Millis(mine)/n)
		for i, s := range sums {
			theirs[i], ratios[i] = append(theirs[i], report.Millis(s)/n), append(ratios[i], mine.Seconds()/s.Seconds())
		}
	}
	fmt.Fprintf(out, "\nDecoding is counted apart, since ingest has decoded a picture that it let in: from bytes in memory to RGB, in turns with libjpeg-turbo through Python.\n\n"+
		"| decoder | ms of processor time an image | ours takes |\n|---|---|---|\n| ours, image/jpeg with vectors for colors | %s | |\n", ranged(ours, 2))
	for i, name := range peers.names {
		fmt.Fprintf(out, "| %s | %s | %s times that |\n", name, ranged(theirs[i], 2), ranged(ratios[i], 2))
	}
	return nil
}

// ranged prints the median of values, and the least and the greatest.
func ranged(values []float64, digits int) string {
	return fmt.Sprintf("%.*f [%.*f, %.*f]", digits, report.Median(values), digits, report.Quantile(values, 0), digits, report.Quantile(values, 1))
}
