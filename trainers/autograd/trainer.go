package autograd

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx"
	"gleaner/connectors/onnx/onnxpb"
)

// Config says how a model is trained.
type Config struct {
	Inputs     map[string][]int64 // shapes of inputs, where the graph leaves them open or another batch is wanted
	Loss       Loss
	Optimizer  Optimizer
	Groups     []Group
	Learned    string    // a regular expression for initializers that learn though no operator says so: scales and offsets of Mul and Add
	Decay      float64   // weight decay, of parameters of two and more dimensions
	Clip       float64   // largest norm of all gradients together; 0 for no limit
	Average    float64   // of the weights: how much stays of an exponential moving average at each step; 0 for none
	Running    *float64  // batch normalizations normalize by their batch, and so much stays of their running averages each time; nil: they normalize by these, which stay
	Lookahead  Lookahead // none by default
	Accumulate int       // calls of Step for one update, whose gradient is the mean over the samples of all of them
	Parts      int       // that run at the same time in each step, each on inputs of its own; the mean is over the samples of all parts
	Threads    int       // of each part
	Blocked    bool      // convolve in the blocked layout where channels come by 16; refused where the processor cannot, see CanBlock
}

// DefaultConfig is SGD with Nesterov momentum on the cross-entropy of the first output, one thread, batch normalizations frozen.
func DefaultConfig() Config {
	return Config{Loss: CrossEntropy{}, Optimizer: SGD{Momentum: 0.9, Nesterov: true}, Accumulate: 1, Parts: 1, Threads: 1}
}

// Validate refuses what could not train.
func (c Config) Validate() error {
	var errs []error
	if c.Loss == nil || c.Optimizer == nil {
		return errors.New("a loss and an optimizer are needed")
	}
	errs = append(errs, c.Loss.validate(), c.Optimizer.validate(), c.Lookahead.validate())
	for _, g := range c.Groups {
		if _, err := regexp.Compile(g.Match); err != nil {
			errs = append(errs, fmt.Errorf("group %q: %w", g.Match, err))
		}
		if g.Optimizer != nil {
			errs = append(errs, g.Optimizer.validate())
		}
		if !(g.Rate >= 0) || math.IsInf(g.Rate, 0) {
			errs = append(errs, fmt.Errorf("group %q: rate %g: must be at least 0", g.Match, g.Rate))
		}
	}
	if _, err := regexp.Compile(c.Learned); err != nil {
		errs = append(errs, fmt.Errorf("learned: %w", err))
	}
	if !(c.Decay >= 0) || !(c.Clip >= 0) {
		errs = append(errs, fmt.Errorf("weight decay %g, clipping at %g: must be at least 0", c.Decay, c.Clip))
	}
	errs = append(errs, within("average", c.Average))
	if c.Running != nil {
		errs = append(errs, within("share that stays of running averages", *c.Running))
	}
	if min(c.Accumulate, c.Parts, c.Threads) < 1 {
		errs = append(errs, fmt.Errorf("accumulate %d, parts %d, threads %d: must be at least 1", c.Accumulate, c.Parts, c.Threads))
	}
	return errors.Join(errs...)
}

// Trainer trains one model, whose weights stay in the runtime's reach from step to step. It is for one goroutine at a time.
type Trainer struct {
	settings
	Part       // the first of them
	net        *network
	loop       *onnx.Loop
	parameters []value
	carried    []value // parameters, running averages and what optimizers keep
	sums       []value // of gradients and sample weights, between the calls of one update
	classes    int64   // of labels; 0 where the loss has none
	steps      int     // calls of Step
}

// New writes the training graph of a model, an ONNX file, and loads it. What operators use as weights and what Learned
// matches is trained, if it is of float32 and has a dimension. An operator that gradients would have to pass and that is not
// among Operators is an error that names its node.
func New(rt *onnx.Runtime, model []byte, cfg Config) (*Trainer, error) {
	t := &Trainer{settings: settings{Config: cfg}}
	t.Part = Part{of: t}
	if err := t.load(rt, model); err != nil {
		return nil, errors.Join(fmt.Errorf("training: %w", err), t.Close())
	}
	return t, nil
}

