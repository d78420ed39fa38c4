package classify

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx"
	"gleaner/connectors/onnx/onnxpb"
)

// ends are the tensors of a classifier's graph that training looks at.
type ends struct {
	input     string // [N, 3, side, side]
	logits    string // [N, classes]
	embedding string // [N, D], what the last layer reads
}

// adopt makes a classifier of any origin one of these classes: an ONNX file whose only input is images and whose last layer is a
// Gemm or a MatMul, perhaps with a bias and a softmax after it. The softmax goes, the batch becomes open where it is fixed, and a last
// layer for another number of classes is replaced by one drawn by seed.
func adopt(file []byte, side, classes int, seed int64) ([]byte, ends, error) {
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(file, m); err != nil {
		return nil, ends{}, errors.New("imported classifier: corrupt, or no ONNX file") // protobuf's errors vary
	}
	g := importedGraph{m.GetGraph()}
	e, err := g.adopt(side, classes, rand.New(rand.NewPCG(uint64(seed), 0x68656164)))
	if err != nil {
		return nil, ends{}, fmt.Errorf("imported classifier: %w", err)
	}
	file, err = proto.Marshal(m)
	return file, e, err
}

type importedGraph struct{ *onnxpb.GraphProto }

func (g importedGraph) adopt(side, classes int, r *rand.Rand) (e ends, err error) {
	if e.input, err = g.open(side); err != nil {
		return e, err
	}
	if len(g.GetOutput()) == 0 {
		return e, errors.New("it has no output")
	}
	last := g.maker(g.Output[0].GetName())
	passes := func() bool { return last.GetOpType() == "Softmax" || last.GetOpType() == "Identity" }
	for range g.GetNode() {
		if passes() {
			last = g.maker(last.GetInput()[0])
		}
	}
	if passes() {
		return e, fmt.Errorf("node %q, operator %s, reads what is made of its own output", last.GetName(), last.GetOpType())
	}
	if last == nil {
		return e, errors.New("no operator makes its first output")
	}
	e.logits = last.GetOutput()[0]
	layer, biased := last, 2
	if last.GetOpType() == "Add" && len(last.GetInput()) == 2 {
		for i := range 2 {
			if n := g.maker(last.GetInput()[i]); n.GetOpType() == "MatMul" && g.initializer(last.GetInput()[1-i]) != nil {
				layer, biased = n, 1-i
			}
		}
	}
	if op := layer.GetOpType(); op != "Gemm" && op != "MatMul" || len(layer.GetInput()) < 2 {
		return e, fmt.Errorf("its last layer is node %q, operator %s: a Gemm or a MatMul with weights of its own is needed", layer.GetName(), op)
	}
	weight := g.initializer(layer.GetInput()[1])
	if weight == nil || len(weight.GetDims()) != 2 || weight.GetDataType() != int32(onnxpb.TensorProto_FLOAT) {
		return e, fmt.Errorf("the weights %q of its last layer are no matrix of float32 among the initializers", layer.GetInput()[1])
	}
	if d, n := weight.GetDims(), elements(weight); d[0] < 1 || d[1] < 1 || n%d[0] != 0 || n/d[0] != d[1] {
		return e, fmt.Errorf("the weights %q of its last layer are of %v, with %d numbers", weight.GetName(), d, n)
	}
	e.embedding = layer.GetInput()[0]
	g.ValueInfo = nil // shapes within the graph, of the batch and the classes that it had
	g.Output = []*onnxpb.ValueInfoProto{declared(e.logits, classes)}
	at := 1 // the dimension of the classes
	if slices.ContainsFunc(layer.GetAttribute(), func(a *onnxpb.AttributeProto) bool { return a.GetName() == "transB" && a.GetI() != 0 }) {
		at = 0
	}
	dim := int(weight.GetDims()[1-at])
	if e.embedding != e.input {
		g.Output = append(g.Output, declared(e.embedding, dim))
	}
	if int(weight.GetDims()[at]) == classes {
		return e, nil
	}
	dims := []int{dim, classes}
	if at == 0 {
		dims = []int{classes, dim}
	}
	w := make([]float32, dim*classes)
	for i := range w {
		w[i] = float32(r.NormFloat64() / math.Sqrt(float64(dim)))
	}
	become(weight, floats(weight.GetName(), w, dims...))
	if biased < len(last.GetInput()) {
		if bias := g.initializer(last.GetInput()[biased]); bias != nil {
			become(bias, floats(bias.GetName(), make([]float32, classes), classes))
		}
	}
	return e, nil
}

