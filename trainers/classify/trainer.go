package classify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"gleaner/connectors/onnx"
	"gleaner/schemas"
	"gleaner/trainers/autograd"
	"gleaner/trainers/measure"
)

// Hooks are told of what happens. Each may be nil; they are called one at a time, by Train, and hold training up while they run.
// An error ends training.
type Hooks struct {
	// Losses gets the rows of the presentations since its last call, one each, in the order of presentation; it may keep them.
	// It gets all rows of the steps before a checkpoint before Checkpoint is called.
	Losses func(ctx context.Context, rows *schemas.Losses) error
	// Progress is called after each step.
	Progress func(p Progress)
	// Epoch is called after each epoch, once it is tested.
	Epoch func(e Epoch)
	// Checkpoint gets what Restore goes on from; it may keep the bytes.
	Checkpoint func(checkpoint []byte) error
}

// Progress is how far training is.
type Progress struct {
	Step, Steps   int // done and in all
	Epoch, Epochs int // the present one, from zero
	Loss          float64
	Accuracy      float64 // of the last step's presentations, as is Loss: raw cross-entropy in nats
	Held          float64 // accuracy on held-out images after the last epoch; NaN before there is one
}

// Epoch is what an epoch came to.
type Epoch struct {
	Epoch int // from zero
	Figures
	Time time.Duration // since the training or its resumption began
}

// Figures are what presentations and tests of an epoch came to; NaN before there is one.
type Figures struct {
	Loss     float64
	Accuracy float64 // of its presentations, as is Loss
	Held     float64 // accuracy on held-out images; NaN where there are none
}

// Result is how training ended.
type Result struct {
	Run       schemas.Run // with Epochs, Rows, Seed, the finite Metrics and times filled in
	Epochs    []Epoch     // of this attempt
	Best      int         // the epoch whose weights these are, from zero: with Patience the most accurate on held-out images, else the last
	Stopped   bool        // by Patience; a training whose weights are no finite numbers ends with their epoch, too
	Steps     int         // of all attempts
	Presented int         // images, of all attempts
	Diverged  int         // the epoch, from one, since which the loss was no finite number up to that of these weights, or after which these or their logits are none; 0: not at all
}

// Trainer trains one classifier. It is for one goroutine at a time.
type Trainer struct {
	cfg         Config
	rt          *onnx.Runtime
	train, held Images
	normal      Normalization
	levels      *lookup
	model       *autograd.Trainer
	batch       int
	steps       int // of one epoch
	parts       int // passes at the same time
	calls       int // so often, one after the other, for a batch
	size        int // images of a pass
	fingerprint string
	ends
	position
}

// position is what a checkpoint saves beside the weights.
type position struct {
	step     int     // done
	was      []bool  // of each training image, whether its last presentation was correct
	sum      tally   // of the present epoch
	last     Figures // of the last epoch
	best     Figures // of the epoch that is most accurate on held-out images, with Patience
	bestAt   int     // that epoch, from zero
	bestFile []byte  // the state after it; nil before there is one
	diverged int     // the epoch, from one, since which the loss is no finite number; 0 while it is one
	lost     bool    // the weights are no finite numbers either: no step makes them any
}

// tally sums over presentations.
type tally struct {
	count, correct int
	loss           float64
}

// New writes the network, or reads the one that cfg gives, and loads its training. held may have no images. It takes the memory of the
// images, which must not change, and some batches.
func New(rt *onnx.Runtime, cfg Config, train, held Images) (*Trainer, error) {
	t := &Trainer{cfg: cfg, rt: rt, train: train, held: held}
	if err := t.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("classify: %w", err), t.Close())
	}
	return t, nil
}

