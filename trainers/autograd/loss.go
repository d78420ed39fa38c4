package autograd

import (
	"errors"
	"fmt"
	"slices"
)

// Loss is what training makes small: CrossEntropy or Squares.
type Loss interface {
	validate() error
	// build writes the loss of the model's outputs.
	build(b *builder, outputs []value) (objective, error)
}

// objective is a loss in a graph.
type objective struct {
	seeds   map[string]value // by the name of the output, the gradient of the sum over samples of each loss times its weight
	weight  value            // [1], the sum of the weights: the gradient of the mean is that of the sum divided by it
	samples value            // losses, of one dimension
	classes int64            // of labels; 0 where there are none
}

// CrossEntropy is the cross-entropy of the softmax of one output, logits [N, C], and labels. The objective is the mean over the
// samples of all parts and calls of an update, weighted by SampleWeights, with smoothed labels (Szegedy et al. 2016); the losses that
// are reported are raw: neither smoothed nor weighted, in nats.
type CrossEntropy struct {
	Logits    string  // name of the output; empty for the first
	Smoothing float64 // share of each label that is spread over all classes, in [0, 1)
}

func (c CrossEntropy) validate() error {
	if !(c.Smoothing >= 0 && c.Smoothing < 1) {
		return fmt.Errorf("label smoothing %g: must be at least 0 and below 1", c.Smoothing)
	}
	return nil
}

// Inputs of losses.
const (
	labelsInput  = prefix + "labels"
	weightsInput = prefix + "weights"
	targetInput  = prefix + "target."
)

func (c CrossEntropy) build(b *builder, outputs []value) (objective, error) {
	z, err := named(outputs, c.Logits)
	if err != nil {
		return objective{}, err
	}
	if z.rank() != 2 || z.kind != float32s {
		return objective{}, fmt.Errorf("output %s is %v, no logits [N, C] of float32", z.name, z.dims)
	}
	n, classes := z.dims[0], z.dims[1]
	labels, weights := b.input(labelsInput, int64s, n), b.input(weightsInput, z.kind, n)
	label := b.op("OneHot", z.kind, z.dims, []value{labels, b.ints(classes), b.floats(z.kind, []int64{2}, 0, 1)})
	logs := b.op("LogSoftmax", z.kind, z.dims, []value{z}, intAttr("axis", 1))
	target := b.shift(b.scale(label, 1-c.Smoothing), c.Smoothing/float64(classes))
	return objective{
		seeds:   map[string]value{z.name: b.mul(b.sub(b.unary("Exp", logs), target), b.reshape(weights, n, 1))},
		weight:  b.total(weights),
		samples: b.unary("Neg", b.sum(b.mul(logs, label), false, 1)),
		classes: classes,
	}, nil
}

// divisor is a sum of weights that may be divided by: of no sample, nothing is learned.
func (b *builder) divisor(weight value) value {
	return b.op("Max", weight.kind, weight.dims, []value{weight, b.scalar(weight.kind, 1e-12)})
}

// Squares is half the mean square of the difference between outputs and Target, averaged over the outputs: one loss for each part
// and call, which all weigh the same.
type Squares struct {
	Outputs []string // names; empty for all of float32
}

func (Squares) validate() error { return nil }

func (s Squares) build(b *builder, outputs []value) (objective, error) {
	var chosen []value
	for _, out := range outputs {
		if len(s.Outputs) == 0 && out.kind == float32s {
			chosen = append(chosen, out)
		}
	}
	for _, name := range s.Outputs {
		out, err := named(outputs, name)
		if err != nil {
			return objective{}, err
		}
		if out.kind != float32s {
			return objective{}, fmt.Errorf("output %s is not of float32", name)
		}
		chosen = append(chosen, out)
	}
	if len(chosen) == 0 {
		return objective{}, errors.New("the model has no output of float32")
	}
	o := objective{seeds: map[string]value{}, weight: b.filled(float32s, 1, 1)}
	for i, y := range chosen {
		difference := b.sub(y, b.reshape(b.input(targetInput+y.name, y.kind, max1(y.dims)...), y.dims...))
		share := 1 / float64(y.size()) / float64(len(chosen))
		o.seeds[y.name] = b.scale(difference, share)
		loss := b.scale(b.total(b.mul(difference, difference)), share/2)
		if i > 0 {
			loss = b.add(o.samples, loss)
		}
		o.samples = loss
	}
	return o, nil
}

// max1 is a shape of at least one dimension: the binding holds no other.
func max1(dims []int64) []int64 {
	if len(dims) == 0 {
		return []int64{1}
	}
	return dims
}

// named finds an output; the first if there is no name.
func named(outputs []value, name string) (value, error) {
	if name == "" && len(outputs) > 0 {
		return outputs[0], nil
	}
	i := slices.IndexFunc(outputs, func(v value) bool { return v.name == name })
	if i < 0 {
		return value{}, fmt.Errorf("the model has no output %q that its weights change", name)
	}
	return outputs[i], nil
}
