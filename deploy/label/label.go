// Package label runs the prelabel step on image files, without a running system, and writes what it finds as COCO results.
package label

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"gleaner/connectors/onnx"
	"gleaner/deploy/batch"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
)

// Options say how images are labeled.
type Options struct {
	Prelabel  prelabel.Config
	Dataset   string        // whose settings count; may be empty
	Proposals bool          // results are the step's proposals rather than its objects
	Jobs      int           // images at a time, at least 1
	Limits    pixels.Limits // of each image
}

// Result is what became of one image.
type Result struct {
	Job
	W, H      int
	Found     []schemas.Object // best first
	Decode    time.Duration    // with reading the file
	Inference time.Duration    // in the runtime, of all models
	Rest      time.Duration    // input tensors, decoding of outputs, suppression and all else that the step does
	Err       error            // why nothing was found; the durations are then those of what was done
}

// Run does the jobs, Options.Jobs at a time, by the step with what it works with but for Images, and hands each result to done,
// one at a time and in the order of the jobs. It holds at most as many decoded images as there are jobs at a time. An image that
// fails does not keep the others from being labeled. When ctx ends, Run finishes the images that it has begun and returns why
// ctx ended.
func Run(ctx context.Context, jobs []Job, with prelabel.Deps, o Options, done func(Result)) error {
	l := labeler{with, o}
	next, waiting := 0, map[int]Result{}
	err := batch.Each(ctx, len(jobs), o.Jobs, func(i int) Result { return l.label(context.WithoutCancel(ctx), jobs[i]) }, func(i int, r Result) {
		waiting[i] = r
		for r, ok := waiting[next]; ok; r, ok = waiting[next] {
			delete(waiting, next)
			next++
			done(r)
		}
	})
	for ; len(waiting) > 0; next++ { // of an end among the jobs of one moment
		if r, ok := waiting[next]; ok {
			delete(waiting, next)
			done(r)
		}
	}
	return err
}

type labeler struct {
	with prelabel.Deps
	Options
}

func (l labeler) label(ctx context.Context, job Job) Result {
	r := Result{Job: job, Err: job.err}
	if r.Err != nil {
		return r
	}
	start := time.Now()
	img, info, data, err := batch.Read(job.Image, l.Limits)
	r.Decode = time.Since(start)
	if err != nil {
		r.Err = err
		return r
	}
	r.W, r.H = img.W, img.H
	sum := schemas.Hash(sha256.Sum256(data))
	start = time.Now()
	with := l.with
	with.Images = pixels.NewCache(schemas.ByteSize(len(img.Pix)), func(context.Context, string) ([]byte, error) { return nil, fs.ErrNotExist })
	with.Images.Put(ctx, sum, img)
	step, err := prelabel.New(l.Prelabel, with)
	if err != nil {
		r.Err = err
		return r
	}
	var inference atomic.Int64
	out, err := step.Process(onnx.Clocked(ctx, &inference), schemas.Sample{
		ID: schemas.NewSampleID(l.Dataset, job.Image, sum), Dataset: l.Dataset, UniqueID: job.Image, Task: "detect",
		Image: schemas.ImageRef{SHA256: sum, Size: int64(len(data)), MediaType: info.MediaType, W: img.W, H: img.H, Inline: data},
	})
	r.Inference = time.Duration(inference.Load())
	r.Rest = time.Since(start) - r.Inference
	switch {
	case err != nil:
		r.Err = fmt.Errorf("%s: %w", job.Image, err)
	case l.Proposals:
		r.Found = out[0].Proposals
	default:
		r.Found = out[0].Objects
	}
	return r
}
