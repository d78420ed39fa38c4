package segment

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

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
		return err
	}
	var segmenter superpixel.Segmenter
	results := make(chan Result)
	var group errgroup.Group
	group.SetLimit(o.Jobs)
	go func() {
		defer close(results)
		for _, j := range jobs {
			if ctx.Err() != nil {
				break
			}
			group.Go(func() error {
				if ctx.Err() == nil {
					results <- j.run(&segmenter, o)
				}
				return nil
			})
		}
		_ = group.Wait() // no job returns an error
	}()
	for r := range results {
		done(r)
	}
	return ctx.Err()
}

func (j Job) run(s *superpixel.Segmenter, o Options) (r Result) {
	r.Image = j.Image
	lap := time.Now()
	since := func() time.Duration {
		from := lap
		lap = time.Now()
		return lap.Sub(from)
	}
	img, err := read(j.Image, o.Limits)
	r.Read = since()
	if err != nil {
		r.Err = err
		return r
	}
	r.W, r.H = img.W, img.H
	m := s.Segment(img.Pix, img.W, img.H, o.Params)
	r.Segment = since()
	r.Regions = m.Counts()
	r.Err = j.write(img, m)
	r.Write = since()
	return r
}

// read decodes a file, of which it reads no more than the limits admit.
func read(path string, limits pixels.Limits) (*pixels.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(limits.MaxBytes)+1))
	if err != nil {
		return nil, err
	}
	img, _, err := pixels.Decode(data, limits)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

func (j Job) write(img *pixels.Image, m *labelmap.Map) error {
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
	return nil
}

// create writes a file under a name of its own first, so that it is whole as soon as it is there.
func create(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the error that led here says more
	}
	return err
}
