package autograd

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx/onnxpb"
)

// old is an operator in the form of an older set.
type old struct {
	version    int64
	operator   string
	outputs    int // 0 for one
	attributes []*onnxpb.AttributeProto
	inputs     []constant // after the first
}

type constant func(b *builder, r *rand.Rand) value

func drawn(n int64, mean, deviation float64) constant {
	return func(b *builder, r *rand.Rand) value { return weight(b, r, b.name(), mean, deviation, n) }
}

// TestUpgrade serves operators of older sets as they are and as the newest set has them: the outputs are the same.
func TestUpgrade(t *testing.T) {
	rt := open(t)
	attributes := func(a ...*onnxpb.AttributeProto) []*onnxpb.AttributeProto { return a }
	floats := func(name string, x ...float32) *onnxpb.AttributeProto {
		return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_FLOATS.Enum(), Floats: x}
	}
	scales := func(b *builder, _ *rand.Rand) value { return b.floats(float32s, []int64{4}, 1, 1, 2, 3) }
	normal := []constant{drawn(6, 1, 0.1), drawn(6, 0, 1), drawn(6, 0, 1), drawn(6, 1, 0.1)}
	axes, middle := intsAttr("axes", 1, 3), intsAttr("axes", 2)
	for _, o := range []old{
		{version: 7, operator: "BatchNormalization", attributes: attributes(intAttr("spatial", 1), floatAttr("momentum", 0.8)), inputs: normal},
		{version: 14, operator: "BatchNormalization", attributes: attributes(intAttr("training_mode", 0)), inputs: normal},
		{version: 7, operator: "Dropout", attributes: attributes(floatAttr("ratio", 0.4))},
		{version: 12, operator: "Dropout"},
		{version: 7, operator: "Clip", attributes: attributes(floatAttr("min", -0.5), floatAttr("max", 0.7))},
		{version: 10, operator: "Clip", attributes: attributes(floatAttr("min", 0))},
		{version: 10, operator: "Pad", attributes: attributes(intsAttr("pads", 0, 1, 0, 2, 0, 0, 3, -1), floatAttr("value", 1.5))},
		{version: 9, operator: "Slice", attributes: attributes(intsAttr("starts", 1, -3), intsAttr("ends", 9, -1), axes)},
		{version: 9, operator: "Slice", attributes: attributes(intsAttr("starts", 0, 2), intsAttr("ends", 1, 4))},
		{version: 12, operator: "Squeeze", attributes: attributes(middle)},
		{version: 12, operator: "Unsqueeze", attributes: attributes(axes)},
		{version: 12, operator: "ReduceSum", attributes: attributes(axes, intAttr("keepdims", 0))},
		{version: 17, operator: "ReduceMean", attributes: attributes(intsAttr("axes", -1))},
		{version: 17, operator: "ReduceMax"},
		{version: 11, operator: "Split", outputs: 2, attributes: attributes(intAttr("axis", 1), intsAttr("split", 2, 4))},
		{version: 17, operator: "Split", outputs: 2, attributes: attributes(intAttr("axis", 1))},
		{version: 7, operator: "Upsample", attributes: attributes(floats("scales", 1, 1, 2, 3))},
		{version: 9, operator: "Upsample", attributes: attributes(textAttr("mode", "linear")), inputs: []constant{scales}},
		{version: 10, operator: "Resize", inputs: []constant{scales}},
		{version: 12, operator: "Softmax"},
		{version: 12, operator: "LogSoftmax", attributes: attributes(intAttr("axis", 2))},
		{version: 12, operator: "Softmax", attributes: attributes(intAttr("axis", -1))},
		{version: 18, operator: "GroupNormalization", attributes: attributes(intAttr("num_groups", 3), floatAttr("epsilon", 1e-2)), inputs: []constant{drawn(3, 1, 0.3), drawn(3, 0, 1)}},
	} {
		t.Run(fmt.Sprintf("%s %d", o.operator, o.version), func(t *testing.T) {
			data := o.file(t)
			m, err := parse(data)
			if err != nil {
				t.Fatal(err)
			}
			newest, err := proto.Marshal(upgraded(m))
			if err != nil {
				t.Fatal(err)
			}
			image := noise(2*6*1*5, 2)
			for i := range image {
				image[i]--
			}
			want := serve(t, rt, data, image)
			for i, got := range serve(t, rt, newest, image) {
				nearly(t, fmt.Sprintf("output %d", i), got, want[i], 1e-5)
			}
		})
	}
}

// file is a model of the operator on x [2, 6, 1, 5].
func (o old) file(t *testing.T) []byte {
	t.Helper()
	b := newBuilder()
	r := rand.New(rand.NewPCG(4, 2))
	inputs := []value{b.input("x", float32s, 2, 6, 1, 5)}
	for _, in := range o.inputs {
		inputs = append(inputs, in(b, r))
	}
	outputs := make([]value, max(o.outputs, 1))
	for i := range outputs {
		outputs[i].kind = float32s
	}
	for i, y := range b.emit(o.operator, outputs, inputs, o.attributes...) {
		b.output(fmt.Sprintf("y%d", i), y)
	}
	m := b.model()
	m.OpsetImport[0].Version = proto.Int64(o.version)
	for _, out := range m.GetGraph().GetOutput() {
		out.Type.GetTensorType().Shape = nil // the runtime works it out
	}
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
