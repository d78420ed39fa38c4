package classify

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx/onnxpb"
)

// Names of the graph's ends.
const (
	inputName     = "images"    // [N, 3, side, side], normalized
	embeddingName = "embedding" // [N, D], what the last layer reads
	logitsName    = "logits"    // [N, classes]
	batchName     = "N"         // the dimension that is left open
	opset         = 21
)

// tensor is a batch of maps in a graph: [N, channels, side, side], or [N, channels] where side is 0.
type tensor struct {
	name           string
	channels, side int
}

// graph writes a network as ONNX, layer by layer, with weights drawn by seed, and counts its numbers.
type graph struct {
	pb *onnxpb.GraphProto
	r  *rand.Rand // nil: weights are counted alone
	size
}

func newGraph(name string, seed int64) *graph {
	return &graph{pb: &onnxpb.GraphProto{Name: proto.String(name)}, r: rand.New(rand.NewPCG(uint64(seed), 0x6e6574))}
}

// made counts what an operator makes.
func (g *graph) made(x tensor) tensor {
	g.maps += int64(x.channels) * int64(max(x.side*x.side, 1))
	return x
}

// image declares the input.
func (g *graph) image(side int) tensor {
	g.pb.Input = append(g.pb.Input, declared(inputName, 3, side, side))
	return g.made(tensor{inputName, 3, side})
}

// declared is a float tensor whose first dimension is open.
func declared(name string, dims ...int) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{Dim: []*onnxpb.TensorShapeProto_Dimension{{Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: batchName}}}}
	for _, d := range dims {
		shape.Dim = append(shape.Dim, &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}})
	}
	return &onnxpb.ValueInfoProto{Name: proto.String(name), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)), Shape: shape},
	}}}
}

// node adds an operator whose one output has its name.
func (g *graph) node(operator, name string, inputs []string, attributes ...*onnxpb.AttributeProto) string {
	g.pb.Node = append(g.pb.Node, &onnxpb.NodeProto{
		OpType: proto.String(operator), Name: proto.String(name), Input: inputs, Output: []string{name}, Attribute: attributes,
	})
	return name
}

// weight adds an initializer of n numbers that draw makes.
func (g *graph) weight(name string, draw func(n int) []float32, dims ...int) string {
	n := 1
	for _, d := range dims {
		n *= d
	}
	g.weights += int64(n)
	if g.r != nil {
		g.pb.Initializer = append(g.pb.Initializer, floats(name, draw(n), dims...))
	}
	return name
}

func floats(name string, x []float32, dims ...int) *onnxpb.TensorProto {
	raw := make([]byte, 0, 4*len(x))
	for _, v := range x {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	t := &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)), RawData: raw}
	for _, d := range dims {
		t.Dims = append(t.Dims, int64(d))
	}
	return t
}

// normal draws numbers around 0.
func (g *graph) normal(deviation float64) func(n int) []float32 {
	return func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(deviation * g.r.NormFloat64())
		}
		return x
	}
}

// filled is the same number everywhere.
func filled(x float32) func(n int) []float32 {
	return func(n int) []float32 { return slices.Repeat([]float32{x}, n) }
}

// conv3 is a convolution 3x3 without a bias that keeps the size, or with stride 2 halves it. Weights are drawn by He et al. 2015.
func (g *graph) conv3(name string, x tensor, out, stride int) tensor {
	return g.conv3By(name, x, out, stride, g.normal(math.Sqrt(2/float64(9*x.channels))))
}

func (g *graph) conv3By(name string, x tensor, out, stride int, weights func(n int) []float32) tensor {
	w := g.weight(name+".weight", weights, out, x.channels, 3, 3)
	g.node("Conv", name, []string{x.name, w}, integers("kernel_shape", 3, 3), integers("pads", 1, 1, 1, 1), integers("strides", stride, stride))
	return g.made(tensor{name, out, (x.side + stride - 1) / stride})
}

// batchNorm is a batch normalization (Ioffe and Szegedy 2015) that begins as the identity of standardized maps.
func (g *graph) batchNorm(name string, x tensor, epsilon float64) tensor {
	c := x.channels
	g.node("BatchNormalization", name, []string{
		x.name, g.weight(name+".weight", filled(1), c), g.weight(name+".bias", filled(0), c),
		g.weight(name+".mean", filled(0), c), g.weight(name+".var", filled(1), c),
	}, float("epsilon", epsilon))
	x.name = name
	return g.made(x)
}

// instanceNorm standardizes each map of each sample (Ulyanov et al. 2016), with gains and biases that learn.
func (g *graph) instanceNorm(name string, x tensor) tensor {
	c := x.channels
	g.node("InstanceNormalization", name, []string{x.name, g.weight(name+".weight", filled(1), c), g.weight(name+".bias", filled(0), c)}, float("epsilon", 1e-5))
	x.name = name
	return g.made(x)
}

func (g *graph) unary(operator, name string, x tensor) tensor {
	x.name = g.node(operator, name, []string{x.name})
	return g.made(x)
}

// pool halves the size by the windows of 2x2: operator is MaxPool or AveragePool. An odd last row is left out.
func (g *graph) pool(operator, name string, x tensor) tensor {
	g.node(operator, name, []string{x.name}, integers("kernel_shape", 2, 2), integers("strides", 2, 2))
	return g.made(tensor{name, x.channels, x.side / 2})
}

// flat makes one row of each sample: the embedding.
func (g *graph) flat(x tensor) tensor {
	g.node("Flatten", embeddingName, []string{x.name}, integer("axis", 1))
	return tensor{embeddingName, x.channels * x.side * x.side, 0}
}

// model ends the graph with the logits and the embedding.
func (g *graph) model(x tensor, classes int) ([]byte, error) {
	g.pb.Output = []*onnxpb.ValueInfoProto{declared(logitsName, classes), declared(embeddingName, x.channels)}
	return proto.Marshal(&onnxpb.ModelProto{
		IrVersion: proto.Int64(10), ProducerName: proto.String("gleaner"), Graph: g.pb,
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(opset)}},
	})
}

func integer(name string, x int) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_INT.Enum(), I: proto.Int64(int64(x))}
}

func integers(name string, x ...int) *onnxpb.AttributeProto {
	a := &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_INTS.Enum()}
	for _, v := range x {
		a.Ints = append(a.Ints, int64(v))
	}
	return a
}

func float(name string, x float64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_FLOAT.Enum(), F: proto.Float32(float32(x))}
}
