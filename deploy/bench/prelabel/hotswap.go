package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"gleaner/deploy/config"
	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
)

const (
	swapPhotos  = 16  // of coco128, in turns
	swapSamples = 480 // pushed while models change
	swapEvery   = 12  // samples between two changes
	steadyBatch = 64  // samples by which each set is timed alone
	inFlight    = 48  // samples that are pushed and not out yet, at most
)

// swapSets take turns.
var swapSets = [][]string{{"yolox_nano@1"}, {"yolox_nano@1", "fastestdet@1"}, {"fastestdet@1"}}

// swapping is the system under load: prelabel on the embedded engines, with registered models.
type swapping struct {
	conn   *wire.Connections
	system *wire.System
	photos []schemas.ImageRef
	pushed map[schemas.SampleID]int // photo of each
}

// swapped is what became of the samples.
type swapped struct {
	out, twice, other, half int            // came out; more than once; by no set that served; other than the set gives alone
	by                      map[string]int // samples by set
}

// hotswap changes models while samples flow, one of them corrupt, and compares what comes out with what each set gives alone.
func (b *bench) hotswap(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "gleaner-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cfg, err := config.Default().In(dir)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler) // a refused model is an error that is meant to be
	engines, err := wire.StartEngines(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engines.Stop()) }()
	s := &swapping{pushed: map[schemas.SampleID]int{}}
	if s.conn, err = wire.Connect(ctx, cfg, engines.At, "bench", log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.conn.Close(context.WithoutCancel(ctx))) }()
	if err := s.prepare(ctx, b); err != nil {
		return err
	}
	if s.system, err = s.conn.NewSystem([]string{"prelabel"}); err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.system.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()

	steady := map[string]float64{} // seconds a sample, by set
	for _, set := range swapSets {
		if steady[strings.Join(set, " ")], err = s.alone(ctx, set); err != nil {
			return err
		}
	}
	began, before := time.Now(), len(s.pushed)
	swaps, refused, err := s.load(ctx)
	if err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	n := len(s.pushed) - before
	r, err := s.judge(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### Models that change under load\n\nPrelabel alone on the embedded Kafka, at most %d samples in flight. %s take turns, a change every %d samples, and once half of the "+
		"samples are through a model whose file was cut short is to serve. Each of the samples, those before the changes too, is compared with what the set that it is stamped by gives for its photo alone.\n\n"+
		"| samples in | out | lost | twice | by no set that served | other than the set gives alone | changes | the corrupt model | samples/s, changes/s | samples by set |\n|---|---|---|---|---|---|---|---|---|---|\n",
		inFlight, list(swapSets), swapEvery)
	var by []string
	expected, stamped := 0.0, 0
	for _, set := range swapSets {
		key := strings.Join(set, " ")
		by, expected, stamped = append(by, fmt.Sprintf("%s %d", strings.Join(set, "+"), r.by[key])), expected+steady[key]*float64(r.by[key]), stamped+r.by[key]
	}
	fmt.Fprintf(out, "| %d | %d | %d | %d | %d | %d | %d | %s | %.1f, %.2f | %s |\n", len(s.pushed), r.out, len(s.pushed)-r.out, r.twice, r.other, r.half, swaps, refused,
		float64(n)/took, float64(swaps)/took, strings.Join(by, ", "))
	verdict := "met"
	if len(s.pushed) != r.out || r.twice+r.other+r.half > 0 || refused != "refused" {
		verdict = "missed"
	}
	fmt.Fprintf(out, "\nAim: none lost, none labeled by a half-loaded model, and a corrupt one refused: %s. Without changes the same mix of sets takes %.1f samples/s.\n", verdict, float64(stamped)/expected)
	return nil
}

func list(sets [][]string) string {
	out := make([]string, len(sets))
	for i, set := range sets {
		out[i] = strings.Join(set, "+")
	}
	return strings.Join(out, ", ")
}

// corrupt is a model whose file is not what was registered.
const corrupt = "broken@1"

// prepare registers the models, cuts the file of one short, lets the first set serve, and reads the photos.
func (s *swapping) prepare(ctx context.Context, b *bench) error {
	if err := s.conn.Prepare(ctx); err != nil {
		return err
	}
	for name, file := range map[string]string{"yolox_nano": "yolox_nano", "fastestdet": "FastestDet", "broken": "nanodet"} {
		data, err := os.ReadFile(filepath.Join(b.data, "models", file+".onnx"))
		if err != nil {
			return err
		}
		m, _, err := s.conn.AddModel(ctx, data, wire.ModelSpec{Name: name, Version: "1", Classes: b.classes})
		if err != nil {
			return err
		}
		if m.ID == corrupt {
			if err := errors.Join(s.conn.Blobs.Delete(ctx, m.File.Key), s.conn.Blobs.Put(ctx, m.File.Key, data[:len(data)/2])); err != nil {
				return err
			}
		}
	}
	if err := s.serve(ctx, swapSets[0]...); err != nil { // before the system runs, which would pass samples on unlabeled
		return err
	}
	paths, err := filepath.Glob(filepath.Join(b.data, "coco128", "images", "*.jpg"))
	if err != nil || len(paths) < swapPhotos {
		return fmt.Errorf("%d photos: %w", len(paths), err)
	}
	for _, path := range paths[:swapPhotos] {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		img, _, err := pixels.Decode(data, pixels.DefaultLimits())
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		s.photos = append(s.photos, schemas.ImageRef{SHA256: sha256.Sum256(data), Size: int64(len(data)), MediaType: "image/jpeg", W: img.W, H: img.H, Inline: data})
	}
	return nil
}

func (s *swapping) serve(ctx context.Context, set ...string) error {
	_, err := s.conn.ServeModels(ctx, schemas.AnyDataset, set, 0, "bench")
	return err
}

