package onnx

import (
	"errors"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// The fields of ONNX's messages that are read and written here (github.com/onnx/onnx/blob/main/onnx/onnx.proto).
const (
	modelGraph       protowire.Number = 7
	graphNode        protowire.Number = 1
	graphInitializer protowire.Number = 5
	graphInput       protowire.Number = 11
	graphOutput      protowire.Number = 12
	nodeInput        protowire.Number = 1
	nodeOutput       protowire.Number = 2
	nodeOperator     protowire.Number = 4
	tensorName       protowire.Number = 8
	valueName        protowire.Number = 1
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
	var g graph
	name := func(names *[]string, number protowire.Number) func([]byte) error {
		return func(b []byte) error {
			return fields(b, func(n protowire.Number, value []byte) error {
				if n == number {
					*names = append(*names, string(value))
				}
				return nil
			})
		}
	}
	readers := map[protowire.Number]func([]byte) error{
		graphNode:        g.readNode,
		graphInitializer: name(&g.initializers, tensorName),
		graphInput:       name(&g.inputs, valueName),
		graphOutput:      name(&g.outputs, valueName),
	}
	err := fields(model, func(n protowire.Number, value []byte) error {
		if n != modelGraph {
			return nil
		}
		return fields(value, func(n protowire.Number, value []byte) error {
			if read, ok := readers[n]; ok {
				return read(value)
			}
			return nil
		})
	})
	if err != nil {
		return graph{}, errors.New("not a model that this runtime can load: it is corrupt, or no ONNX file") // protobuf's errors vary
	}
	if len(g.nodes) == 0 {
		return graph{}, errors.New("not a model that this runtime can load: it has no graph")
	}
	return g, nil
}

func (g *graph) readNode(b []byte) error {
	var n node
	err := fields(b, func(number protowire.Number, value []byte) error {
		switch number {
		case nodeInput:
			n.inputs = append(n.inputs, string(value))
		case nodeOutput:
			n.outputs = append(n.outputs, string(value))
		case nodeOperator:
			n.operator = string(value)
		}
		return nil
	})
	g.nodes = append(g.nodes, n)
	return err
}

// fields calls use with every field of a message that is a string, bytes or a message.
func fields(message []byte, use func(n protowire.Number, value []byte) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
				return protowire.ParseError(n)
			}
			message = message[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := use(number, value); err != nil {
			return err
		}
		message = message[n:]
	}
	return nil
}

// withOutputs returns a model whose graph has these tensors as further outputs, the last; the runtime works out their types.
// A message that is there twice is merged, field by field (protobuf.dev/programming-guides/encoding/#last-one-wins), so the
// outputs are a second graph appended to the file.
func withOutputs(model []byte, tensors ...string) []byte {
	var outputs []byte
	for _, name := range tensors {
		var value []byte
		value = protowire.AppendTag(value, valueName, protowire.BytesType)
		value = protowire.AppendString(value, name)
		outputs = protowire.AppendTag(outputs, graphOutput, protowire.BytesType)
		outputs = protowire.AppendBytes(outputs, value)
	}
	model = protowire.AppendTag(slices.Clone(model), modelGraph, protowire.BytesType)
	return protowire.AppendBytes(model, outputs)
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
