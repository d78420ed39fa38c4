package onnx

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"gleaner/schemas"
)

// LoopGraph is a graph of a Loop. All its inputs and outputs have fixed shapes of at least one dimension.
type LoopGraph struct {
	Name  string // for errors
	Model []byte
	Carry map[string]string // from an output to the input, of the same type and shape, that it is the next value of
}

// Loop runs graphs over and over on tensors that stay: training steps on weights. Tensors are known by their names, so graphs
// share the inputs that are named alike. A carried output becomes the value of its input once the graph has run, without a
// copy: there are two tensors of it, which take turns, since the runtime must not write a tensor that the same run reads.
//
// A Loop is for one goroutine at a time.
type Loop struct {
	runtime *Runtime
	graphs  []*loopGraph
	tensors map[string]*loopTensor
}

// loopTensor owns memory that the runtime reads and writes through bindings, which the garbage collector does not see: a
// tensor lives as long as its Loop, and the Loop until after each run.
type loopTensor struct {
	spec   schemas.TensorSpec
	values [2]ort.Value // the second where a graph carries it
	writer int          // the graph that does
}

type loopGraph struct {
	LoopGraph
	session         *ort.DynamicAdvancedSession
	inputs, outputs []schemas.TensorSpec
	odd             bool                      // after an odd number of runs: which of two tensors is the current one
	bindings        map[string]*ort.IoBinding // by which tensors of all graphs are current
}

// LoadLoop loads graphs whose runs follow each other in any order. Tensors begin as zeros.
func (r *Runtime) LoadLoop(cfg Config, graphs ...LoopGraph) (*Loop, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("onnx loop: %w", err)
	}
	held, err := r.another()
	if err != nil {
		return nil, err
	}
	l := &Loop{runtime: held, tensors: map[string]*loopTensor{}}
	for _, g := range graphs {
		if err := l.add(g, cfg); err != nil {
			return nil, errors.Join(fmt.Errorf("onnx loop: graph %s: %w", g.Name, err), l.Close())
		}
	}
	return l, nil
}

func (l *Loop) add(g LoopGraph, cfg Config) (err error) {
	ins, outs, err := ort.GetInputOutputInfoWithONNXData(g.Model)
	if err != nil {
		return err
	}
	at := len(l.graphs)
	added := &loopGraph{LoopGraph: g, inputs: specs(ins), outputs: specs(outs), bindings: map[string]*ort.IoBinding{}}
	options, err := sessionOptions(cfg, ort.GraphOptimizationLevelEnableExtended) // layouts are the graph's own choice
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, options.Destroy()) }()
	added.session, err = ort.NewDynamicAdvancedSessionWithONNXData(g.Model, names(added.inputs), names(added.outputs), options)
	if err != nil {
		return err
	}
	l.graphs = append(l.graphs, added)
	for _, in := range added.inputs {
		if err := l.tensor(in); err != nil {
			return err
		}
	}
	for _, out := range added.outputs {
		to, carried := g.Carry[out.Name]
		if !carried {
			if err := l.tensor(out); err != nil {
				return err
			}
			continue
		}
		t, ok := l.tensors[to]
		if !ok || t.spec.Type != out.Type || !slices.Equal(t.spec.Shape, out.Shape) {
			return fmt.Errorf("output %s cannot be carried to %s, which must be an input of the same type and shape", out, to)
		}
		if t.values[1] != nil {
			return fmt.Errorf("input %s is carried to twice", to)
		}
		if t.values[1], err = newTensor(t.spec); err != nil {
			return err
		}
		t.writer = at
	}
	return nil
}

// tensor makes the tensor of that name unless it is there.
func (l *Loop) tensor(spec schemas.TensorSpec) error {
	if t, ok := l.tensors[spec.Name]; ok {
		if t.spec.Type != spec.Type || !slices.Equal(t.spec.Shape, spec.Shape) {
			return fmt.Errorf("%s is %s in another graph", spec, t.spec)
		}
		return nil
	}
	if len(spec.Shape) == 0 || slices.Min(spec.Shape) < 1 {
		return fmt.Errorf("%s has no fixed shape of at least one dimension", spec)
	}
	v, err := newTensor(spec)
	if err != nil {
		return err
	}
	l.tensors[spec.Name] = &loopTensor{spec: spec, values: [2]ort.Value{v, nil}}
	return nil
}