// push sends some samples, and waits for those before where too many are in flight.
func (s *swapping) push(ctx context.Context, n int) error {
	for range n {
		if err := s.out(ctx, len(s.pushed)-inFlight+1); err != nil {
			return err
		}
		name, at := fmt.Sprint(len(s.pushed)), len(s.pushed)%len(s.photos)
		sample := schemas.Sample{ID: schemas.NewSampleID("street", name, schemas.Hash{}), Dataset: "street", UniqueID: name, Task: "detect", Image: s.photos[at], Stage: schemas.StageSamples}
		value, err := schemas.EncodeSample(&sample)
		if err != nil {
			return err
		}
		if err := s.conn.Kafka.Append(ctx, schemas.Record{Topic: schemas.Samples, Key: []byte(sample.ID.String()), Value: value}); err != nil {
			return err
		}
		s.pushed[sample.ID] = at
	}
	return nil
}

// out waits until so many samples have come out.
func (s *swapping) out(ctx context.Context, n int) error {
	return s.until(ctx, fmt.Sprintf("%d samples are out", n), func() (bool, error) {
		bounds, err := s.conn.Kafka.Bounds(ctx, schemas.Prelabeled)
		got := 0
		for _, p := range bounds {
			got += int(p.End - p.First)
		}
		return got >= n, err
	})
}

func (s *swapping) until(ctx context.Context, what string, done func() (bool, error)) error {
	const patience = 2 * time.Minute
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		ok, err := done()
		switch {
		case ok || err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case s.system.Failed() != nil:
			return s.system.Failed()
		case time.Now().After(deadline):
			return fmt.Errorf("not within %s: %s", patience, what)
		}
	}
}

// alone is the seconds that a set takes for a sample while nothing changes.
func (s *swapping) alone(ctx context.Context, set []string) (float64, error) {
	if err := s.serve(ctx, set...); err != nil {
		return 0, err
	}
	// What comes out after that may still be by the set before; the first in a row are not timed.
	for range 2 {
		if err := errors.Join(s.push(ctx, inFlight), s.out(ctx, len(s.pushed))); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	err := errors.Join(s.push(ctx, steadyBatch), s.out(ctx, len(s.pushed)))
	return time.Since(began).Seconds() / steadyBatch, err
}

// load pushes samples while sets take turns, and the corrupt model once; refused says what became of that one.
func (s *swapping) load(ctx context.Context) (swaps int, refused string, err error) {
	for sent := 0; sent < swapSamples; sent += swapEvery {
		set := swapSets[swaps%len(swapSets)]
		if sent == swapSamples/2 {
			set = []string{corrupt}
		}
		swaps++
		if err := errors.Join(s.serve(ctx, set...), s.push(ctx, swapEvery)); err != nil {
			return swaps, "", err
		}
		if sent == swapSamples/2 {
			if refused, err = s.refusal(ctx); err != nil {
				return swaps, "", err
			}
		}
	}
	return swaps, refused, s.out(ctx, len(s.pushed))
}

// refusal waits until the corrupt model's failure shows in the status.
func (s *swapping) refusal(ctx context.Context) (string, error) {
	err := s.until(ctx, "the corrupt model is refused", func() (bool, error) {
		status, err := s.system.Status(ctx)
		for _, step := range status.Steps {
			if step.Step == "prelabel" && strings.Contains(step.LastError, corrupt) {
				return true, err
			}
		}
		return false, err
	})
	return "refused", err
}

// judge reads everything that came out.
func (s *swapping) judge(ctx context.Context) (swapped, error) {
	r := swapped{by: map[string]int{}}
	want := map[string][]schemas.Sample{} // by set: each photo's
	registry, err := s.conn.Registry(ctx)
	if err != nil {
		return r, err
	}
	for _, set := range swapSets {
		if want[strings.Join(set, " ")], err = s.expected(ctx, set); err != nil {
			return r, err
		}
	}
	seen := map[schemas.SampleID]bool{}
	err = s.conn.Kafka.Scan(ctx, schemas.Prelabeled, func(rec schemas.Record) error {
		got, err := schemas.DecodeSample(rec.Value)
		if err != nil {
			return err
		}
		at, known := s.pushed[got.ID]
		if !known {
			return fmt.Errorf("sample %s came out and was never pushed", got.ID)
		}
		if seen[got.ID] {
			r.twice++
			return nil
		}
		seen[got.ID] = true
		r.out++
		var ids []string
		for _, stamp := range got.Stamps {
			ids = append(ids, stamp.Model)
			if stamp.Hash != registry.Models[stamp.Model].SHA256.String() {
				r.other++
				return nil
			}
		}
		set := strings.Join(ids, " ")
		expected, served := want[set]
		switch {
		case !served:
			r.other++
		case !reflect.DeepEqual(got.Objects, expected[at].Objects) || !reflect.DeepEqual(got.Proposals, expected[at].Proposals):
			r.half++
		}
		r.by[set]++
		return nil
	})
	return r, err
}

// expected is what a set gives for each photo when nobody swaps it.
func (s *swapping) expected(ctx context.Context, set []string) (out []schemas.Sample, err error) {
	var models prelabel.Fixed
	for _, id := range set {
		m, err := s.conn.OpenRegistered(ctx, id, "")
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, m.Close()) }()
		models = append(models, m)
	}
	step, err := prelabel.New(s.conn.Config.Prelabel, prelabel.Deps{Models: models, Images: pixels.NewCache(64<<20, s.conn.Blobs.Get), Version: "bench"})
	if err != nil {
		return nil, err
	}
	for _, photo := range s.photos {
		got, err := step.Process(ctx, schemas.Sample{Dataset: "street", Image: photo})
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
	}
	return out, nil
}