func (t *Trainer) load() error {
	if err := t.check(); err != nil {
		return err
	}
	t.batch = min(t.cfg.Batch, t.train.Len())
	t.steps = (t.train.Len() + t.batch - 1) / t.batch
	t.was = make([]bool, t.train.Len())
	t.last, t.best = Figures{nan, nan, nan}, Figures{nan, nan, nan}
	switch {
	case t.cfg.Normalize != nil:
		t.normal = *t.cfg.Normalize
	case len(t.cfg.ONNX) > 0:
		t.normal = ImageNetNormalization()
	default:
		t.normal = t.train.Measure()
	}
	t.levels = t.normal.lookup()
	file, err := t.file()
	if err != nil {
		return err
	}
	cfg := t.cfg.training(t.batch)
	t.parts, t.calls, t.size = t.cfg.passes(t.batch)
	cfg.Inputs = map[string][]int64{t.input: {int64(t.size), 3, int64(t.train.Side), int64(t.train.Side)}}
	cfg.Loss = autograd.CrossEntropy{Logits: t.logits, Smoothing: t.cfg.Smoothing}
	cfg.Blocked = autograd.CanBlock(t.rt)
	t.model, err = autograd.New(t.rt, file, cfg)
	if len(t.cfg.ONNX) > 0 && errors.Is(err, autograd.ErrShapes) {
		return fmt.Errorf("imported classifier: %w; one that takes a single image has to be exported anew, with an open batch", err)
	}
	return err
}

func (t *Trainer) check() error {
	if err := t.cfg.Validate(); err != nil {
		return err
	}
	if err := t.train.Validate(); err != nil {
		return fmt.Errorf("training images: %w", err)
	}
	if err := t.cfg.CheckSide(t.train.Side); err != nil {
		return err
	}
	if t.train.Len() == 0 || len(t.train.Classes) < 2 {
		return fmt.Errorf("%d training images of %d classes: at least one image and two classes are needed", t.train.Len(), len(t.train.Classes))
	}
	if t.held.Len() == 0 {
		if t.cfg.Patience > 0 {
			return &Invalid{"patience", t.cfg.Patience, "there are no held-out images to stop by"}
		}
		return nil
	}
	if err := t.held.Validate(); err != nil {
		return fmt.Errorf("held-out images: %w", err)
	}
	if t.held.Side != t.train.Side || len(t.held.Classes) != len(t.train.Classes) {
		return fmt.Errorf("held-out images of %d pixels and %d classes, training images of %d and %d: must be alike", t.held.Side, len(t.held.Classes), t.train.Side, len(t.train.Classes))
	}
	return nil
}

// file is the network with the weights to begin with; it finds the ends.
func (t *Trainer) file() (file []byte, err error) {
	if len(t.cfg.ONNX) > 0 {
		file, t.ends, err = adopt(t.cfg.ONNX, t.cfg.ONNXClasses, t.train.Side, t.train.Classes, t.cfg.Seed)
		return file, err
	}
	n, err := networkNamed(t.cfg.Network)
	if err != nil {
		return nil, err
	}
	t.ends = ends{inputName, logitsName, embeddingName}
	return n.write(t.cfg, t.train, t.normal)
}

// rowsAtOnce is how many rows are gathered for a call of Hooks.Losses.
const rowsAtOnce = 4096

// Train runs the remaining epochs. It blocks until they are done, or until ctx ends: then it calls Hooks.Checkpoint after the step that is under
// way, and returns ctx's error.
func (t *Trainer) Train(ctx context.Context, hooks Hooks) (Result, error) {
	result, err := t.run(ctx, hooks)
	if err != nil {
		return result, fmt.Errorf("classify: run %s: %w", t.cfg.Run.RunID, err)
	}
	return result, nil
}

