package autograd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx"
	"gleaner/connectors/onnx/onnxpb"
)

// ErrShapes is in the chain of New's error where the model does not run on inputs of the shapes that it was given or declares.
var ErrShapes = errors.New("it does not run on inputs of these shapes")

// network is a model with all that can be known before it trains: the shape of every tensor, and the value of every tensor that
// neither the inputs nor what is learned can change.
type network struct {
	model      *onnxpb.ModelProto
	nodes      []node // those whose outputs change
	inputs     []value
	outputs    []value
	constants  []*onnxpb.TensorProto
	parameters []*onnxpb.TensorProto // what can be learned, in the order of its first use
	running    []*onnxpb.TensorProto // averages of batch normalizations
}

// node is an operator of the model, in opset.
type node struct {
	*onnxpb.NodeProto
	in, out []value // absent ones have no name
}

// roles are the inputs of operators that are learned.
var roles = map[string][]int{
	"Conv": {1, 2}, "ConvTranspose": {1, 2}, "Gemm": {0, 1, 2}, "MatMul": {0, 1}, "PRelu": {1}, "BatchNormalization": {1, 2},
	"InstanceNormalization": {1, 2}, "GroupNormalization": {1, 2}, "LayerNormalization": {1, 2},
}

// carriers are the operators through which a weight may reach its role.
var carriers = []string{"Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten"}

// inspect reads a model. shapes gives those of inputs that the graph leaves open or that are to be others; learned names
// initializers that are learned though no role says so; with averages, running averages are no constants.
func inspect(rt *onnx.Runtime, data []byte, shapes map[string][]int64, learned func(name string) bool, averages bool) (*network, error) {
	m, err := parse(data)
	if err != nil {
		return nil, err
	}
	net := &network{model: m}
	graph := upgraded(m)
	if graph.Graph.Input, err = net.fix(shapes); err != nil {
		return nil, err
	}
	live := net.classify(graph.GetGraph(), learned, averages)
	if err := net.trace(rt, graph, live); err != nil {
		return nil, err
	}
	return net, nil
}

// Size is how many numbers the parameters of a model are, and how many its operators make of inputs of these shapes. The model runs once.
func Size(rt *onnx.Runtime, model []byte, shapes map[string][]int64) (weights, made int64, err error) {
	net, err := inspect(rt, model, shapes, func(string) bool { return false }, true)
	if err != nil {
		return 0, 0, fmt.Errorf("training: %w", err)
	}
	for _, p := range net.parameters {
		weights += product(p.GetDims())
	}
	for _, n := range net.nodes {
		for _, out := range n.out {
			made += out.size()
		}
	}
	return weights, made, nil
}

// fix gives the inputs their shapes.
func (net *network) fix(shapes map[string][]int64) ([]*onnxpb.ValueInfoProto, error) {
	var fixed []*onnxpb.ValueInfoProto
	for _, in := range net.model.GetGraph().GetInput() {
		t := in.GetType().GetTensorType()
		v := value{name: in.GetName(), kind: kind(t.GetElemType())}
		for _, d := range t.GetShape().GetDim() {
			v.dims = append(v.dims, d.GetDimValue())
		}
		if given, ok := shapes[v.name]; ok {
			v.dims = given
		}
		if len(v.dims) == 0 || slices.Min(v.dims) < 1 {
			return nil, fmt.Errorf("input %q: %v: give a shape of at least one dimension, all known", v.name, v.dims)
		}
		net.inputs = append(net.inputs, v)
		fixed = append(fixed, info(v))
	}
	for name := range shapes {
		if !slices.ContainsFunc(net.inputs, func(v value) bool { return v.name == name }) {
			return nil, fmt.Errorf("a shape is given for %q, which is no input", name)
		}
	}
	return fixed, nil
}

// classify finds what is learned, and returns the tensors that change from run to run.
func (net *network) classify(g *onnxpb.GraphProto, learned func(name string) bool, averages bool) map[string]bool {
	weights := map[string]*onnxpb.TensorProto{} // and, under further names, what carriers made of them
	for _, t := range g.GetInitializer() {
		weights[t.GetName()] = t
	}
	products := map[string]bool{}
	for _, n := range g.GetNode() {
		if slices.Contains(carriers, n.GetOpType()) && len(n.GetInput()) > 0 && weights[n.GetInput()[0]] != nil {
			weights[n.GetOutput()[0]] = weights[n.GetInput()[0]]
		}
		if n.GetOpType() == "MatMul" {
			products[n.GetOutput()[0]] = true
		}
	}
	live := map[string]bool{}
	for _, in := range net.inputs {
		live[in.name] = true
	}
	take := func(list *[]*onnxpb.TensorProto, name string) {
		t := weights[name]
		// The binding cannot hold what has no dimension.
		if t != nil && !live[t.GetName()] && kind(t.GetDataType()) == float32s && len(t.GetDims()) > 0 && product(t.GetDims()) > 0 {
			*list = append(*list, t)
			live[t.GetName()] = true
		}
	}
	for _, n := range g.GetNode() {
		op := operatorOf(n)
		for i, name := range n.GetInput() {
			// The bias of a MatMul is an operator of its own.
			bias := op == "Add" && len(n.GetInput()) == 2 && products[n.GetInput()[1-i]]
			if slices.Contains(roles[op], i) || bias || weights[name] != nil && learned(name) {
				take(&net.parameters, name)
			}
			if averages && op == "BatchNormalization" && i > 2 {
				take(&net.running, name)
			}
		}
	}
	for _, n := range g.GetNode() {
		changes := strings.HasPrefix(n.GetOpType(), "Random") || n.GetOpType() == "Bernoulli" || n.GetOpType() == "Multinomial"
		if changes || n.GetOpType() != "Shape" && n.GetOpType() != "Size" && slices.ContainsFunc(n.GetInput(), func(name string) bool { return live[name] }) {
			for _, name := range n.GetOutput() {
				live[name] = true
			}
		}
	}
	return live
}

