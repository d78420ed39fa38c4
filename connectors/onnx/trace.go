package onnx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	ort "github.com/yalue/onnxruntime_go"
	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx/onnxpb"
)

// Trace runs a model once on zeros and describes tensors of its graph, in the order of names: their types and shapes as they
// came, and of those that keep is true for their elements too, in the little-endian RawData. Inputs need fixed shapes.
func (r *Runtime) Trace(model *onnxpb.ModelProto, names []string, keep func(name string) bool) (tensors []*onnxpb.TensorProto, err error) {
	held, err := r.another()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	if tensors, err = trace(model, names, keep); err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	return tensors, nil
}

func trace(model *onnxpb.ModelProto, names []string, keep func(name string) bool) (tensors []*onnxpb.TensorProto, err error) {
	data, err := proto.Marshal(probed(model, nil, names))
	if err != nil {
		return nil, err
	}
	_, infos, err := ort.GetInputOutputInfoWithONNXData(data) // of types alone: not every shape is inferred
	if err != nil {
		return nil, err
	}
	// The binding cannot hold tensors without dimensions, so a tensor comes as its shape and, if it is kept, flat.
	flat := &onnxpb.TensorProto{
		Name: proto.String(probe + "flat"), Dims: []int64{1}, DataType: proto.Int32(int32(onnxpb.TensorProto_INT64)), Int64Data: []int64{-1},
	}
	more := &onnxpb.GraphProto{Initializer: []*onnxpb.TensorProto{flat}}
	var outputs []string
	for _, name := range names {
		shape, elements := probe+"shape/"+name, probe+"flat/"+name
		more.Node = append(more.Node, &onnxpb.NodeProto{OpType: proto.String("Shape"), Input: []string{name}, Output: []string{shape}})
		outputs = append(outputs, shape)
		if keep(name) {
			more.Node = append(more.Node, &onnxpb.NodeProto{
				OpType: proto.String("Reshape"), Input: []string{name, flat.GetName()}, Output: []string{elements},
			})
			outputs = append(outputs, elements)
		}
	}
	if data, err = proto.Marshal(probed(model, more, outputs)); err != nil {
		return nil, err
	}
	in, out, err := once(data, outputs)
	defer func() {
		for _, v := range append(in, out...) {
			if v != nil {
				err = errors.Join(err, v.Destroy())
			}
		}
	}()
	if err != nil {
		return nil, err
	}
	next := 0
	for i, name := range names {
		t := &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(int32(infos[i].DataType))}
		t.Dims = append([]int64{}, out[next].(*ort.Tensor[int64]).GetData()...)
		next++
		if keep(name) {
			if t.RawData, err = raw(out[next]); err != nil {
				return nil, fmt.Errorf("tensor %q: %w", name, err)
			}
			next++
		}
		tensors = append(tensors, t)
	}
	return tensors, nil
}

// probe begins the names of what a trace adds to a graph.
const probe = "gleaner.trace/"

// probed is a model with further nodes, and with these outputs only.
func probed(model *onnxpb.ModelProto, more *onnxpb.GraphProto, outputs []string) *onnxpb.ModelProto {
	g := model.GetGraph()
	out := &onnxpb.GraphProto{
		Name: proto.String(g.GetName()), Node: slices.Concat(g.GetNode(), more.GetNode()), Input: g.GetInput(),
		Initializer:       slices.Concat(g.GetInitializer(), more.GetInitializer()),
		SparseInitializer: g.GetSparseInitializer(),
	}
	for _, name := range outputs {
		out.Output = append(out.Output, &onnxpb.ValueInfoProto{Name: proto.String(name)})
	}
	return &onnxpb.ModelProto{IrVersion: model.IrVersion, OpsetImport: model.GetOpsetImport(), Functions: model.GetFunctions(), Graph: out}
}

// once runs a model on zeros and returns what its inputs and outputs were; where there is an error too, some of them.
func once(model []byte, outputs []string) (in, out []ort.Value, err error) {
	infos, _, err := ort.GetInputOutputInfoWithONNXData(model)
	if err != nil {
		return nil, nil, err
	}
	inputs := specs(infos)
	for _, spec := range inputs {
		if len(spec.Shape) == 0 || slices.Min(spec.Shape) < 1 {
			return in, nil, fmt.Errorf("input %s has no fixed shape of at least one dimension", spec)
		}
		v, err := newTensor(spec)
		if err != nil {
			return in, nil, err
		}
		in = append(in, v)
	}
	options, err := sessionOptions(DefaultConfig(), ort.GraphOptimizationLevelDisableAll)
	if err != nil {
		return in, nil, err
	}
	defer func() { err = errors.Join(err, options.Destroy()) }()
	session, err := ort.NewDynamicAdvancedSessionWithONNXData(model, names(inputs), outputs, options)
	if err != nil {
		return in, nil, err
	}
	out = make([]ort.Value, len(outputs))
	return in, out, errors.Join(session.Run(in, out), session.Destroy())
}

// raw is a tensor's elements as a file holds them.
func raw(v ort.Value) ([]byte, error) {
	var elements any
	switch t := v.(type) {
	case *ort.Tensor[float32]:
		elements = t.GetData()
	case *ort.Tensor[float64]:
		elements = t.GetData()
	case *ort.Tensor[int64]:
		elements = t.GetData()
	case *ort.Tensor[int32]:
		elements = t.GetData()
	case *ort.Tensor[uint8]:
		elements = t.GetData()
	case *ort.Tensor[bool]:
		elements = t.GetData()
	default:
		return nil, fmt.Errorf("elements of Go type %T", v)
	}
	var b bytes.Buffer
	err := binary.Write(&b, binary.LittleEndian, elements)
	return b.Bytes(), err
}
