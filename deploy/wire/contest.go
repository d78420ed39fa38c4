package wire

import (
	"context"
	"errors"
	"runtime"
	"time"

	"gleaner/connectors/onnx"
	"gleaner/deploy/train"
	"gleaner/schemas"
	"gleaner/trainers/classify"
)

// Contest is what came of training a probe and a classifier on the same labels, in the same time.
type Contest struct {
	Used   schemas.Run  // whose doubts count
	Beside *schemas.Run // the other one; nil where nothing is held out to judge by, or nothing was trained
	Fresh  bool         // false: a run on these very labels has finished before, and is in Used, without its metrics
}

// TrainBetter makes a version of the dataset's labels as they stand, trains a probe on it, and then, in the time that it took, a
// classifier from scratch on crops of the same boxes. The one that names more of the held-out boxes right is said to have finished, so
// that its doubts return to the desk; the other one's run stays open, for comparison. Where a run on these labels has finished
// before, it trains nothing. progress may be nil.
func (c *Connections) TrainBetter(ctx context.Context, name string, progress func(done, total int, what string)) (Contest, error) {
	if progress == nil {
		progress = func(int, int, string) {}
	}
	version, labels, err := c.versionToTrain(ctx, name)
	if err != nil {
		return Contest{}, err
	}
	if last, ok, err := c.DB.LastRunOn(ctx, version.ID); ok || err != nil {
		return Contest{Used: last}, err
	}
	topic := c.LossTopic()
	defer topic.Close(context.WithoutCancel(ctx))
	out := Contest{Fresh: true}
	if out.Used, err = c.probe(ctx, version, labels, topic, progress); err != nil {
		return out, err
	}
	if out.Used.Metrics["val_boxes"] > 0 {
		began := time.Now()
		data, err := c.crops(ctx, version, labels, contestSide, nil, func(done int) { progress(done, 0, "crops") })
		if err != nil {
			return out, err
		}
		rival, err := c.trainWithin(ctx, data, began, took(out.Used), topic, progress)
		if err != nil {
			return out, err
		}
		out.Used, out.Beside = judge(out.Used, rival)
	}
	return out, topic.End(ctx, out.Used)
}

// judge prefers the rival where it is more accurate on held-out boxes, and did not take more than a tenth longer.
func judge(probe, rival schemas.Run) (used schemas.Run, beside *schemas.Run) {
	if rival.Metrics["val_accuracy"] > probe.Metrics["val_accuracy"] && took(rival) <= took(probe)*11/10 {
		return rival, &probe
	}
	return probe, &rival
}

func took(run schemas.Run) time.Duration { return run.Finished.Sub(run.Started) }

// A classifier that sees as little as a dataset's first labels is small, and learns in small steps.
const (
	contestSide   = 32
	contestEpochs = 60 // at most
)

// trainWithin trains as many epochs as fit into what is left of the budget from began on, by the time of a first one that does not
// count otherwise, but one at least.
func (c *Connections) trainWithin(ctx context.Context, data train.Data, began time.Time, budget time.Duration, losses train.Losses, progress func(done, total int, what string)) (run schemas.Run, err error) {
	rt, err := onnx.Open()
	if err != nil {
		return run, err
	}
	defer rt.Close()
	cfg := classify.DefaultConfig()
	cfg.Width, cfg.Batch, cfg.Pass, cfg.Rate, cfg.Seed, cfg.Threads, cfg.Epochs = 32, 32, 16, 0.02, c.Config.Probe.Seed, min(runtime.GOMAXPROCS(0), classify.MaxThreads), 1
	trial := time.Now()
	if _, err := c.train(ctx, rt, cfg, data, train.Nowhere{}, nil); err != nil {
		return run, err
	}
	epoch := time.Since(trial)
	cfg.Epochs = min(max(int((budget-time.Since(began))/epoch), 1), contestEpochs)
	run, err = c.train(ctx, rt, cfg, data, losses, func(p classify.Progress) { progress(p.Step, p.Steps, "steps") })
	run.Started = began.UTC()
	return run, err
}

func (c *Connections) train(ctx context.Context, rt *onnx.Runtime, cfg classify.Config, data train.Data, losses train.Losses, progress func(p classify.Progress)) (run schemas.Run, err error) {
	if cfg.Run, err = train.RunOf(cfg, data); err != nil {
		return run, err
	}
	last, err := c.DB.LastAttempt(ctx, cfg.Run.RunID)
	if err != nil {
		return run, err
	}
	cfg.Run.Attempt = last + 1
	t, err := classify.New(rt, cfg, data.Train, data.Held)
	if err != nil {
		return run, err
	}
	result, err := t.Train(ctx, classify.Hooks{Losses: losses.Write, Progress: progress})
	if err == nil {
		err = losses.Flush(ctx)
	}
	return result.Run, errors.Join(err, t.Close())
}
