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

// state lists the tensors that training goes on from after so many calls of Step: with the sums in the midst of an update.
func (t *Trainer) state(steps int) []value {
	if steps%t.Accumulate == 0 {
		return t.carried
	}
	return slices.Concat(t.carried, t.sums)
}

// Save writes all that training goes on from, bit for bit: weights, running averages, what optimizers keep, the number of steps and, in
// the midst of an update, sums of gradients. It is an ONNX file whose graph has initializers alone.
func (t *Trainer) Save() ([]byte, error) {
	g := &onnxpb.GraphProto{Name: proto.String("training state")}
	for _, v := range t.state(t.steps) {
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
	tensors, steps, err := t.parseState(saved)
	if err != nil {
		return fmt.Errorf("training state: %w", err)
	}
	for _, v := range t.state(steps) {
		into := data[float32](t, v.name)
		for i, x := range reals(tensors[v.name]) {
			into[i] = float32(x)
		}
	}
	t.steps = steps
	return nil
}

// parseState returns the number of steps and the tensors by name, of which there are exactly those of this trainer after so many.
func (t *Trainer) parseState(saved []byte) (tensors map[string]*onnxpb.TensorProto, steps int, err error) {
	var m onnxpb.ModelProto
	if err := proto.Unmarshal(saved, &m); err != nil {
		return nil, 0, errors.New("corrupt") // protobuf's errors vary
	}
	tensors = map[string]*onnxpb.TensorProto{}
	for _, entry := range m.GetGraph().GetInitializer() {
		tensors[entry.GetName()] = entry
	}
	count := tensors[stepsEntry]
	if kind(count.GetDataType()) != int64s || len(count.GetRawData()) != 0 || len(count.GetInt64Data()) != 1 || count.GetInt64Data()[0] < 0 {
		return nil, 0, fmt.Errorf("%s is not there: it is no state of a training", stepsEntry)
	}
	steps = int(count.GetInt64Data()[0])
	wanted := t.state(steps)
	for _, v := range wanted {
		entry := tensors[v.name]
		if kind(entry.GetDataType()) != float32s || !slices.Equal(entry.GetDims(), v.dims) || int64(len(entry.GetRawData())) != 4*v.size() {
			return nil, 0, fmt.Errorf("%s is not there, or not %v: it is of another model or configuration", v.name, v.dims)
		}
	}
	if len(tensors) != len(wanted)+1 {
		return nil, 0, fmt.Errorf("%d tensors, where this training has %d: it is of another configuration", len(tensors)-1, len(wanted))
	}
	return tensors, steps, nil
}
