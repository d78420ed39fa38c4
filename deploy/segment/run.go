package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gleaner/deploy/batch"
	"gleaner/schemas/labelmap"
	"gleaner/stages/pixels"
	"gleaner/stages/superpixel"
)

// Result is what became of one image.
type Result struct {
	Image   string
	W, H    int
	Regions []int         // by level, finest first
	Read    time.Duration // with decoding
	Segment time.Duration
	Write   time.Duration // with encoding
	Err     error         // why nothing more was written; the durations are then those of what was done
}

// Run does the jobs, Options.Jobs at a time, and hands each result to done, one at a time and in no order. It holds at most
// as many decoded images as there are jobs at a time. An image that fails does not keep the others from being divided. Every
// file appears whole or not at all. When ctx ends, Run finishes the images that it has begun and returns why ctx ended.
func Run(ctx context.Context, jobs []Job, o Options, done func(Result)) error {
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return fmt.Errorf("folder of the label maps: %w", err)
	}
	var segmenter superpixel.Segmenter
	return batch.Each(ctx, len(jobs), o.Jobs, func(i int) Result { return jobs[i].run(&segmenter, o) }, func(_ int, r Result) { done(r) })
}

func (j Job) run(s *superpixel.Segmenter, o Options) (r Result) {
	r.Image = j.Image
	lap := time.Now()
	since := func() time.Duration {
		from := lap
		lap = time.Now()
		return lap.Sub(from)
	}
	img, _, _, err := batch.Read(j.Image, o.Limits)
	r.Read = since()
	if err != nil {
		r.Err = err
		return r
	}
	r.W, r.H = img.W, img.H
	m := s.Segment(img.Pix, img.W, img.H, o.Params)
	r.Segment = since()
	r.Regions = m.Counts()
	if err := j.write(img, m); err != nil {
		r.Err = fmt.Errorf("%s: %w", j.Image, err)
	}
	r.Write = since()
	return r
}

func (j Job) write(img *pixels.Image, m *labelmap.Map) error {
	if err := os.MkdirAll(filepath.Dir(j.maps[0][0]), 0o755); err != nil {
		return err
	}
	for level, names := range j.maps {
		data, err := EncodeMap(m.At(level), m.W, m.H)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := create(name, data); err != nil {
				return err
			}
		}
	}
	for level, name := range j.overlays {
		data, err := encodeOverlay(img, m.At(level))
		if err != nil {
			return err
		}
		if err := create(name, data); err != nil {
			return err
		}
	}
	for _, name := range j.stale {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func create(path string, data []byte) error {
	return batch.Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
