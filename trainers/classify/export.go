package classify

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx"
	"gleaner/connectors/onnx/onnxpb"
	"gleaner/schemas"
)

// classLists are the keys in metadata_props under which exporters put the classes of the classifier that was gone on with, beside ours.
var classLists = []string{schemas.MetadataNames, "classes", "class_names", "labels", "categories", "id2label", "label2id"}

// Export writes the classifier with its present weights, or their moving average where there is one: an ONNX file from images
// [N, 3, side, side] to logits [N, classes], with its classes, its preprocessing and its run as schemas.ModelMetadata has them, that
// stages/prelabel and any ONNX Runtime serve.
func (t *Trainer) Export() ([]byte, error) {
	file, err := t.model.Export(t.cfg.Average > 0)
	if err != nil {
		return nil, err
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(file, m); err != nil {
		return nil, fmt.Errorf("classify: export: %w", err)
	}
	m.MetadataProps = slices.DeleteFunc(m.GetMetadataProps(), func(e *onnxpb.StringStringEntryProto) bool { return slices.Contains(classLists, e.GetKey()) })
	g := m.GetGraph()
	g.Output = slices.DeleteFunc(g.GetOutput(), func(v *onnxpb.ValueInfoProto) bool { return v.GetName() != t.logits })
	if file, err = proto.Marshal(m); err != nil {
		return nil, fmt.Errorf("classify: export: %w", err)
	}
	mean, std, run := t.normal.Mean, t.normal.Std, t.cfg.Run
	order := schemas.ChannelsRGB
	if t.normal.BGR {
		order = schemas.ChannelsBGR
	}
	properties, err := schemas.ModelMetadata{
		Classes: t.train.Classes,
		Decode: schemas.Decode{
			Decoder: "classifier", Activation: schemas.ActivationSoftmax, Background: schemas.BackgroundNone,
			Input: schemas.DecodeInput{
				Width: t.train.Side, Height: t.train.Side, Resize: schemas.ResizeStretch, Channels: order, Mean: mean[:], Std: std[:],
			},
		},
		Run: &run,
	}.Properties()
	if err != nil {
		return nil, fmt.Errorf("classify: export: %w", err)
	}
	return onnx.WithMetadata(file, properties)
}