func (t *Trainer) run(ctx context.Context, hooks Hooks) (Result, error) {
	started := time.Now()
	result := Result{Run: t.cfg.Run}
	result.Run.Started, result.Run.Seed = started.UTC(), t.cfg.Seed
	until := t.cfg.Epochs * t.steps
	preparing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ready, free := t.batches(preparing, t.step, until)
	schedule := t.cfg.schedule(until)
	var rows schemas.Losses
	flush := func() error {
		if rows.Len() == 0 || hooks.Losses == nil {
			return nil
		}
		result.Run.Rows += uint64(rows.Len())
		sent := rows
		rows = schemas.Losses{}
		return hooks.Losses(context.WithoutCancel(ctx), &sent)
	}
	save := func() error {
		if err := flush(); err != nil || hooks.Checkpoint == nil {
			return err
		}
		c, err := t.Checkpoint()
		if err != nil {
			return err
		}
		return hooks.Checkpoint(c)
	}
	for !t.Over() {
		if ctx.Err() != nil {
			if err := save(); err != nil {
				return result, fmt.Errorf("%w, and the checkpoint failed: %w", ctx.Err(), err)
			}
			return result, ctx.Err()
		}
		b := <-ready
		losses, err := t.present(b, schedule(t.step), &rows)
		free <- b
		if err != nil {
			return result, errors.Join(err, flush())
		}
		if hooks.Progress != nil {
			hooks.Progress(Progress{
				Step: t.step, Steps: until, Epoch: (t.step - 1) / t.steps, Epochs: t.cfg.Epochs, Held: t.last.Held,
				Loss: losses.loss / float64(losses.count), Accuracy: float64(losses.correct) / float64(losses.count),
			})
		}
		if rows.Len() >= rowsAtOnce {
			if err := flush(); err != nil {
				return result, err
			}
		}
		if t.step%t.steps == 0 {
			e, err := t.endEpoch(ctx)
			if err != nil {
				return result, errors.Join(err, flush())
			}
			e.Time = time.Since(started)
			result.Epochs = append(result.Epochs, e)
			if hooks.Epoch != nil {
				hooks.Epoch(e)
			}
		}
		if !t.lost && (t.step%t.steps == 0 || t.cfg.Checkpoint > 0 && t.step%t.cfg.Checkpoint == 0) {
			if err := save(); err != nil {
				return result, err
			}
		}
	}
	if err := flush(); err != nil {
		return result, err
	}
	return t.end(context.WithoutCancel(ctx), result)
}

// present does one step and adds its rows.
func (t *Trainer) present(b prepared, rate float64, rows *schemas.Losses) (tally, error) {
	outcomes, norms := make([]measure.Outcome, b.size), make([]float32, b.size)
	for call := range t.calls {
		for part := range t.parts {
			t.feed(t.model.Nth(part), b, call*t.parts+part)
		}
		if err := t.model.Step(rate); err != nil {
			return tally{}, err
		}
		for part := range t.parts {
			t.read(t.model.Nth(part), b, call*t.parts+part, outcomes, norms)
		}
	}
	run, epoch := t.cfg.Run, t.step/t.steps
	var sum tally
	for i, o := range outcomes {
		k := b.index[i]
		rows.Append(schemas.LossRow{
			RunID: run.RunID, Attempt: run.Attempt, Model: run.Model, Dataset: run.Dataset,
			SampleID: t.train.Samples[k], ObjectID: t.train.object(k), Lineage: t.train.lineage(k), Epoch: uint32(epoch), Step: uint64(t.step),
			Loss: o.Loss, Correct: o.Correct, Margin: o.Margin, PTrue: o.PTrue, EL2N: o.EL2N, EmbNorm: norms[i], Forgot: t.was[k] && !o.Correct,
		})
		t.was[k] = o.Correct
		sum.add(o)
	}
	t.sum.count, t.sum.correct, t.sum.loss = t.sum.count+sum.count, t.sum.correct+sum.correct, t.sum.loss+sum.loss
	t.step++
	return sum, nil
}