// open finds the input of images and leaves its batch open.
func (g importedGraph) open(side int) (string, error) {
	var images []*onnxpb.ValueInfoProto
	for _, in := range g.GetInput() {
		if g.initializer(in.GetName()) == nil {
			images = append(images, in)
		}
	}
	if len(images) != 1 {
		return "", fmt.Errorf("it has %d inputs: one of images is needed", len(images))
	}
	in := images[0]
	dims := in.GetType().GetTensorType().GetShape().GetDim()
	want := []int64{0, 3, int64(side), int64(side)}
	if len(dims) != 4 {
		return "", fmt.Errorf("its input %q has %d dimensions: images [N, 3, %d, %d] are needed", in.GetName(), len(dims), side, side)
	}
	for i, d := range dims[1:] {
		if v := d.GetDimValue(); v != 0 && v != want[i+1] {
			return "", fmt.Errorf("its input %q is of %d where the images [N, 3, %d, %d] have %d: resize these", in.GetName(), v, side, side, want[i+1])
		}
	}
	if batch := dims[0].GetDimValue(); batch > 0 {
		g.unbind(in.GetName(), batch)
	}
	become(in, declared(in.GetName(), 3, side, side))
	return in.GetName(), nil
}

// unbind has reshapes of what comes of the images keep their number, where they say the one that the file was exported for. To those with
// allowzero a 0 is no dimension to keep, so they stay.
func (g importedGraph) unbind(input string, batch int64) {
	shapes, images := map[string][]int64{}, map[string]bool{input: true}
	constant := func(name string, t *onnxpb.TensorProto) {
		if t.GetDataType() == int32(onnxpb.TensorProto_INT64) {
			shapes[name] = onnx.Integers(t)
		}
	}
	for _, t := range g.GetInitializer() {
		constant(t.GetName(), t)
	}
	for _, n := range g.GetNode() {
		in, out := n.GetInput(), n.GetOutput()
		switch op := n.GetOpType(); {
		case op == "Constant" && len(out) == 1:
			for _, a := range n.GetAttribute() {
				constant(out[0], a.GetT())
			}
		case op == "Shape" || op == "Size" || !slices.ContainsFunc(in, func(name string) bool { return images[name] }):
		default:
			for _, name := range out {
				images[name] = true
			}
			literal := slices.ContainsFunc(n.GetAttribute(), func(a *onnxpb.AttributeProto) bool { return a.GetName() == "allowzero" && a.GetI() != 0 })
			if op != "Reshape" || literal || len(in) != 2 || len(out) != 1 || !images[in[0]] || len(shapes[in[1]]) < 2 || shapes[in[1]][0] != batch {
				continue
			}
			to := slices.Concat([]int64{0}, shapes[in[1]][1:]) // 0 is as it was
			n.Input[1] = "gleaner.shape/" + out[0]
			g.Initializer = append(g.Initializer, &onnxpb.TensorProto{
				Name: proto.String(n.Input[1]), DataType: proto.Int32(int32(onnxpb.TensorProto_INT64)), Dims: []int64{int64(len(to))}, Int64Data: to,
			})
		}
	}
}

// elements is how many float32 a tensor has within the file.
func elements(t *onnxpb.TensorProto) int64 {
	return int64(max(len(t.GetFloatData()), len(t.GetRawData())/4))
}

// become makes one message equal to another.
func become(m, other proto.Message) {
	proto.Reset(m)
	proto.Merge(m, other)
}

// maker is the node that makes a tensor, nil where there is none.
func (g importedGraph) maker(tensor string) *onnxpb.NodeProto {
	for _, n := range g.GetNode() {
		if slices.Contains(n.GetOutput(), tensor) && len(n.GetInput()) > 0 {
			return n
		}
	}
	return nil
}

func (g importedGraph) initializer(name string) *onnxpb.TensorProto {
	for _, t := range g.GetInitializer() {
		if t.GetName() == name {
			return t
		}
	}
	return nil
}
