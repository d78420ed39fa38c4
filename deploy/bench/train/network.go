package main

import (
	"errors"
	"fmt"
	"math"

	"gleaner/connectors/onnx"
	"gleaner/trainers/autograd"
	"gleaner/trainers/classify"
)

const (
	imagesInput  = "images"
	logitsOutput = "logits"
	momentum     = 0.9
)

// network is the file of one of classify's networks with the weights that a training begins with.
func (b *bench) network(name string, width int) (file []byte, err error) {
	train, err := b.cifar("test")
	if err != nil {
		return nil, err
	}
	cfg := classify.DefaultConfig()
	cfg.Network, cfg.Width, cfg.Seed = name, width, 1
	t, err := classify.New(b.runtime, cfg, train, classify.Images{})
	if err != nil {
		return nil, err
	}
	file, err = t.Export()
	return file, errors.Join(err, t.Close())
}

// plain is a training by momentum alone, as JAX's side has it, of batches of n that are divided into as many parts as threads.
func (b *bench) plain(file []byte, n, threads int) (*autograd.Trainer, error) {
	cfg := autograd.DefaultConfig()
	running := 0.9
	cfg.Inputs = map[string][]int64{imagesInput: {int64(n / threads), 3, side, side}}
	cfg.Optimizer, cfg.Running, cfg.Parts = autograd.SGD{Momentum: momentum}, &running, threads
	cfg.Blocked = autograd.CanBlock(b.runtime)
	return autograd.New(b.runtime, file, cfg)
}

// feed puts a batch before a training.
func feed(t *autograd.Trainer, x batch) {
	images, labels := x.images, x.labels
	for i := range t.Parts {
		images = images[copy(t.Nth(i).Input(imagesInput), images):]
		labels = labels[copy(t.Nth(i).Labels(), labels):]
	}
}

// loss is the mean of the last step's losses.
func loss(t *autograd.Trainer) float64 {
	sum, count := 0.0, 0
	for i := range t.Parts {
		for _, l := range t.Nth(i).Losses() {
			sum, count = sum+float64(l), count+1
		}
	}
	return sum / float64(count)
}

// weights are those of all parameters, one after the other.
func weights(t *autograd.Trainer) (all []float64) {
	for _, name := range t.Parameters() {
		for _, x := range t.Parameter(name) {
			all = append(all, float64(x))
		}
	}
	return all
}

// apart is the largest difference of two weights, relative where the second is above 1.
func apart(x, y []float64) float64 {
	worst := 0.0
	for i := range y {
		worst = max(worst, math.Abs(x[i]-y[i])/max(1, math.Abs(y[i])))
	}
	return worst
}

// serve runs a file on inputs that fill its one input, and returns its outputs.
func serve(b *bench, file []byte, fill []float32) (outputs map[string][]float32, err error) {
	s, err := b.runtime.LoadBytes("model", file, onnx.DefaultConfig())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	outputs = map[string][]float32{}
	err = s.Run(b.ctx, func(in [][]float32) error {
		if len(in[0]) != len(fill) {
			return fmt.Errorf("the input has %d numbers, not %d", len(in[0]), len(fill))
		}
		copy(in[0], fill)
		return nil
	}, func(out [][]float32) error {
		for i, spec := range s.Outputs() {
			outputs[spec.Name] = append([]float32{}, out[i]...)
		}
		return nil
	})
	return outputs, err
}

// relative is the largest difference relative to the largest number.
func relative(x, y []float32) float64 {
	largest, difference := 0.0, 0.0
	for i := range y {
		largest = max(largest, math.Abs(float64(y[i])))
		difference = max(difference, math.Abs(float64(x[i])-float64(y[i])))
	}
	return difference / largest
}

// inputOf is the name of a file's one input.
func inputOf(b *bench, file []byte) (string, error) {
	s, err := b.runtime.LoadBytes("model", file, onnx.DefaultConfig())
	if err != nil {
		return "", err
	}
	return s.Inputs()[0].Name, s.Close()
}
