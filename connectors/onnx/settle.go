package onnx

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx/onnxpb"
)

// settle returns a model whose inputs leave nothing open that cfg says, so that the runtime works out the shapes of what
// depends on them. Bytes that are no model stay as they are: the runtime says what is wrong with them. The error is of weights in
// further files, which a digest of this one does not name.
func settle(model []byte, cfg Config) ([]byte, error) {
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(model, m); err != nil {
		return model, nil
	}
	for _, t := range m.GetGraph().GetInitializer() {
		if t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
			return nil, fmt.Errorf("its weights, such as %q, are in further files: save it as one file", t.GetName())
		}
	}
	settled := false
	for _, in := range m.GetGraph().GetInput() {
		dims := in.GetType().GetTensorType().GetShape().GetDim()
		shape := make([]int64, len(dims))
		for i, d := range dims {
			shape[i] = -1
			if v, ok := d.GetValue().(*onnxpb.TensorShapeProto_Dimension_DimValue); ok {
				shape[i] = v.DimValue
			}
		}
		cfg.resolve(shape)
		for i, d := range dims {
			if d.GetDimValue() != shape[i] && shape[i] > 0 {
				d.Value, settled = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: shape[i]}, true
			}
		}
	}
	if !settled {
		return model, nil
	}
	return proto.Marshal(m)
}

// resolve fills in what an input's shape leaves open: the batch, and of images, [.., 3, H, W] or [.., H, W, 3], all else.
func (c Config) resolve(shape []int64) {
	n := len(shape)
	if n > 0 && shape[0] < 0 {
		shape[0] = 1
	}
	if n < 3 || c.Width < 1 || c.Height < 1 {
		return
	}
	channels, rows, cols := n-3, n-2, n-1
	if shape[n-1] == 3 && shape[n-3] != 3 {
		channels, rows, cols = n-1, n-3, n-2
	}
	for i, size := range map[int]int{channels: 3, rows: c.Height, cols: c.Width} {
		if shape[i] < 0 {
			shape[i] = int64(size)
		}
	}
}