func (t *Trainer) load(rt *onnx.Runtime, model []byte) (err error) {
	if err := t.Validate(); err != nil {
		return err
	}
	if t.Blocked && !CanBlock(rt) {
		return errors.New("the runtime has no blocked layout of 16 channels on this processor")
	}
	for _, g := range t.Groups {
		t.patterns = append(t.patterns, regexp.MustCompile(g.Match))
	}
	further := regexp.MustCompile(t.Learned)
	t.net, err = inspect(rt, model, t.Inputs, func(name string) bool { return t.Learned != "" && further.MatchString(name) }, t.Running != nil)
	if err != nil {
		return err
	}
	graphs, u, err := t.graphs()
	if err != nil {
		return err
	}
	if t.loop, err = rt.LoadLoop(onnx.Config{Threads: t.Threads}, graphs...); err != nil {
		return err
	}
	for _, p := range t.net.parameters {
		t.fill(p.GetName(), p)
	}
	for _, p := range t.net.parameters {
		for state, of := range u.started {
			if of.name == p.GetName() {
				t.fill(state, p)
			}
		}
	}
	for i := range t.Parts {
		part := t.Nth(i)
		for _, r := range t.net.running {
			t.fill(part.prefix+r.GetName(), r)
		}
		for i := range part.SampleWeights() {
			part.SampleWeights()[i] = 1
		}
	}
	return nil
}

// fill puts numbers into a tensor of the loop; one that no graph reads is not there.
func (t *Trainer) fill(tensor string, from *onnxpb.TensorProto) {
	into, err := onnx.LoopData[float32](t.loop, tensor)
	if err != nil {
		return
	}
	for i, x := range reals(from) {
		into[i] = float32(x)
	}
}

// Outputs of gradients.
const (
	sumTensor    = prefix + "sum." // of the gradient of the parameter that is named after it
	weightTensor = prefix + "weight"
	lossesOutput = prefix + "losses"
	nextOutput   = prefix + "next."
)

// graphs writes one graph for a step; or, where gradients accumulate or are those of several parts, one for each part, that adds to them,
// and then one that uses them.
func (t *Trainer) graphs() ([]onnx.LoopGraph, *update, error) {
	tp := newTape()
	tp.blocked = t.Blocked
	if t.Running != nil {
		tp.average = &averaging{momentum: *t.Running, next: map[string]value{}}
	}
	t.net.begin(tp, func(name string) bool { return t.group(name).Frozen })
	for _, p := range t.net.parameters {
		if v := tp.values[p.GetName()]; !t.group(v.name).Frozen {
			tp.need(v)
			t.parameters = append(t.parameters, v)
		}
	}
	for _, n := range t.net.nodes {
		if err := tp.record(n); err != nil {
			return nil, nil, err
		}
	}
	var changing []value
	for _, out := range t.net.outputs {
		if tp.needs(out) {
			changing = append(changing, out)
			tp.output(nextOutput+"output."+out.name, tp.reshape(out, max1(out.dims)...))
		}
	}
	loss, err := t.Loss.build(tp.builder, changing)
	if err != nil {
		return nil, nil, err
	}
	tp.output(lossesOutput, loss.samples)
	alone := t.Accumulate == 1 && t.Parts == 1
	if alone { // the few numbers of the outputs are divided, not those of all parameters
		for _, out := range changing {
			if seed, ok := loss.seeds[out.name]; ok {
				loss.seeds[out.name] = tp.div(seed, tp.reshape(tp.divisor(loss.weight)))
			}
		}
	}
	if err := tp.backward(loss.seeds); err != nil {
		return nil, nil, err
	}
	t.parameters = slices.DeleteFunc(t.parameters, func(p value) bool { return !tp.grads[p.name].ok() })
	if len(t.parameters) == 0 {
		return nil, nil, errors.New("the loss depends on no parameter that learns")
	}
	t.classes = loss.classes
	first := &update{tp.builder, map[string]value{}, map[string]value{}}
	if tp.average != nil {
		for name, next := range tp.average.next {
			first.carry(tp.values[name], next)
		}
	}
	if alone {
		first.step(&t.settings, t.parameters, tp.grads)
		g, err := t.finish("step", first)
		return []onnx.LoopGraph{g}, first, err
	}
	second := &update{newBuilder(), map[string]value{}, map[string]value{}}
	weight := second.divisor(t.total(first, second, weightTensor, loss.weight))
	means := map[string]value{}
	for _, p := range t.parameters {
		second.input(p.name, p.kind, p.dims...)
		means[p.name] = second.div(t.total(first, second, sumTensor+p.name, tp.grads[p.name]), weight)
	}
	second.step(&t.settings, t.parameters, means)
	g, err := t.finish("gradients", first)
	if err != nil {
		return nil, nil, err
	}
	graphs := []onnx.LoopGraph{g}
	carried, sums := slices.Clone(t.carried), slices.Clone(t.sums)
	for i := 1; i < t.Parts; i++ {
		part := t.Nth(i)
		graph, err := t.net.part(first, g, part.prefix)
		if err != nil {
			return nil, nil, err
		}
		graphs, t.carried, t.sums = append(graphs, graph), append(t.carried, part.own(carried)...), append(t.sums, part.own(sums)...)
	}
	last, err := t.finish("update", second)
	return append(graphs, last), second, err
}