// feed writes the inputs of one pass.
func (t *Trainer) feed(part autograd.Part, b prepared, pass int) {
	images := part.Input(t.input)
	copy(images, b.inputs[pass*len(images):])
	labels, weights := part.Labels(), part.SampleWeights()
	for row := range labels {
		i := row*t.parts*t.calls + pass
		labels[row], weights[row] = int64(t.train.Labels[b.index[i]]), 1
		if i >= b.size {
			weights[row] = 0
		}
	}
}

// read takes what one pass says of its images.
func (t *Trainer) read(part autograd.Part, b prepared, pass int, outcomes []measure.Outcome, norms []float32) {
	logits, embeddings := part.Output(t.logits), part.Output(t.embedding)
	classes, dim := len(logits)/t.size, len(embeddings)/t.size
	for row := range t.size {
		if i := row*t.parts*t.calls + pass; i < b.size {
			outcomes[i] = measure.Of(logits[row*classes:(row+1)*classes], t.train.Labels[b.index[i]])
			norms[i] = measure.Norm(embeddings[row*dim : (row+1)*dim])
		}
	}
}

func (s *tally) add(o measure.Outcome) {
	s.count++
	s.loss += float64(o.Loss)
	if o.Correct {
		s.correct++
	}
}

// endEpoch tests on held-out images.
func (t *Trainer) endEpoch(ctx context.Context) (Epoch, error) {
	count := float64(t.sum.count)
	e := Epoch{Epoch: t.step/t.steps - 1, Figures: Figures{Loss: t.sum.loss / count, Accuracy: float64(t.sum.correct) / count, Held: nan}}
	t.sum = tally{}
	if t.held.Len() > 0 {
		held, err := t.Evaluate(context.WithoutCancel(ctx), t.held, Views{})
		if err != nil {
			return e, err
		}
		e.Held = held
	}
	t.last = e.Figures
	if finite(e.Loss) {
		t.diverged = 0
	} else if t.diverged == 0 {
		t.diverged = e.Epoch + 1
	}
	if t.diverged > 0 {
		sound, err := t.sound(context.WithoutCancel(ctx))
		if err != nil {
			return e, err
		}
		t.lost = !sound
	}
	if t.cfg.Patience > 0 && (t.bestFile == nil || e.Held > t.best.Held) {
		state, err := t.model.Save()
		if err != nil {
			return e, err
		}
		t.best, t.bestAt, t.bestFile = e.Figures, e.Epoch, state
	}
	return e, nil
}

// end fills in the result; with patience the best weights come back.
func (t *Trainer) end(ctx context.Context, result Result) (Result, error) {
	done := t.step / t.steps
	result.Stopped = done < t.cfg.Epochs && !t.lost
	result.Steps, result.Presented, result.Best = t.step, done*t.train.Len(), done-1
	result.Run.Epochs = uint32(done)
	of := t.last
	if t.bestFile != nil {
		if err := t.model.Restore(t.bestFile); err != nil {
			return result, err
		}
		of, result.Best = t.best, t.bestAt
	}
	result.Run.Metrics = map[string]float64{
		"classes": float64(len(t.train.Classes)), "train_images": float64(t.train.Len()),
		"train_loss": of.Loss, "train_accuracy": of.Accuracy, "val_accuracy": of.Held,
	}
	if t.held.Len() > 0 {
		result.Run.Metrics["val_images"] = float64(t.held.Len())
	}
	sound, err := t.sound(ctx)
	if err != nil {
		return result, err
	}
	switch {
	case t.diverged > 0 && result.Best+1 >= t.diverged:
		result.Diverged = t.diverged
	case !sound: // the last update is after the last loss
		result.Diverged = result.Best + 1
	}
	maps.DeleteFunc(result.Run.Metrics, func(_ string, v float64) bool { return !finite(v) }) // JSON has none
	result.Run.Finished = time.Now().UTC()
	t.cfg.Run = result.Run
	return result, nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// Close frees the training. Further calls do nothing.
func (t *Trainer) Close() error {
	if t.model == nil {
		return nil
	}
	return t.model.Close()
}
