package autograd

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx/onnxpb"
)

type kind = onnxpb.TensorProto_DataType

const (
	float32s = onnxpb.TensorProto_FLOAT
	float64s = onnxpb.TensorProto_DOUBLE
	int64s   = onnxpb.TensorProto_INT64
	int32s   = onnxpb.TensorProto_INT32
	bools    = onnxpb.TensorProto_BOOL
)

func floating(k kind) bool { return k == float32s || k == float64s }

// opset is the version of the operators of every graph that is made here.
const opset = 21

// value is a tensor of a graph; one without a name is absent.
type value struct {
	name string
	kind kind
	dims []int64
}

func (v value) ok() bool { return v.name != "" }

func (v value) rank() int { return len(v.dims) }

func (v value) size() int64 { return product(v.dims) }

func product(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}

// builder writes a graph, operator by operator, and knows the type and the shape of each tensor. What is asked for twice is
// made once.
type builder struct {
	graph     *onnxpb.GraphProto
	values    map[string]value
	constants map[string]*onnxpb.TensorProto
	made      map[string][]value // by operator, inputs and attributes
	domains   map[string]bool    // beside the standard one
	count     int
}

func newBuilder() *builder {
	return &builder{
		graph: &onnxpb.GraphProto{Name: proto.String("training")}, values: map[string]value{}, constants: map[string]*onnxpb.TensorProto{},
		made: map[string][]value{}, domains: map[string]bool{},
	}
}

// prefix begins the names of the tensors that a model's graph does not have.
const prefix = "autograd."

// name makes a name that no tensor has.
func (b *builder) name() string {
	for {
		b.count++
		name := fmt.Sprintf("%s%d", prefix, b.count)
		if _, taken := b.values[name]; !taken {
			return name
		}
	}
}

// emit adds an operator whose outputs have these types and shapes, and returns them with their names.
func (b *builder) emit(operator string, outputs, inputs []value, attributes ...*onnxpb.AttributeProto) []value {
	domain := ""
	if i := strings.LastIndexByte(operator, '.'); i >= 0 {
		domain, operator = operator[:i], operator[i+1:]
		b.domains[domain] = true
	}
	n := &onnxpb.NodeProto{OpType: proto.String(operator), Domain: proto.String(domain), Attribute: attributes}
	for _, v := range inputs {
		n.Input = append(n.Input, v.name)
	}
	wire, _ := proto.MarshalOptions{Deterministic: true}.Marshal(n) // no field is required, so nothing can be missing
	key := fmt.Sprint(len(outputs), string(wire))
	if same, ok := b.made[key]; ok {
		return same
	}
	made := slices.Clone(outputs)
	for i := range made {
		made[i].name = b.name()
		n.Output = append(n.Output, made[i].name)
		b.values[made[i].name] = made[i]
	}
	b.graph.Node = append(b.graph.Node, n)
	b.made[key] = made
	return made
}

// op is emit of an operator with one output.
func (b *builder) op(operator string, k kind, dims []int64, inputs []value, attributes ...*onnxpb.AttributeProto) value {
	return b.emit(operator, []value{{kind: k, dims: dims}}, inputs, attributes...)[0]
}

// input declares an input of the graph.
func (b *builder) input(name string, k kind, dims ...int64) value {
	v := value{name, k, dims}
	if _, ok := b.values[name]; !ok {
		b.values[name] = v
		b.graph.Input = append(b.graph.Input, info(v))
	}
	return v
}

// alias gives a tensor another name.
func (b *builder) alias(name string, v value) value {
	b.graph.Node = append(b.graph.Node, &onnxpb.NodeProto{OpType: proto.String("Identity"), Input: []string{v.name}, Output: []string{name}})
	return value{name, v.kind, v.dims}
}

// output makes v an output under another name.
func (b *builder) output(name string, v value) {
	b.graph.Output = append(b.graph.Output, info(b.alias(name, v)))
}

// constant adds an initializer.
func (b *builder) constant(t *onnxpb.TensorProto) value {
	v := value{t.GetName(), kind(t.GetDataType()), slices.Clone(t.GetDims())}
	b.values[v.name], b.constants[v.name] = v, t
	b.graph.Initializer = append(b.graph.Initializer, t)
	return v
}

// tensor is a constant of unnamed origin; equal ones are one.
func (b *builder) tensor(k kind, dims []int64, raw []byte) value {
	key := fmt.Sprint(k, dims, string(raw))
	if same, ok := b.made[key]; ok {
		return same[0]
	}
	v := b.constant(&onnxpb.TensorProto{Name: proto.String(b.name()), DataType: proto.Int32(int32(k)), Dims: dims, RawData: raw})
	b.made[key] = []value{v}
	return v
}

// ints is a constant of one dimension.
func (b *builder) ints(x ...int64) value {
	var raw []byte
	for _, i := range x {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(i))
	}
	return b.tensor(int64s, []int64{int64(len(x))}, raw)
}

// floats is a constant of a floating type.
func (b *builder) floats(k kind, dims []int64, x ...float64) value {
	var raw []byte
	for _, f := range x {
		if k == float64s {
			raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(f))
		} else {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(f)))
		}
	}
	return b.tensor(k, dims, raw)
}

// scalar is a constant without dimensions.
func (b *builder) scalar(k kind, x float64) value { return b.floats(k, []int64{}, x) }

// filled is a constant of one dimension, all x.
func (b *builder) filled(k kind, n int64, x float64) value {
	return b.floats(k, []int64{n}, slices.Repeat([]float64{x}, int(n))...)
}

// model is the graph, without what its outputs do not need.
func (b *builder) model() *onnxpb.ModelProto {
	needed := map[string]bool{}
	for _, out := range b.graph.GetOutput() {
		needed[out.GetName()] = true
	}
	var nodes []*onnxpb.NodeProto
	for _, n := range slices.Backward(b.graph.GetNode()) {
		if slices.ContainsFunc(n.GetOutput(), func(name string) bool { return needed[name] }) {
			nodes = append(nodes, n)
			for _, name := range n.GetInput() {
				needed[name] = true
			}
		}
	}
	slices.Reverse(nodes)
	g := &onnxpb.GraphProto{Name: b.graph.Name, Node: nodes, Output: b.graph.GetOutput()}
	for _, v := range b.graph.GetInput() {
		if needed[v.GetName()] {
			g.Input = append(g.Input, v)
		}
	}
	for _, t := range b.graph.GetInitializer() {
		if needed[t.GetName()] {
			g.Initializer = append(g.Initializer, t)
		}
	}
	m := &onnxpb.ModelProto{IrVersion: proto.Int64(10), ProducerName: proto.String("gleaner"), Graph: g}
	m.OpsetImport = []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(opset)}}
	for domain := range b.domains {
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String(domain), Version: proto.Int64(1)})
	}
	return m
}

// info declares a tensor of fixed shape.
func info(v value) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range v.dims {
		shape.Dim = append(shape.Dim, &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}})
	}
	return &onnxpb.ValueInfoProto{Name: proto.String(v.name), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(v.kind)), Shape: shape},
	}}}
}

func intAttr(name string, x int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_INT.Enum(), I: proto.Int64(x)}
}

func intsAttr(name string, x ...int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_INTS.Enum(), Ints: x}
}

func floatAttr(name string, x float64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_FLOAT.Enum(), F: proto.Float32(float32(x))}
}

func textAttr(name, x string) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_STRING.Enum(), S: []byte(x)}
}