// trace runs the graph for the shapes of its tensors and the values of those that stay.
func (net *network) trace(rt *onnx.Runtime, graph *onnxpb.ModelProto, live map[string]bool) error {
	g := graph.GetGraph()
	var names []string
	for _, n := range g.GetNode() {
		for _, name := range n.GetOutput() {
			if name != "" {
				names = append(names, name)
			}
		}
	}
	traced, err := rt.Trace(graph, names, func(name string) bool { return !live[name] })
	values := map[string]value{}
	var shapes []string
	for _, in := range net.inputs {
		values[in.name] = in
		shapes = append(shapes, fmt.Sprintf("%s %v", in.name, in.dims))
	}
	if err != nil {
		return fmt.Errorf("%w, %s: %w", ErrShapes, strings.Join(shapes, ", "), err)
	}
	for _, t := range slices.Concat(g.GetInitializer(), traced) {
		values[t.GetName()] = value{t.GetName(), kind(t.GetDataType()), t.GetDims()}
		if !live[t.GetName()] {
			net.constants = append(net.constants, t)
		}
	}
	of := func(names []string) []value {
		out := make([]value, len(names))
		for i, name := range names {
			out[i] = values[name] // no name, no value
		}
		return out
	}
	for _, n := range g.GetNode() {
		if slices.ContainsFunc(n.GetOutput(), func(name string) bool { return live[name] }) {
			net.nodes = append(net.nodes, node{n, of(n.GetInput()), of(n.GetOutput())})
		}
	}
	for _, out := range g.GetOutput() {
		net.outputs = append(net.outputs, values[out.GetName()])
	}
	if len(net.outputs) == 0 {
		return errors.New("it has no output")
	}
	return nil
}

// begin writes the model's inputs, parameters and constants into a graph. Frozen parameters are constants.
func (net *network) begin(t *tape, frozen func(name string) bool) {
	for _, v := range net.inputs {
		t.input(v.name, v.kind, v.dims...)
	}
	constants := slices.Clone(net.constants)
	for _, p := range net.parameters {
		if frozen(p.GetName()) {
			constants = append(constants, p)
			continue
		}
		t.input(p.GetName(), kind(p.GetDataType()), p.GetDims()...)
	}
	for _, r := range net.running {
		t.input(r.GetName(), kind(r.GetDataType()), r.GetDims()...)
	}
	for _, c := range constants {
		t.constant(c)
	}
	for _, n := range net.nodes {
		for _, out := range n.out {
			t.values[out.name] = out // names that are taken
		}
	}
}

// export is the model with other weights.
func (net *network) export(weights map[string][]float32) ([]byte, error) {
	m := proto.CloneOf(net.model)
	for i, t := range m.GetGraph().GetInitializer() {
		if w, ok := weights[t.GetName()]; ok {
			m.Graph.Initializer[i] = &onnxpb.TensorProto{
				Name: t.Name, DataType: t.DataType, Dims: t.GetDims(), DocString: t.DocString, RawData: rawFloats(w),
			}
		}
	}
	return proto.Marshal(m)
}

// attribute finds an attribute, nil where there is none; its getters then give zeros.
func (n node) attribute(name string) *onnxpb.AttributeProto {
	for _, a := range n.GetAttribute() {
		if a.GetName() == name {
			return a
		}
	}
	return nil
}

func (n node) int(name string, otherwise int64) int64 {
	if a := n.attribute(name); a != nil {
		return a.GetI()
	}
	return otherwise
}

func (n node) float(name string, otherwise float64) float64 {
	if a := n.attribute(name); a != nil {
		return float64(a.GetF())
	}
	return otherwise
}

func (n node) text(name, otherwise string) string {
	if a := n.attribute(name); a != nil {
		return string(a.GetS())
	}
	return otherwise
}

// ints gives count times otherwise where the attribute is absent.
func (n node) ints(name string, count int, otherwise int64) []int64 {
	if a := n.attribute(name); a != nil {
		return a.GetInts()
	}
	return slices.Repeat([]int64{otherwise}, count)
}

// axis is the attribute of that name, counted from the front.
func (n node) axis(otherwise int64, rank int) int {
	a := n.int("axis", otherwise)
	if a < 0 {
		a += int64(rank)
	}
	return int(a)
}

// given tells whether the node has that input.
func (n node) given(i int) bool { return i < len(n.in) && n.in[i].ok() }
