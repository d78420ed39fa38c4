package classify

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"gleaner/connectors/onnx"
	"gleaner/trainers/measure"
)

var nan = math.NaN()

// Views are what logits are averaged over at a test (test-time augmentation); none by default.
type Views struct {
	Flip bool // the image and its mirror image
	Move int  // and these moved by so many pixels up and left, and down and right, which count for half together
}

// each lists the views and their weights.
func (v Views) each() (views []view, weights []float32) {
	add := func(move int, weight float32) {
		if !v.Flip {
			views, weights = append(views, view{dx: move, dy: move}), append(weights, weight)
			return
		}
		for _, flip := range []bool{false, true} {
			views, weights = append(views, view{dx: move, dy: move, flip: flip}), append(weights, weight/2)
		}
	}
	if v.Move == 0 {
		add(0, 1)
		return views, weights
	}
	add(0, 0.5)
	add(-v.Move, 0.25)
	add(v.Move, 0.25)
	return views, weights
}

// Evaluate is the accuracy of the exported model, with its moving average of weights if there is one, on images: the share whose
// largest logit is the label's.
func (t *Trainer) Evaluate(ctx context.Context, images Images, views Views) (float64, error) {
	logits, err := t.Logits(ctx, images, views)
	if err != nil {
		return 0, err
	}
	classes := len(t.train.Classes)
	right := 0
	for i, label := range images.Labels {
		if measure.Of(logits[i*classes:(i+1)*classes], label).Correct {
			right++
		}
	}
	return float64(right) / float64(max(images.Len(), 1)), nil
}

// sound tells whether the exported model has finite weights alone, and makes finite logits of some images.
func (t *Trainer) sound(ctx context.Context) (bool, error) {
	if !t.model.Finite(t.cfg.Average > 0) {
		return false, nil
	}
	some := t.held
	if some.Len() == 0 {
		some = t.train
	}
	logits, err := t.Logits(ctx, some.first(testedAtOnce), Views{})
	return !slices.ContainsFunc(logits, func(x float32) bool { return !finite(float64(x)) }), err
}

// testedAtOnce is how many images at most go through the exported model at once: no more are faster so.
const testedAtOnce = 100

// Logits runs the exported model on images: [N, classes], averaged over the views. No more go through it at once than in
// training, and no more than are faster so.
func (t *Trainer) Logits(ctx context.Context, images Images, views Views) (logits []float32, err error) {
	batch := max(min(testedAtOnce, t.size, images.Len()), 1)
	file, err := t.Export()
	if err != nil {
		return nil, err
	}
	if file, err = onnx.WithBatch(file, batch); err != nil {
		return nil, err
	}
	s, err := t.rt.LoadBytes("classifier", file, onnx.DefaultConfig())
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := s.Close(); err == nil {
			err = e
		}
	}()
	classes, size := len(t.train.Classes), 3*images.Side*images.Side
	logits = make([]float32, images.Len()*classes)
	run := func(from int) error {
		each, weights := views.each()
		for k, v := range each {
			fill := func(in [][]float32) error {
				for i := range min(batch, images.Len()-from) {
					Augment{Pad: "reflect"}.render(in[0][i*size:(i+1)*size], images.image(from+i), images.Side, v, t.levels)
				}
				return nil
			}
			use := func(out [][]float32) error {
				for i := range min(batch, images.Len()-from) * classes {
					logits[from*classes+i] += weights[k] * out[0][i]
				}
				return nil
			}
			if err := s.Run(ctx, fill, use); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, t.cfg.Threads)
	var wait sync.WaitGroup
	for w := range t.cfg.Threads {
		wait.Go(func() {
			for from := w * batch; from < images.Len() && errs[w] == nil; from += batch * t.cfg.Threads {
				errs[w] = run(from)
			}
		})
	}
	wait.Wait()
	for _, e := range errs {
		if e != nil {
			return nil, fmt.Errorf("test: %w", e)
		}
	}
	return logits, nil
}
