package autograd

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx/onnxpb"
)

// stepsEntry counts the calls of Step in a saved state.
const stepsEntry = prefix + "steps"

// Save writes all that training goes on from, bit for bit: weights, running averages, what optimizers keep and the number of
// steps. It is an ONNX file whose graph has initializers alone.
func (t *Trainer) Save() ([]byte, error) {
	g := &onnxpb.GraphProto{Name: proto.String("training state")}
	for _, v := range t.carried {
		g.Initializer = append(g.Initializer, &onnxpb.TensorProto{
			Name: proto.String(v.name), DataType: proto.Int32(int32(float32s)), Dims: v.dims, RawData: rawFloats(data[float32](t, v.name)),
		})
	}
	g.Initializer = append(g.Initializer, &onnxpb.TensorProto{
		Name: proto.String(stepsEntry), DataType: proto.Int32(int32(int64s)), Dims: []int64{1}, Int64Data: []int64{int64(t.steps)},
	})
	return proto.Marshal(&onnxpb.ModelProto{IrVersion: proto.Int64(10), ProducerName: proto.String("gleaner"), Graph: g})
}

// Restore goes back to what Save wrote of a Trainer of the same model and configuration. What is not of these is refused, and
// then nothing has changed.
func (t *Trainer) Restore(saved []byte) error {
	state, err := t.parseState(saved)
	if err != nil {
		return fmt.Errorf("training state: %w", err)
	}
	for _, v := range t.carried {
		into := data[float32](t, v.name)
		for i, x := range reals(state[v.name]) {
			into[i] = float32(x)
		}
	}
	t.steps = int(integers(state[stepsEntry])[0])
	return nil
}

// parseState returns the tensors by name, of which there are exactly those of this trainer.
func (t *Trainer) parseState(saved []byte) (map[string]*onnxpb.TensorProto, error) {
	var m onnxpb.ModelProto
	if err := proto.Unmarshal(saved, &m); err != nil {
		return nil, errors.New("corrupt") // protobuf's errors vary
	}
	state := map[string]*onnxpb.TensorProto{}
	for _, entry := range m.GetGraph().GetInitializer() {
		state[entry.GetName()] = entry
	}
	for _, v := range t.carried {
		entry := state[v.name]
		if kind(entry.GetDataType()) != float32s || !slices.Equal(entry.GetDims(), v.dims) || int64(len(entry.GetRawData())) != 4*v.size() {
			return nil, fmt.Errorf("%s is not there, or not %v: it is of another model or configuration", v.name, v.dims)
		}
	}
	if len(state) != len(t.carried)+1 {
		return nil, fmt.Errorf("%d tensors, where this training has %d: it is of another configuration", len(state)-1, len(t.carried))
	}
	steps := state[stepsEntry]
	if kind(steps.GetDataType()) != int64s || len(steps.GetRawData()) != 0 || len(steps.GetInt64Data()) != 1 || steps.GetInt64Data()[0] < 0 {
		return nil, fmt.Errorf("%s is not there", stepsEntry)
	}
	return state, nil
}
