package autograd

import (
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx/onnxpb"
)

// upgrader rewrites nodes of older operator sets (github.com/onnx/onnx/blob/main/docs/Changelog.md) as those of opset: most
// changes made inputs of what were attributes.
type upgrader struct {
	from  int64
	nodes []*onnxpb.NodeProto
	extra []*onnxpb.TensorProto // initializers
	count int                   // of new names
}

// upgraded returns the model with its nodes in opset.
func upgraded(m *onnxpb.ModelProto) *onnxpb.ModelProto {
	u := &upgrader{from: opsetOf(m)}
	for _, n := range m.GetGraph().GetNode() {
		u.node(proto.CloneOf(n))
	}
	out := &onnxpb.ModelProto{IrVersion: proto.Int64(10), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(opset)}}, Functions: m.GetFunctions()}
	for _, o := range m.GetOpsetImport() {
		if o.GetDomain() != "" && o.GetDomain() != "ai.onnx" {
			out.OpsetImport = append(out.OpsetImport, o)
		}
	}
	g := m.GetGraph()
	out.Graph = &onnxpb.GraphProto{
		Name: proto.String(g.GetName()), Node: u.nodes, Initializer: slices.Concat(g.GetInitializer(), u.extra), Input: g.GetInput(), Output: g.GetOutput(),
	}
	return out
}

func (u *upgrader) node(n *onnxpb.NodeProto) {
	standard := operatorOf(n) == n.GetOpType()
	switch op := n.GetOpType(); {
	case !standard, len(n.Input) == 0: // the runtime will say what is wrong with an operator that has too few
	case op == "Dropout": // which at inference, and in fine-tuning here, hands on
		n = &onnxpb.NodeProto{Name: n.Name, OpType: proto.String("Identity"), Input: n.Input[:1], Output: n.Output[:1]}
	case op == "BatchNormalization":
		n.Output = n.Output[:1]
		u.take(n, "spatial")
		u.take(n, "training_mode")
		u.take(n, "momentum")
	case op == "Clip" && u.from < 11:
		n.Input = append(n.Input, u.float(u.take(n, "min"), -math.MaxFloat32), u.float(u.take(n, "max"), math.MaxFloat32))
	case op == "Pad" && u.from < 11:
		n.Input = append(n.Input, u.ints(u.take(n, "pads").GetInts()), u.float(u.take(n, "value"), 0))
	case op == "Slice" && u.from < 10:
		starts, ends, axes := u.take(n, "starts").GetInts(), u.take(n, "ends").GetInts(), u.take(n, "axes").GetInts()
		if axes == nil {
			axes = iota64(len(starts))
		}
		n.Input = append(n.Input, u.ints(starts), u.ints(ends), u.ints(axes))
	case (op == "Squeeze" || op == "Unsqueeze" || op == "ReduceSum") && u.from < 13, isReduction(op) && op != "ReduceSum" && u.from < 18:
		if axes := u.take(n, "axes"); axes != nil {
			n.Input = append(n.Input, u.ints(axes.GetInts()))
		}
	case op == "Split" && u.from < 18:
		if split := u.take(n, "split"); split != nil {
			n.Input = append(n.Input, u.ints(split.GetInts()))
		}
		if len(n.Input) < 2 {
			n.Attribute = append(n.Attribute, intAttr("num_outputs", int64(len(n.Output))))
		}
	case op == "Upsample" || op == "Resize" && u.from < 11:
		var scales string
		if a := u.take(n, "scales"); a != nil {
			scales = u.tensor(&onnxpb.TensorProto{DataType: proto.Int32(int32(float32s)), Dims: []int64{int64(len(a.GetFloats()))}, FloatData: a.GetFloats()})
		} else if len(n.Input) > 1 {
			scales = n.Input[1]
		}
		n.OpType, n.Input = proto.String("Resize"), []string{n.Input[0], "", scales}
		n.Attribute = append(n.Attribute, textAttr("coordinate_transformation_mode", "asymmetric"), textAttr("nearest_mode", "floor"))
	case (op == "Softmax" || op == "LogSoftmax") && u.from < 13: // over all axes from one on, as one
		axis := int64(1)
		if a := u.take(n, "axis"); a != nil {
			axis = a.GetI()
		}
		n.Attribute = append(n.Attribute, intAttr("axis", -1))
		if axis == -1 {
			break
		}
		u.reshaped(n, &onnxpb.NodeProto{OpType: proto.String("Flatten"), Input: n.Input[:1], Attribute: []*onnxpb.AttributeProto{intAttr("axis", axis)}})
		return
	case op == "GroupNormalization" && u.from < opset: // by a scale and a bias for each group, as of instances
		groups := u.take(n, "num_groups").GetI()
		n.OpType = proto.String("InstanceNormalization")
		u.reshaped(n, &onnxpb.NodeProto{OpType: proto.String("Reshape"), Input: []string{n.Input[0], u.ints([]int64{0, groups, -1})}})
		return
	}
	u.nodes = append(u.nodes, n)
}

// reshaped adds a node that sees its first input as form makes it, and whose output is of the input's shape again.
func (u *upgrader) reshaped(n, form *onnxpb.NodeProto) {
	shape, seen, made := u.fresh(), u.fresh(), u.fresh()
	whole, out := n.Input[0], n.Output[0]
	form.Output = []string{seen}
	n.Input, n.Output = slices.Concat([]string{seen}, n.Input[1:]), []string{made}
	u.nodes = append(u.nodes,
		&onnxpb.NodeProto{OpType: proto.String("Shape"), Input: []string{whole}, Output: []string{shape}}, form, n,
		&onnxpb.NodeProto{OpType: proto.String("Reshape"), Input: []string{made, shape}, Output: []string{out}})
}

func isReduction(operator string) bool { return len(operator) > 6 && operator[:6] == "Reduce" }

// take removes an attribute and returns it, nil where there is none.
func (u *upgrader) take(n *onnxpb.NodeProto, name string) *onnxpb.AttributeProto {
	for i, a := range n.Attribute {
		if a.GetName() == name {
			n.Attribute = slices.Delete(n.Attribute, i, i+1)
			return a
		}
	}
	return nil
}

func (u *upgrader) fresh() string {
	u.count++
	return fmt.Sprintf("%supgrade.%d", prefix, u.count)
}

func (u *upgrader) tensor(t *onnxpb.TensorProto) string {
	t.Name = proto.String(u.fresh())
	u.extra = append(u.extra, t)
	return t.GetName()
}

func (u *upgrader) ints(x []int64) string {
	return u.tensor(&onnxpb.TensorProto{DataType: proto.Int32(int32(int64s)), Dims: []int64{int64(len(x))}, Int64Data: x})
}

func (u *upgrader) float(a *onnxpb.AttributeProto, otherwise float32) string {
	if a != nil {
		otherwise = a.GetF()
	}
	return u.tensor(&onnxpb.TensorProto{DataType: proto.Int32(int32(float32s)), FloatData: []float32{otherwise}})
}
