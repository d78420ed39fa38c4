package autograd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx/onnxpb"
)

// parse reads an ONNX file and brings its weights to one place: initializers that are not inputs.
func parse(data []byte) (*onnxpb.ModelProto, error) {
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, errors.New("corrupt, or no ONNX file") // protobuf's errors vary
	}
	g := m.GetGraph()
	if len(g.GetNode()) == 0 {
		return nil, errors.New("it has no graph")
	}
	if v := opsetOf(m); v < 7 || v > opset+1 { // 22 only added element types
		return nil, fmt.Errorf("operator set %d: 7 to %d are known", v, opset+1)
	}
	var nodes []*onnxpb.NodeProto
	for _, n := range g.GetNode() {
		if len(n.GetOutput()) == 0 {
			return nil, fmt.Errorf("node %s has no output", title(n))
		}
		if n.GetOpType() != "Constant" || n.GetDomain() != "" || len(n.GetOutput()) != 1 {
			nodes = append(nodes, n)
			continue
		}
		t, err := constantOf(n)
		if err != nil {
			return nil, fmt.Errorf("node %s: %w", title(n), err)
		}
		t.Name = proto.String(n.GetOutput()[0])
		g.Initializer = append(g.Initializer, t)
	}
	g.Node = nodes
	weights := map[string]bool{}
	for _, t := range g.GetInitializer() {
		if t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
			return nil, fmt.Errorf("weight %q is in a further file: export the model as one", t.GetName())
		}
		weights[t.GetName()] = true
	}
	g.Input = slices.DeleteFunc(g.Input, func(v *onnxpb.ValueInfoProto) bool { return weights[v.GetName()] })
	m.IrVersion = proto.Int64(max(m.GetIrVersion(), 4)) // before which every initializer was an input
	return m, nil
}

func opsetOf(m *onnxpb.ModelProto) int64 {
	for _, o := range m.GetOpsetImport() {
		if o.GetDomain() == "" || o.GetDomain() == "ai.onnx" {
			return o.GetVersion()
		}
	}
	return 0
}

// title names a node in errors.
func title(n *onnxpb.NodeProto) string {
	name := n.GetName()
	if name == "" && len(n.GetOutput()) > 0 {
		name = "that makes " + n.GetOutput()[0]
	}
	return fmt.Sprintf("%s (operator %s)", name, operatorOf(n))
}

// operatorOf is an operator's name, after its domain where that is not the standard one.
func operatorOf(n *onnxpb.NodeProto) string {
	if d := n.GetDomain(); d != "" && d != "ai.onnx" {
		return d + "." + n.GetOpType()
	}
	return n.GetOpType()
}

func constantOf(n *onnxpb.NodeProto) (*onnxpb.TensorProto, error) {
	for _, a := range n.GetAttribute() {
		switch a.GetName() {
		case "value":
			if a.GetT() != nil {
				return proto.CloneOf(a.GetT()), nil
			}
		case "value_float":
			return &onnxpb.TensorProto{DataType: proto.Int32(int32(float32s)), FloatData: []float32{a.GetF()}}, nil
		case "value_floats":
			return &onnxpb.TensorProto{DataType: proto.Int32(int32(float32s)), Dims: []int64{int64(len(a.GetFloats()))}, FloatData: a.GetFloats()}, nil
		case "value_int":
			return &onnxpb.TensorProto{DataType: proto.Int32(int32(int64s)), Int64Data: []int64{a.GetI()}}, nil
		case "value_ints":
			return &onnxpb.TensorProto{DataType: proto.Int32(int32(int64s)), Dims: []int64{int64(len(a.GetInts()))}, Int64Data: a.GetInts()}, nil
		}
	}
	return nil, errors.New("a constant without numbers")
}

// reals are the elements of a float32 or float64 tensor.
func reals(t *onnxpb.TensorProto) []float64 {
	raw := t.GetRawData()
	switch {
	case kind(t.GetDataType()) == float32s && len(raw) == 0:
		out := make([]float64, len(t.GetFloatData()))
		for i, x := range t.GetFloatData() {
			out[i] = float64(x)
		}
		return out
	case kind(t.GetDataType()) == float32s:
		out := make([]float64, len(raw)/4)
		for i := range out {
			out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
		}
		return out
	case len(raw) == 0:
		return t.GetDoubleData()
	}
	out := make([]float64, len(raw)/8)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
	}
	return out
}

// rawFloats is what RawData holds for float32 elements.
func rawFloats(x []float32) []byte {
	raw := make([]byte, 0, 4*len(x))
	for _, f := range x {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	return raw
}
