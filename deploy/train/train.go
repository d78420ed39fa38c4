// Package train is what goes on around the training of a classifier: its images, where its losses go, what it goes on from after
// it was stopped, and the file that serves. It needs no running system.
package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gleaner/connectors/onnx"
	"gleaner/deploy/batch"
	"gleaner/schemas"
	"gleaner/trainers/classify"
)

// Options of one training.
type Options struct {
	Config      classify.Config // with Run as RunOf describes it
	Out         string          // the ONNX file to write
	Checkpoint  string          // file that training goes on from; it is removed at the end
	Resume      bool            // go on from it, if it is there
	LastAttempt uint32          // the highest attempt of this run that is known of elsewhere
	// Began is called before the first step, with how many are done of how many.
	Began    func(run schemas.Run, resumed bool, step, steps int)
	Progress func(p classify.Progress)
	Epoch    func(e classify.Epoch)
}

// Start is where an attempt begins.
type Start struct {
	Fresh bool // anew
	Step  int  // that a checkpoint is after, with the losses of all steps before
	Over  bool // no step is left, only what comes after the last
}

// Stopped is the error of a training that can be gone on with. It wraps why it was stopped.
type Stopped struct {
	Step, Steps int
	Checkpoint  string
	Err         error
}

func (s *Stopped) Error() string {
	return fmt.Sprintf("%v: stopped after step %d of %d; the same command goes on from there (%s)", s.Err, s.Step, s.Steps, s.Checkpoint)
}

func (s *Stopped) Unwrap() error { return s.Err }

// Diverged is the error of a training that ended with weights that are no finite numbers, or whose loss is none. No model is written.
type Diverged struct {
	Epoch int // the first such, from one
	Rate  float64
	Out   string
}

func (d *Diverged) Error() string {
	return fmt.Sprintf("the training diverged in epoch %d, from which on its loss or its weights are no finite numbers, so %s is not written: train with a rate lower than %g", d.Epoch, d.Out, d.Rate)
}

// RunOf describes the run of a configuration on images, with the same id for all that gives the same weights and rows, by
// classify.Fingerprint. Its attempt is the first.
func RunOf(cfg classify.Config, data Data) (schemas.Run, error) {
	network := cfg.Network
	if len(cfg.ONNX) > 0 {
		network = "onnx"
	}
	digest, err := classify.Fingerprint(cfg, data.Train, data.Held)
	if err != nil {
		return schemas.Run{}, err
	}
	return schemas.Run{
		RunID:   fmt.Sprintf("classify/%s/%s-%x/seed%d", data.Version, network, digest[:4], cfg.Seed),
		Attempt: 1, Model: "classify/" + network, Dataset: data.Dataset, DatasetVersion: data.Version, Seed: cfg.Seed,
	}, nil
}

// Run trains, and writes the model. Where it was stopped before, by ctx or by a kill, it goes on from the last checkpoint, to the same
// weights bit for bit. open says where the losses go of the run as it stands: of which attempt, and from where on. An error of a
// training that can be gone on with is a *Stopped; that of one whose losses are written and whose model is of no use is a *Diverged.
func Run(ctx context.Context, rt *onnx.Runtime, data Data, o Options, open func(run schemas.Run, from Start) (Losses, error)) (result classify.Result, err error) {
	if err := CheckPaths(o.Out, o.Checkpoint); err != nil {
		return result, err
	}
	o.Config.Run.Attempt = o.LastAttempt + 1
	t, err := classify.New(rt, o.Config, data.Train, data.Held)
	if err != nil {
		return result, err
	}
	defer t.Close()
	fresh, err := o.restore(t)
	if err != nil {
		return result, err
	}
	from := Start{Fresh: fresh, Over: t.Over()}
	from.Step, _ = t.Step()
	losses, err := open(t.Run(), from)
	if err != nil {
		return result, err
	}
	within, done := grace(ctx)
	defer done()
	defer func() { err = errors.Join(err, losses.Close(within)) }()
	if o.Began != nil {
		done, of := t.Step()
		o.Began(t.Run(), !fresh, done, of)
	}
	saved := -1 // the step that the checkpoint is after
	if !fresh {
		saved = from.Step
	}
	result, err = t.Train(ctx, classify.Hooks{
		Losses:   func(_ context.Context, rows *schemas.Losses) error { return losses.Write(within, rows) },
		Progress: o.Progress,
		Epoch:    o.Epoch,
		Checkpoint: func(checkpoint []byte) error {
			if err := losses.Flush(within); err != nil {
				return err
			}
			if err := o.save(checkpoint); err != nil {
				return err
			}
			saved, _ = t.Step()
			return nil
		},
	})
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		done, of := t.Step()
		switch {
		case saved == done:
			return result, &Stopped{done, of, o.Checkpoint, err}
		case saved >= 0:
			return result, fmt.Errorf("%w: stopped after step %d of %d, which could not be saved; the same command goes on from step %d (%s)", err, done, of, saved, o.Checkpoint)
		}
		return result, fmt.Errorf("%w: stopped after step %d of %d, which could not be saved; the same command begins anew", err, done, of)
	}
	if err != nil {
		return result, err
	}
	if data.Held.Len() > 0 {
		result.Run.Metrics["val_majority"] = data.Majority()
	}
	if result.Diverged == 0 {
		err = o.export(t, result.Run)
	}
	if err == nil {
		err = losses.End(within, result.Run)
	}
	if err == nil {
		if err = os.Remove(o.Checkpoint); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil && result.Diverged > 0 {
		err = &Diverged{result.Diverged, o.Config.Rate, o.Out}
	}
	return result, err
}

