package classify

import (
	"encoding/binary"
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

// head is the last layer of a classifier's graph.
type head struct {
	weight  *onnxpb.TensorProto // [classes, D] where byClass, else [D, classes]
	bias    string              // what is added for each class; empty for nothing
	byClass bool
}

// sizes are the numbers of classes and of what the layer reads.
func (h head) sizes() (classes, dim int) {
	d := h.weight.GetDims()
	if h.byClass {
		return int(d[0]), int(d[1])
	}
	return int(d[1]), int(d[0])
}

// place is where the weight of a class lies, of so many, for one of the dim numbers that the layer reads.
func (h head) place(class, classes, k, dim int) int {
	if h.byClass {
		return class*dim + k
	}
	return k*classes + class
}

// ImportedOutputs is the number of classes of an ONNX classifier that may be gone on with on images of so many pixels a side: one whose
// only input is images and whose last layer is a Gemm or a MatMul, perhaps with a bias and a softmax after it. The error of any other
// says what of it is not so.
func ImportedOutputs(file []byte, side int) (int, error) {
	_, g, err := parseImported(file)
	if err != nil {
		return 0, err
	}
	_, h, err := g.ends(side)
	if err != nil {
		return 0, fmt.Errorf("imported classifier: %w", err)
	}
	outputs, _ := h.sizes()
	return outputs, nil
}

func parseImported(file []byte) (*onnxpb.ModelProto, importedGraph, error) {
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(file, m); err != nil {
		return nil, importedGraph{}, errors.New("imported classifier: corrupt, or no ONNX file") // protobuf's errors vary
	}
	return m, importedGraph{m.GetGraph()}, nil
}

// adopt makes a classifier that ImportedOutputs knows one of other classes, whose outputs are called known. The softmax goes, the batch
// becomes open where it is fixed, and the last layer gets the part of each class from the output of that name, or by seed where there is none.
func adopt(file []byte, known []string, side int, classes []string, seed int64) ([]byte, ends, error) {
	m, g, err := parseImported(file)
	if err != nil {
		return nil, ends{}, err
	}
	e, h, err := g.ends(side)
	if err == nil {
		err = g.rearrange(h, known, classes, rand.New(rand.NewPCG(uint64(seed), 0x68656164)))
	}
	if err != nil {
		return nil, ends{}, fmt.Errorf("imported classifier: %w", err)
	}
	_, dim := h.sizes()
	g.ValueInfo = nil // shapes within the graph, of the batch and the classes that it had
	g.Output = []*onnxpb.ValueInfoProto{declared(e.logits, len(classes))}
	if e.embedding != e.input {
		g.Output = append(g.Output, declared(e.embedding, dim))
	}
	file, err = proto.Marshal(m)
	return file, e, err
}

type importedGraph struct{ *onnxpb.GraphProto }

// ends finds the input, which it opens to any batch of images of so many pixels a side, and the last layer.
func (g importedGraph) ends(side int) (e ends, h head, err error) {
	if e.input, err = g.open(side); err != nil {
		return e, h, err
	}
	if len(g.GetOutput()) == 0 {
		return e, h, errors.New("it has no output")
	}
	last := g.maker(g.Output[0].GetName())
	passes := func() bool { return last.GetOpType() == "Softmax" || last.GetOpType() == "Identity" }
	for range g.GetNode() {
		if passes() {
			last = g.maker(last.GetInput()[0])
		}
	}
	if passes() {
		return e, h, fmt.Errorf("node %q, operator %s, reads what is made of its own output", last.GetName(), last.GetOpType())
	}
	if last == nil {
		return e, h, errors.New("no operator makes its first output")
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
		return e, h, fmt.Errorf("its last layer is node %q, operator %s: a Gemm or a MatMul with weights of its own is needed", layer.GetName(), op)
	}
	h.weight = g.initializer(layer.GetInput()[1])
	if h.weight == nil || len(h.weight.GetDims()) != 2 || h.weight.GetDataType() != int32(onnxpb.TensorProto_FLOAT) {
		return e, h, fmt.Errorf("the weights %q of its last layer are no matrix of float32 among the initializers", layer.GetInput()[1])
	}
	if d, n := h.weight.GetDims(), int64(len(floatsOf(h.weight))); d[0] < 1 || d[1] < 1 || n%d[0] != 0 || n/d[0] != d[1] {
		return e, h, fmt.Errorf("the weights %q of its last layer are of %v, with %d numbers", h.weight.GetName(), d, n)
	}
	e.embedding = layer.GetInput()[0]
	h.byClass = slices.ContainsFunc(layer.GetAttribute(), func(a *onnxpb.AttributeProto) bool { return a.GetName() == "transB" && a.GetI() != 0 })
	if biased < len(last.GetInput()) {
		h.bias = last.GetInput()[biased]
	}
	return e, h, nil
}

// keptOutputs is, of each class, the known output of that name, and -1 where there is none.
func keptOutputs(known, classes []string) []int {
	kept := make([]int, len(classes))
	for i, class := range classes {
		kept[i] = slices.Index(known, class)
	}
	return kept
}

// rearrange makes the last layer one of these classes. One that has them, in their order, stays as it is, bit for bit.
func (g importedGraph) rearrange(h head, known, classes []string, r *rand.Rand) error {
	outputs, dim := h.sizes()
	switch {
	case len(known) > 0 && len(known) != outputs:
		return fmt.Errorf("%d outputs are named, and its last layer has %d", len(known), outputs)
	case slices.Equal(known, classes):
		return nil
	}
	kept := keptOutputs(known, classes)
	weight := make([]float32, dim*len(classes))
	for i := range weight {
		weight[i] = float32(r.NormFloat64() / math.Sqrt(float64(dim)))
	}
	before := floatsOf(h.weight)
	for class, output := range kept {
		for k := 0; output >= 0 && k < dim; k++ {
			weight[h.place(class, len(classes), k, dim)] = before[h.place(output, outputs, k, dim)]
		}
	}
	dims := []int{dim, len(classes)}
	if h.byClass {
		dims = []int{len(classes), dim}
	}
	become(h.weight, floats(h.weight.GetName(), weight, dims...))
	if h.bias == "" {
		return nil
	}
	bias := g.initializer(h.bias)
	before = floatsOf(bias)
	if bias == h.weight || bias.GetDataType() != int32(onnxpb.TensorProto_FLOAT) || len(before) != 1 && len(before) != outputs {
		return fmt.Errorf("the bias %q of its last layer is not %d numbers of float32 among the initializers", h.bias, outputs)
	}
	added := make([]float32, len(classes))
	for class, output := range kept {
		if output >= 0 {
			added[class] = before[output%len(before)] // one may be that of all
		}
	}
	become(bias, floats(h.bias, added, len(classes)))
	return nil
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

// floatsOf are the elements of a float32 tensor within the file.
func floatsOf(t *onnxpb.TensorProto) []float32 {
	raw := t.GetRawData()
	if len(raw) == 0 {
		return t.GetFloatData()
	}
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out
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