// current and next are the tensors that a run of its graph reads and writes.
func (l *Loop) current(t *loopTensor) ort.Value {
	if t.values[1] != nil && l.graphs[t.writer].odd {
		return t.values[1]
	}
	return t.values[0]
}

func (l *Loop) next(t *loopTensor) ort.Value {
	if t.values[1] != nil && !l.graphs[t.writer].odd {
		return t.values[1]
	}
	return t.values[0]
}

// Run runs graphs, counted from zero in the order of LoadLoop, at the same time: no other of them may use what one writes. After an
// error all carried tensors are as they were; once the Loop is closed it is ErrClosed.
func (l *Loop) Run(graphs ...int) error {
	if l.graphs == nil {
		return fmt.Errorf("onnx loop: %w", ErrClosed)
	}
	bindings, errs := make([]*ort.IoBinding, len(graphs)), make([]error, len(graphs))
	for i, at := range graphs {
		if bindings[i], errs[i] = l.binding(l.graphs[at]); errs[i] != nil {
			return fmt.Errorf("onnx loop: graph %s: %w", l.graphs[at].Name, errs[i])
		}
	}
	run := func(i int) {
		g := l.graphs[graphs[i]]
		if err := g.session.RunWithBinding(bindings[i]); err != nil {
			errs[i] = fmt.Errorf("onnx loop: graph %s: %w", g.Name, err)
		}
	}
	var running sync.WaitGroup
	for i := range graphs {
		running.Go(func() { run(i) })
	}
	running.Wait()
	runtime.KeepAlive(l)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, at := range graphs {
		l.graphs[at].odd = !l.graphs[at].odd
	}
	return nil
}

func (l *Loop) binding(g *loopGraph) (*ort.IoBinding, error) {
	turns := make([]byte, len(l.graphs))
	for i, other := range l.graphs {
		if other.odd {
			turns[i] = 1
		}
	}
	if b, ok := g.bindings[string(turns)]; ok {
		return b, nil
	}
	b, err := g.session.CreateIoBinding()
	if err != nil {
		return nil, err
	}
	for _, in := range g.inputs {
		err = errors.Join(err, b.BindInput(in.Name, l.current(l.tensors[in.Name])))
	}
	for _, out := range g.outputs {
		if to, ok := g.Carry[out.Name]; ok {
			err = errors.Join(err, b.BindOutput(out.Name, l.next(l.tensors[to])))
		} else {
			err = errors.Join(err, b.BindOutput(out.Name, l.tensors[out.Name].values[0]))
		}
	}
	if err != nil {
		return nil, errors.Join(err, b.Destroy())
	}
	g.bindings[string(turns)] = b
	return b, nil
}

// Tensors describes the tensors of all graphs, carried outputs under the name of their input, sorted by name.
func (l *Loop) Tensors() []schemas.TensorSpec {
	var out []schemas.TensorSpec
	for _, t := range l.tensors {
		out = append(out, t.spec)
	}
	slices.SortFunc(out, func(a, b schemas.TensorSpec) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// LoopData is the memory of a tensor, to read and to write, row-major. It is good until a graph that carries to the tensor
// runs, or the Loop is closed.
func LoopData[T ort.TensorData](l *Loop, tensor string) ([]T, error) {
	t, ok := l.tensors[tensor]
	if !ok {
		return nil, fmt.Errorf("onnx loop: no tensor %q", tensor)
	}
	v, ok := l.current(t).(*ort.Tensor[T])
	if !ok {
		return nil, fmt.Errorf("onnx loop: tensor %s has elements of another type than %T", t.spec, *new(T))
	}
	return v.GetData(), nil
}

// Close frees the graphs and their tensors. Further calls do nothing.
func (l *Loop) Close() error {
	var err error
	for _, g := range l.graphs {
		for _, b := range g.bindings {
			err = errors.Join(err, b.Destroy())
		}
		err = errors.Join(err, g.session.Destroy())
	}
	for _, t := range l.tensors {
		for _, v := range t.values {
			if v != nil {
				err = errors.Join(err, v.Destroy())
			}
		}
	}
	l.graphs, l.tensors = nil, nil
	return errors.Join(err, l.runtime.Close())
}
