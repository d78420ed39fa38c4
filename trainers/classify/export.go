package classify

import (
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx/onnxpb"
	"gleaner/schemas"
)

// Keys of metadata_props in the files that Export writes.
const (
	MetadataClasses = "gleaner.classes" // a JSON list of the names of the classes, in the order of the logits
	MetadataDecode  = "gleaner.decode"  // a schemas.Decode in JSON: how an image becomes the input, and that the output is logits
	MetadataRun     = "gleaner.run"     // a schemas.Run in JSON: which training made the weights
)

// Metadata is what a file says of itself.
type Metadata struct {
	Classes []string
	Decode  schemas.Decode
	Run     schemas.Run
}

// ReadMetadata reads what Export wrote. ok is false for a file without it; a file that cannot be read, or whose metadata is of
// another form, is an error.
func ReadMetadata(file []byte) (m Metadata, ok bool, err error) {
	var model onnxpb.ModelProto
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(file, &model); err != nil {
		return m, false, fmt.Errorf("metadata: corrupt, or no ONNX file")
	}
	into := map[string]any{MetadataClasses: &m.Classes, MetadataDecode: &m.Decode, MetadataRun: &m.Run}
	for _, p := range model.GetMetadataProps() {
		if v := into[p.GetKey()]; v != nil {
			if err := json.Unmarshal([]byte(p.GetValue()), v); err != nil {
				return m, false, fmt.Errorf("metadata: %s: %w", p.GetKey(), err)
			}
			delete(into, p.GetKey())
		}
	}
	if err := m.Decode.Validate(); err != nil {
		return m, false, fmt.Errorf("metadata: %w", err)
	}
	return m, len(m.Classes) > 0, nil
}

// Export writes the classifier with its present weights, or their moving average where there is one: an ONNX file from images
// [N, 3, side, side] to logits [N, classes], with Metadata, that stages/prelabel and any ONNX Runtime serve.
func (t *Trainer) Export() ([]byte, error) {
	file, err := t.model.Export(t.cfg.Average > 0)
	if err != nil {
		return nil, err
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(file, m); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	for _, out := range m.GetGraph().GetOutput() {
		if out.GetName() == t.logits {
			m.Graph.Output = []*onnxpb.ValueInfoProto{out}
			break
		}
	}
	mean, std := t.normal.Mean, t.normal.Std
	decode := schemas.Decode{
		Decoder: "classifier", Activation: schemas.ActivationSoftmax, Background: schemas.BackgroundNone,
		Input: schemas.DecodeInput{
			Width: t.train.Side, Height: t.train.Side, Resize: schemas.ResizeStretch, Channels: schemas.ChannelsRGB, Mean: mean[:], Std: std[:],
		},
	}
	var kept []*onnxpb.StringStringEntryProto
	ours := map[string]any{MetadataClasses: t.train.Classes, MetadataDecode: decode, MetadataRun: t.cfg.Run}
	for _, p := range m.GetMetadataProps() {
		if ours[p.GetKey()] == nil {
			kept = append(kept, p)
		}
	}
	for _, key := range []string{MetadataClasses, MetadataDecode, MetadataRun} {
		value, err := json.Marshal(ours[key])
		if err != nil {
			return nil, fmt.Errorf("export: %w", err)
		}
		kept = append(kept, &onnxpb.StringStringEntryProto{Key: proto.String(key), Value: proto.String(string(value))})
	}
	m.MetadataProps = kept
	return proto.Marshal(m)
}
