package onnx

import (
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx/onnxpb"
)

// graph is what of a model says how its tensors depend on each other, without the graphs within control flow.
type graph struct {
	nodes        []node // each after those that it reads from
	inputs       []string
	outputs      []string
	initializers []string // which older files list among the inputs too
}

type node struct {
	operator        string
	inputs, outputs []string
}

// parseGraph reads the graph of an ONNX file.
func parseGraph(model []byte) (graph, error) {
	var m onnxpb.ModelProto
	if err := proto.Unmarshal(model, &m); err != nil {
		return graph{}, errors.New("not a model that this runtime can load: it is corrupt, or no ONNX file") // protobuf's errors vary
	}
	var g graph
	for _, n := range m.GetGraph().GetNode() {
		g.nodes = append(g.nodes, node{n.GetOpType(), n.GetInput(), n.GetOutput()})
	}
	if len(g.nodes) == 0 {
		return graph{}, errors.New("not a model that this runtime can load: it has no graph")
	}
	for _, v := range m.GetGraph().GetInput() {
		g.inputs = append(g.inputs, v.GetName())
	}
	for _, v := range m.GetGraph().GetOutput() {
		g.outputs = append(g.outputs, v.GetName())
	}
	for _, t := range m.GetGraph().GetInitializer() {
		g.initializers = append(g.initializers, t.GetName())
	}
	return g, nil
}

// withOutputs returns a model whose graph has these tensors as further outputs, the last; the runtime works out their types.
// A message that is there twice is merged, field by field (protobuf.dev/programming-guides/encoding/#last-one-wins), so the
// outputs are a second graph appended to the file.
func withOutputs(model []byte, tensors ...string) []byte {
	more := &onnxpb.GraphProto{}
	for _, name := range tensors {
		more.Output = append(more.Output, &onnxpb.ValueInfoProto{Name: proto.String(name)})
	}
	out, _ := proto.MarshalOptions{}.MarshalAppend(slices.Clone(model), &onnxpb.ModelProto{Graph: more}) // no field is required, so nothing can be missing
	return out
}

// fromImage lists the tensors between inputs and outputs that depend on the inputs, in the order in which they are made.
func (g graph) fromImage() []string {
	depends := map[string]bool{}
	for _, name := range g.inputs {
		depends[name] = !slices.Contains(g.initializers, name)
	}
	var found []string
	for _, n := range g.nodes {
		if !slices.ContainsFunc(n.inputs, func(name string) bool { return depends[name] }) {
			continue
		}
		for _, name := range n.outputs {
			if name == "" { // an optional output that is not asked for
				continue
			}
			depends[name] = true
			if !slices.Contains(g.outputs, name) {
				found = append(found, name)
			}
		}
	}
	return found
}

// weighted are the operators that learn.
var weighted = []string{"Conv", "ConvTranspose", "Gemm", "MatMul", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}

// read says of each tensor whether an operator that learns comes after it: it does after features, not after predictions.
func (g graph) read() map[string]bool {
	read := map[string]bool{}
	for _, n := range slices.Backward(g.nodes) {
		if slices.Contains(weighted, n.operator) || slices.ContainsFunc(n.outputs, func(name string) bool { return read[name] }) {
			for _, name := range n.inputs {
				read[name] = true
			}
		}
	}
	return read
}

// convolved lists the tensors that convolutions make.
func (g graph) convolved() map[string]bool {
	made := map[string]bool{}
	for _, n := range g.nodes {
		if n.operator == "Conv" || n.operator == "QLinearConv" {
			for _, name := range n.outputs {
				made[name] = true
			}
		}
	}
	return made
}
