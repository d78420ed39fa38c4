package autograd

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx/onnxpb"
)

// TestMaxPoolTies gives the gradient of a maximum in equal shares to all elements that are it, and nothing to what no window reads.
func TestMaxPoolTies(t *testing.T) {
	b := newTape()
	x, y := b.input("x", float32s, 1, 1, 2, 5), value{"y", float32s, []int64{1, 1, 1, 2}}
	b.need(x)
	pool := &onnxpb.NodeProto{
		OpType: proto.String("MaxPool"), Input: []string{"x"}, Output: []string{"y"},
		Attribute: []*onnxpb.AttributeProto{intsAttr("kernel_shape", 2, 2), intsAttr("strides", 2, 2)},
	}
	if err := b.record(node{pool, []value{x}, []value{y}}); err != nil {
		t.Fatal(err)
	}
	if err := b.backward(map[string]value{"y": b.input("dy", float32s, 1, 1, 1, 2)}); err != nil {
		t.Fatal(err)
	}
	b.output("pooled", y)
	b.output("dx", b.grads["x"])
	numbers := map[string][]float32{
		"x": {
			1, 1, 2, 3, 9,
			1, 1, 0, 3, 9,
		},
		"dy": {8, 6},
	}
	got := run(t, open(t), b.builder, func(input string, i int) float32 { return numbers[input][i] })
	if y := got("pooled"); !slices.Equal(y, []float32{1, 3}) {
		t.Errorf("maxima %v", y)
	}
	want := []float32{
		2, 2, 0, 3, 0,
		2, 2, 0, 3, 0,
	}
	if dx := got("dx"); !slices.Equal(dx, want) {
		t.Errorf("gradient %v, want %v", dx, want)
	}
}