// total is a sum over all parts, and all calls of an update, of what the graph of gradients makes in each: its output of that name, which
// the graph of the update reads.
func (t *Trainer) total(gradients, update *update, name string, x value) value {
	if t.Accumulate == 1 {
		gradients.output(name, x)
	} else {
		sum := gradients.input(name, x.kind, x.dims...)
		gradients.carry(sum, gradients.add(sum, x))
		t.sums = append(t.sums, sum)
	}
	all := update.input(name, x.kind, x.dims...)
	for i := 1; i < t.Parts; i++ {
		all = update.add(all, update.input(t.Nth(i).prefix+name, x.kind, x.dims...))
	}
	return all
}

// part is a graph of gradients with inputs and outputs of its own, but for the parameters, whether they learn or not.
func (net *network) part(u *update, g onnx.LoopGraph, prefix string) (onnx.LoopGraph, error) {
	m := u.model()
	names := map[string]string{}
	for _, v := range m.GetGraph().GetInput() {
		if name := v.GetName(); !slices.ContainsFunc(net.parameters, func(p *onnxpb.TensorProto) bool { return p.GetName() == name }) {
			names[name] = prefix + name
		}
	}
	for _, v := range m.GetGraph().GetOutput() {
		names[v.GetName()] = prefix + v.GetName()
	}
	m = proto.CloneOf(m)
	for _, v := range slices.Concat(m.GetGraph().GetInput(), m.GetGraph().GetOutput()) {
		if name, ok := names[v.GetName()]; ok {
			v.Name = proto.String(name)
		}
	}
	for _, n := range m.GetGraph().GetNode() {
		for _, list := range [][]string{n.GetInput(), n.GetOutput()} {
			for i, old := range list {
				if name, ok := names[old]; ok {
					list[i] = name
				}
			}
		}
	}
	out := onnx.LoopGraph{Name: prefix + g.Name, Carry: map[string]string{}}
	for from, to := range g.Carry {
		out.Carry[names[from]] = names[to]
	}
	var err error
	out.Model, err = proto.Marshal(m)
	return out, err
}

// finish makes outputs of what is carried.
func (t *Trainer) finish(name string, u *update) (onnx.LoopGraph, error) {
	g := onnx.LoopGraph{Name: name, Carry: map[string]string{}}
	for _, in := range u.graph.GetInput() {
		if next, ok := u.next[in.GetName()]; ok {
			u.output(nextOutput+in.GetName(), next)
			g.Carry[nextOutput+in.GetName()] = in.GetName()
			if v := u.values[in.GetName()]; !slices.ContainsFunc(t.sums, func(sum value) bool { return sum.name == v.name }) {
				t.carried = append(t.carried, v)
			}
		}
	}
	var err error
	g.Model, err = proto.Marshal(u.model())
	return g, err
}
