package onnx

import (
	"errors"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx/onnxpb"
)

// Fields of ModelProto (onnx.proto).
const (
	graphField      protowire.Number = 7
	propertiesField protowire.Number = 14 // metadata_props
)

// Metadata reads an ONNX file's metadata_props. Its graph and weights are passed over; of a key that is there twice the last counts.
func Metadata(model []byte) (map[string]string, error) {
	out := map[string]string{}
	_, err := splitProperties(model, func(key, value string) { out[key] = value })
	return out, err
}

// WithMetadata returns an ONNX file that has these entries in its metadata_props, in the order of their keys and in place of those
// that had the keys before; all else is as it was, byte for byte.
func WithMetadata(model []byte, properties map[string]string) ([]byte, error) {
	kept := map[string]string{}
	out, err := splitProperties(model, func(key, value string) { kept[key] = value })
	if err != nil {
		return nil, err
	}
	maps.Copy(kept, properties)
	more := &onnxpb.ModelProto{}
	for _, key := range slices.Sorted(maps.Keys(kept)) {
		more.MetadataProps = append(more.MetadataProps, &onnxpb.StringStringEntryProto{Key: proto.String(key), Value: proto.String(kept[key])})
	}
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend(out, more)
}

// WithBatch returns an ONNX file whose inputs and outputs are of n samples, in place of any number: their first dimension is n.
func WithBatch(model []byte, n int) ([]byte, error) {
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(model, m); err != nil {
		return nil, errors.New("corrupt, or no ONNX file") // protobuf's errors vary
	}
	for _, v := range slices.Concat(m.GetGraph().GetInput(), m.GetGraph().GetOutput()) {
		if dims := v.GetType().GetTensorType().GetShape().GetDim(); len(dims) > 0 {
			dims[0].Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(n)}
		}
	}
	return proto.Marshal(m)
}

// splitProperties hands over the entries of metadata_props and returns a file without them.
func splitProperties(model []byte, entry func(key, value string)) (rest []byte, err error) {
	corrupt := errors.New("corrupt, or no ONNX file")
	rest = make([]byte, 0, len(model))
	graph := false
	for left := model; len(left) > 0; {
		number, kind, tag := protowire.ConsumeTag(left)
		if tag < 0 {
			return nil, corrupt
		}
		size := protowire.ConsumeFieldValue(number, kind, left[tag:])
		if size < 0 {
			return nil, corrupt
		}
		if field := left[:tag+size]; number == propertiesField && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(field[tag:])
			var e onnxpb.StringStringEntryProto
			if err := proto.Unmarshal(value, &e); err != nil {
				return nil, corrupt
			}
			entry(e.GetKey(), e.GetValue())
		} else {
			graph = graph || number == graphField && kind == protowire.BytesType
			rest = append(rest, field...)
		}
		left = left[tag+size:]
	}
	if !graph {
		return nil, corrupt
	}
	return rest, nil
}
