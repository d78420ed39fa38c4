// Package probe is the smallest trainer: softmax regression on features of the labeled boxes' crops, fast enough to run
// whenever labels have come in, and honest enough to say which of them it cannot learn. It reports a loss for every box at
// every presentation.
package probe

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
	"gleaner/trainers/boxes"
	"gleaner/trainers/measure"
)

// Config of one training run.
type Config struct {
	Epochs    uint32  `yaml:"epochs"`
	BatchSize int     `yaml:"batch_size"` // boxes a step
	Rate      float64 `yaml:"rate"`       // learning rate at the start; it falls to zero along a half cosine
	Momentum  float64 `yaml:"momentum"`
	Decay     float64 `yaml:"weight_decay"`
	MinBoxes  int     `yaml:"min_boxes"` // classes with fewer training boxes are left out
	Seed      int64   `yaml:"seed"`
}

// DefaultConfig trains thirty epochs, which takes seconds for thousands of boxes.
func DefaultConfig() Config {
	return Config{Epochs: 30, BatchSize: 32, Rate: 0.02, Momentum: 0.9, Decay: 0.05, MinBoxes: 2, Seed: 0}
}

// Validate refuses a configuration that could not train.
func (c Config) Validate() error {
	switch {
	case c.Epochs < 1 || c.Epochs > 10_000:
		return fmt.Errorf("probe.epochs: %d: must be 1 to 10000", c.Epochs)
	case c.BatchSize < 1:
		return fmt.Errorf("probe.batch_size: %d: must be at least 1", c.BatchSize)
	case !(c.Rate > 0) || math.IsInf(c.Rate, 0):
		return fmt.Errorf("probe.rate: %g: must be above 0", c.Rate)
	case !(c.Momentum >= 0 && c.Momentum < 1):
		return fmt.Errorf("probe.momentum: %g: must be at least 0 and below 1", c.Momentum)
	case !(c.Decay >= 0) || math.IsInf(c.Decay, 0):
		return fmt.Errorf("probe.weight_decay: %g: must be at least 0", c.Decay)
	case c.MinBoxes < 1:
		return fmt.Errorf("probe.min_boxes: %d: must be at least 1", c.MinBoxes)
	}
	return nil
}

// Features describes a crop by numbers. It is called from many goroutines.
type Features struct {
	Name string // of the model behind it, for the rows: "pixels", "yolox_nano@1"
	Of   func(ctx context.Context, img *pixels.Image, box geometry.Box) ([]float32, error)
}

// Pixels is what there is without a model.
func Pixels() Features {
	return Features{Name: "pixels", Of: func(_ context.Context, img *pixels.Image, box geometry.Box) ([]float32, error) {
		return PixelFeatures(img, box), nil
	}}
}

// Trainer runs probes.
type Trainer struct {
	cfg      Config
	images   boxes.Images
	features Features
	losses   func(ctx context.Context, rows *schemas.Losses) error
	progress func(done, total int, what string)
}

// New returns a trainer. losses gets the rows of each epoch when it is over; an error ends training. progress may be nil and is called by
// one goroutine at a time.
func New(cfg Config, images boxes.Images, features Features, losses func(ctx context.Context, rows *schemas.Losses) error, progress func(done, total int, what string)) (*Trainer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(int, int, string) {}
	}
	return &Trainer{cfg: cfg, images: images, features: features, losses: losses, progress: progress}, nil
}

// Train fits the probe on the training split of the labels and hands over a loss row for every training box and epoch. Labels must be
// the best of each sample. In run, RunID, Attempt, Dataset and DatasetVersion are the
// caller's; the rest is filled in and returned. It blocks until done or ctx ends; features take about 1.2 KB a box.
func (t *Trainer) Train(ctx context.Context, run schemas.Run, rule schemas.SplitRule, labels iter.Seq2[schemas.Label, error]) (schemas.Run, error) {
	run.Started, run.Model, run.Seed, run.Epochs = time.Now().UTC(), "probe/"+t.features.Name, t.cfg.Seed, t.cfg.Epochs
	seen, x, err := boxes.Collect(ctx, t.images, rule, labels, t.features.Of, func(done int) { t.progress(done, 0, "labeled images") })
	if err != nil {
		return run, fmt.Errorf("probe: run %s: %w", run.RunID, err)
	}
	d, err := boxes.Divide(seen, t.cfg.MinBoxes)
	if err != nil {
		return run, fmt.Errorf("probe: run %s: %w", run.RunID, err)
	}
	train, val, class, classes := d.Train, d.Val, d.Class, len(d.Classes)
	standardize(x, train)

	model := newSoftmax(classes, len(x[0]))
	logits := make([]float32, classes)
	grad := make([]float32, len(model.w))
	before := make([]bool, len(seen))
	var step uint64
	steps := float64(t.cfg.Epochs) * math.Ceil(float64(len(train))/float64(t.cfg.BatchSize))
	right := 0
	for epoch := range t.cfg.Epochs {
		var rows schemas.Losses
		order := shuffled(len(train), t.cfg.Seed, epoch)
		right = 0
		for batch := range slices.Chunk(order, t.cfg.BatchSize) {
			for _, k := range batch {
				i := train[k]
				model.logits(x[i], logits)
				o := measure.Of(logits, class[i])
				probabilities(logits)
				model.accumulate(grad, x[i], logits, class[i])
				rows.Append(schemas.LossRow{
					RunID: run.RunID, Attempt: run.Attempt, Model: run.Model, Dataset: run.Dataset,
					SampleID: seen[i].Sample, ObjectID: seen[i].Object, Epoch: epoch, Step: step,
					Loss: o.Loss, Correct: o.Correct, Margin: o.Margin, PTrue: o.PTrue, EL2N: o.EL2N,
					EmbNorm: measure.Norm(x[i]), Forgot: before[i] && !o.Correct, Lineage: seen[i].Lineage,
				})
				before[i] = o.Correct
				if o.Correct {
					right++
				}
			}
			rate := t.cfg.Rate * (1 + math.Cos(math.Pi*float64(step)/steps)) / 2
			model.update(grad, len(batch), float32(rate), float32(t.cfg.Momentum), float32(t.cfg.Decay))
			step++
		}
		run.Rows += uint64(rows.Len())
		if err := t.losses(ctx, &rows); err != nil {
			return run, fmt.Errorf("probe: run %s: losses of epoch %d: %w", run.RunID, epoch, err)
		}
		t.progress(int(epoch)+1, int(t.cfg.Epochs), "epochs")
	}

	run.Metrics = map[string]float64{
		"classes":        float64(classes),
		"train_boxes":    float64(len(train)),
		"train_accuracy": float64(right) / float64(len(train)), // as presented in the last epoch
	}
	if len(val) > 0 {
		run.Metrics["val_boxes"] = float64(len(val))
		run.Metrics["val_accuracy"] = accuracy(model, x, class, val)
		run.Metrics["val_majority"] = measure.Majority(d.Labels(train), d.Labels(val))
	}
	run.Finished = time.Now().UTC()
	return run, nil
}

func accuracy(model *softmax, x [][]float32, class, of []int) float64 {
	logits := make([]float32, model.classes)
	right := 0
	for _, i := range of {
		model.logits(x[i], logits)
		if measure.Of(logits, class[i]).Correct {
			right++
		}
	}
	return float64(right) / float64(len(of))
}
