package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx"
	"gleaner/connectors/onnx/onnxpb"
)

// flops are the floating-point operations of a training step: each multiplication with its addition is two. The gradient of the weights
// takes as much as the forward pass does, and so does that of the layer's input, but where nothing before the layer learns.
func (b *bench) flops(file []byte, n int) (float64, error) {
	const frozen = "whiten.weight" // classify's one layer that does not learn
	file, err := onnx.WithBatch(file, n)
	if err != nil {
		return 0, err
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(file, m); err != nil {
		return 0, err
	}
	g := m.GetGraph()
	weights := map[string][]int64{}
	for _, t := range g.GetInitializer() {
		weights[t.GetName()] = t.GetDims()
	}
	var outputs []string
	for _, node := range g.GetNode() {
		outputs = append(outputs, node.GetOutput()[0])
	}
	shapes, err := b.runtime.Trace(m, outputs, func(string) bool { return false })
	if err != nil {
		return 0, err
	}
	total := 0.0
	learns := map[string]bool{} // tensors that something learned is before
	for i, node := range g.GetNode() {
		out := outputs[i]
		learns[out] = slices.ContainsFunc(node.GetInput(), func(name string) bool { return learns[name] })
		if !slices.Contains([]string{"Conv", "Gemm", "MatMul"}, node.GetOpType()) {
			continue
		}
		w, ok := weights[node.GetInput()[1]]
		if !ok {
			return 0, fmt.Errorf("layer %s: %s is no weight", node.GetName(), node.GetInput()[1])
		}
		forward := 2.0
		for _, d := range shapes[i].GetDims() {
			forward *= float64(d)
		}
		if node.GetOpType() == "Conv" {
			for _, d := range w[1:] {
				forward *= float64(d)
			}
		} else {
			forward *= float64(w[0]*w[1]) / float64(shapes[i].GetDims()[1])
		}
		times := 1.0
		if learns[out] {
			times++
		}
		if node.GetInput()[1] != frozen {
			times++
			learns[out] = true
		}
		total += times * forward
	}
	return total, nil
}

// peak is the speed, in operations a second, of the runtime's product of large matrices: the best of some.
func (b *bench) peak(threads int) (best float64, err error) {
	const side, tries = 2048, 12
	tensor := func(name string) *onnxpb.ValueInfoProto {
		shape := &onnxpb.TensorShapeProto{}
		for range 2 {
			shape.Dim = append(shape.Dim, &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: side}})
		}
		return &onnxpb.ValueInfoProto{Name: proto.String(name), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
			TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)), Shape: shape},
		}}}
	}
	model, err := proto.Marshal(&onnxpb.ModelProto{
		IrVersion: proto.Int64(10), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(21)}},
		Graph: &onnxpb.GraphProto{
			Name: proto.String("product"), Input: []*onnxpb.ValueInfoProto{tensor("x"), tensor("y")}, Output: []*onnxpb.ValueInfoProto{tensor("z")},
			Node: []*onnxpb.NodeProto{{OpType: proto.String("MatMul"), Input: []string{"x", "y"}, Output: []string{"z"}}},
		},
	})
	if err != nil {
		return 0, err
	}
	l, err := b.runtime.LoadLoop(onnx.Config{Threads: threads}, onnx.LoopGraph{Name: "product", Model: model})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	for range tries {
		began := time.Now()
		if err := l.Run(0); err != nil {
			return 0, err
		}
		best = max(best, 2*side*side*side/time.Since(began).Seconds())
	}
	return best, nil
}
