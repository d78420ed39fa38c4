package autograd

import (
	"fmt"
	"math"
	"slices"

	"gleaner/connectors/onnx"
)

// data is the memory of a tensor, nil where there is none of that name and type.
func data[T float32 | int64](t *Trainer, tensor string) []T {
	x, err := onnx.LoopData[T](t.loop, tensor)
	if err != nil {
		return nil
	}
	return x
}

// Part is the inputs of one of the parts that a step runs, and what the last step made of them.
type Part struct {
	of     *Trainer
	prefix string // of the names of its tensors
}

// Nth is a part, counted from zero, of Config.Parts.
func (t *Trainer) Nth(i int) Part {
	if i == 0 {
		return Part{of: t}
	}
	return Part{t, fmt.Sprintf("%spart%d.", prefix, i)}
}

// Input is the memory of a float32 input of the model, row-major, to be written before Step; nil if there is none of that name.
func (p Part) Input(name string) []float32 {
	if !slices.ContainsFunc(p.of.net.inputs, func(v value) bool { return v.name == name }) {
		return nil
	}
	return data[float32](p.of, p.prefix+name)
}

// Labels is the memory of the class of each sample, from zero; nil where the loss has none.
func (p Part) Labels() []int64 { return data[int64](p.of, p.prefix+labelsInput) }

// own names the tensors of the first part as they are called in this one.
func (p Part) own(tensors []value) []value {
	out := slices.Clone(tensors)
	for i := range out {
		out[i].name = p.prefix + out[i].name
	}
	return out
}

// SampleWeights is the memory of the weight of each sample, at least 0 and 1 at first: 0 leaves a sample, as what fills a last batch,
// out of the gradient, though batch normalizations see it. The gradient of an update is divided by the sum over all parts and calls.
func (p Part) SampleWeights() []float32 { return data[float32](p.of, p.prefix+weightsInput) }

// Target is the memory of what an output is to be; nil where the loss has no targets.
func (p Part) Target(output string) []float32 {
	return data[float32](p.of, p.prefix+targetInput+output)
}

// Losses are those of the last step before its update. They are overwritten by the next.
func (p Part) Losses() []float32 { return data[float32](p.of, p.prefix+lossesOutput) }

// Output is what the model's output was in the last step, before its update; nil if its weights do not change it.
func (p Part) Output(name string) []float32 {
	return data[float32](p.of, p.prefix+nextOutput+"output."+name)
}

// Parameter is the current value of a parameter that learns; it is good until the next step.
func (t *Trainer) Parameter(name string) []float32 {
	if !slices.ContainsFunc(t.parameters, func(v value) bool { return v.name == name }) {
		return nil
	}
	return data[float32](t, name)
}

// Parameters are the names of the parameters that learn, in the order of the graph.
func (t *Trainer) Parameters() []string {
	out := make([]string, len(t.parameters))
	for i, p := range t.parameters {
		out[i] = p.name
	}
	return out
}

// Updates counts the updates so far.
func (t *Trainer) Updates() int { return t.steps / t.Accumulate }

// Step runs the model forward and backward on what the inputs of all parts hold, and, at every Accumulate-th call, updates the weights at
// this learning rate. After an error the weights are as they were.
func (t *Trainer) Step(rate float64) error {
	parts := make([]int, t.Parts)
	for k := range parts {
		parts[k] = k
		for i, label := range t.Nth(k).Labels() {
			if label < 0 || label >= t.classes {
				return fmt.Errorf("training: label %d of sample %d: there are %d classes", label, i, t.classes)
			}
		}
	}
	set := func(tensor string, x float32) {
		if at := data[float32](t, tensor); at != nil {
			at[0] = x
		}
	}
	position := t.steps % t.Accumulate
	number := t.Updates() + 1
	set(rateInput, float32(rate))
	set(numberInput, float32(number))
	if position == 0 {
		for _, sum := range t.sums {
			clear(data[float32](t, sum.name))
		}
	}
	if t.Lookahead.Steps > 0 {
		set(syncInput, float32(truth(number%t.Lookahead.Steps == 0)))
	}
	if err := t.loop.Run(parts...); err != nil {
		return fmt.Errorf("training: %w", err)
	}
	if (t.Accumulate > 1 || t.Parts > 1) && position == t.Accumulate-1 {
		if err := t.loop.Run(t.Parts); err != nil {
			return fmt.Errorf("training: %w", err)
		}
	}
	t.steps++
	return nil
}

// Export writes the model with its present weights, for any ONNX Runtime: the graph that was given to New, but for these, and
// for constants, which became initializers. Running averages of batch normalizations are the means of those of all parts.
// With averaged, weights that learn are their moving averages, which Config.Average must have asked for.
func (t *Trainer) Export(averaged bool) ([]byte, error) {
	if averaged && t.Average == 0 {
		return nil, fmt.Errorf("training: no average of the weights was kept")
	}
	return t.net.export(t.exported(averaged))
}

// exported are the weights that Export writes, by name.
func (t *Trainer) exported(averaged bool) map[string][]float32 {
	weights := map[string][]float32{}
	for _, p := range t.parameters {
		weights[p.name] = data[float32](t, p.name)
		if averaged {
			weights[p.name] = data[float32](t, prefix+averageState+"."+p.name)
		}
	}
	for _, r := range t.net.running {
		first := data[float32](t, r.GetName())
		if first == nil {
			continue
		}
		mean := slices.Clone(first)
		for i := 1; i < t.Parts; i++ {
			for j, x := range data[float32](t, t.Nth(i).prefix+r.GetName()) {
				mean[j] += (x - mean[j]) / float32(i+1)
			}
		}
		weights[r.GetName()] = mean
	}
	return weights
}

// Finite tells whether all weights that Export writes are finite numbers.
func (t *Trainer) Finite(averaged bool) bool {
	for _, weights := range t.exported(averaged) {
		for _, x := range weights {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return false
			}
		}
	}
	return true
}

// Close frees the graphs and the weights. Further calls do nothing, and Step returns onnx.ErrClosed.
func (t *Trainer) Close() error {
	if t.loop == nil { // New failed before there was one
		return nil
	}
	return t.loop.Close()
}