// export writes the model.
func (o Options) export(t *classify.Trainer, run schemas.Run) error {
	file, err := Export(t, run)
	if err != nil {
		return err
	}
	return batch.Write(o.Out, func(w io.Writer) error {
		_, err := w.Write(file)
		return err
	})
}

// patience is how long losses may take to be written once a training is stopped.
const patience = 5 * time.Second

// grace ends some time after ctx: what is under way then is finished, and not waited for without end.
func grace(ctx context.Context) (context.Context, context.CancelFunc) {
	within, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(patience, cancel) })
	return within, func() {
		stop()
		cancel()
	}
}

// restore goes back to the checkpoint, if that is wanted and it is there, and counts one attempt more. The checkpoint is written
// again at once, so that what is killed before the next one is counted too.
func (o Options) restore(t *classify.Trainer) (fresh bool, err error) {
	data, err := os.ReadFile(o.Checkpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	run, err := classify.CheckpointRun(data)
	switch {
	case errors.Is(err, classify.ErrNoCheckpoint):
		return false, fmt.Errorf("%s: %w, and would be lost: name another --checkpoint", o.Checkpoint, err)
	case !o.Resume:
		return true, nil
	case err != nil:
		return false, fmt.Errorf("%s: %w; --resume=false begins anew", o.Checkpoint, err)
	case run.RunID != t.Run().RunID:
		return false, fmt.Errorf("%s: it is of run %s, and this is %s, of other images, labels or options, such as --threads: name another --checkpoint, or --resume=false to begin anew", o.Checkpoint, run.RunID, t.Run().RunID)
	}
	if err := t.Restore(data); err != nil {
		return false, fmt.Errorf("%s: %w", o.Checkpoint, err)
	}
	t.SetAttempt(max(run.Attempt, o.LastAttempt) + 1)
	if data, err = t.Checkpoint(); err != nil {
		return false, err
	}
	return false, o.save(data)
}

func (o Options) save(checkpoint []byte) error {
	return batch.Write(o.Checkpoint, func(w io.Writer) error {
		_, err := w.Write(checkpoint)
		return err
	})
}

// CheckPaths refuses, before hours of work, files where nothing can be written, and two that are one. An empty path is passed over.
func CheckPaths(paths ...string) error {
	for i, path := range paths {
		if path == "" {
			continue
		}
		if err := batch.Writable(path); err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return fmt.Errorf("%s cannot be written: %w", path, err)
		}
		if slices.ContainsFunc(paths[:i], func(other string) bool { return batch.Same(path, other) }) {
			return fmt.Errorf("%s is to be two files: name another for one of them", path)
		}
	}
	return nil
}

// Export is the file that serves: what the trainer exports, and that images are resized as Planes does it.
func Export(t *classify.Trainer, run schemas.Run) ([]byte, error) {
	file, err := t.Export()
	if err != nil {
		return nil, err
	}
	properties, err := onnx.Metadata(file)
	if err != nil {
		return nil, err
	}
	m, err := schemas.ParseModelMetadata(properties)
	if err != nil {
		return nil, err
	}
	m.Decode.Input.Resize, m.Run = schemas.ResizeArea, &run
	if properties, err = m.Properties(); err != nil {
		return nil, err
	}
	return onnx.WithMetadata(file, properties)
}
