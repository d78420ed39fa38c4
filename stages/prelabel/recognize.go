package prelabel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"gleaner/schemas"
)

// family is a kind of graph that has a decoder.
type family struct {
	name  string
	takes string // shapes, for people
	uses  string // parts of a spec besides its input, separated by blanks
	input schemas.DecodeInput
	fit   func(g *graph) (*match, error) // nil where shapes or values are others
}

// families are all that are known, and tried in this order: where a graph fits several whose number of classes is that of
// the names, the first has it.
var families = []family{
	{"yolox", "1,A,5+C: a row for each cell, offsets still to be decoded", "strides outputs.predictions", yoloxInput, fitYOLOX},
	{"yolov5", "1,N,5+C: decoded boxes, objectness and classes", "boxes unit strides outputs.predictions", yoloInput, fitYOLOv5},
	{"yolov8", "1,4+C,A: a column for each cell", "boxes unit strides outputs.predictions", yoloInput, fitYOLOv8},
	{"yolov8-nms", "1,N,6: boxes, scores and classes after suppression", "boxes unit background outputs.predictions", yoloInput, fitSuppressed},
	{"fastestdet", "1,5+C,H/16,W/16", "strides outputs.predictions", fastestDetInput, fitFastestDet},
	{"nanodet", "A,C and A,4*B for each stride, or 1,A,C+4*B: distributions over distances", "activation strides outputs.predictions", nanoDetInput, fitNanoDet},
	{"detr", "1,Q,4 and 1,Q,C or 1,Q,C+1 logits, or 1,Q,4+C", "boxes unit activation background outputs.boxes outputs.scores outputs.predictions", boxesInput, fitDETR},
	{"boxes", "1,N,4 and 1,N,C; 1,N,4, 1,N and 1,N; or 1,N,5 and 1,N: boxes, scores, labels, perhaps a count", "boxes unit activation background outputs.boxes outputs.scores outputs.labels outputs.count", boxesInput, fitBoxes},
	{"classifier", "1,C", "activation background outputs.predictions", imageNetInput, fitClassifier},
	{"segmenter", "1,C,h,w or labels 1,h,w", "activation background outputs.predictions", imageNetInput, fitSegmenter},
}

// match is a graph read as of a family.
type match struct {
	decoder decoder
	classes int // that have names; 0: any number
	decode  schemas.Decode
	input   schemas.DecodeInput // what the family uses, where its graphs differ
	task    schemas.ModelTask   // empty: detect
	varies  bool                // the decoder takes outputs of any length
	why     []string
}

func (m *match) say(format string, args ...any) { m.why = append(m.why, fmt.Sprintf(format, args...)) }

// Recognize returns the adapter for a session: by the shapes of its graph, by the number of names where shapes leave a
// choice, and where both do by what a trial run gives. spec overrides each of these; one that is complete, as Model tells
// it, leaves nothing to recognize. classes are the names of the model's classes in the order of its outputs, without the
// background, and id is its name@version. The error prints the tensors seen and the decoders known.
func Recognize(s Session, id string, classes []string, spec schemas.Decode) (Detector, error) {
	name, version, err := schemas.ParseModelID(id)
	if err != nil {
		return nil, err
	}
	if err := spec.Validate(); err != nil {
		return nil, fmt.Errorf("model %s: %w", id, err)
	}
	g, err := newGraph(s, classes, spec)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w; %s", id, err, seen(s))
	}
	m, err := g.recognize()
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", id, err)
	}
	a := &adapter{session: s, input: g.input(m.decode.Input), decoder: m.decoder, idle: &sync.Pool{New: func() any { return &memory{} }}}
	if !m.varies {
		for _, o := range g.outputs {
			a.lengths = append(a.lengths, o.size())
		}
	}
	a.model = schemas.Model{
		ID: id, Name: name, Version: version, SHA256: s.SHA256(), Classes: slices.Clone(classes), Decode: m.decode,
		Task: orElse(m.task, schemas.TaskDetect),
	}
	return a, nil
}

// CheckDecode returns an error that names a part of a spec which would not count, since the decoder has no use for it. spec is what
// somebody asks for, and complete what Recognize made of it, as Model tells it. A model that is registered is not checked again:
// what its entry says more than counts does no harm.
func CheckDecode(spec, complete schemas.Decode) error {
	for _, part := range []struct {
		name string
		said bool
	}{
		{"boxes", spec.Boxes != ""},
		{"unit", spec.Unit != ""},
		{"activation", spec.Activation != "" && spec.Activation != schemas.ActivationNone},
		{"background", spec.Background != "" && spec.Background != schemas.BackgroundNone},
		{"strides", len(spec.Strides) > 0},
		{"outputs.predictions", spec.Outputs.Predictions != ""},
		{"outputs.boxes", spec.Outputs.Boxes != ""},
		{"outputs.scores", spec.Outputs.Scores != ""},
		{"outputs.labels", spec.Outputs.Labels != ""},
		{"outputs.count", spec.Outputs.Count != ""},
	} {
		if part.said && !slices.ContainsFunc(families, func(f family) bool {
			return f.name == complete.Decoder && slices.Contains(strings.Fields(f.uses), part.name)
		}) {
			return fmt.Errorf("decode: %s: decoder %s has no use for it", part.name, complete.Decoder)
		}
	}
	if spec.Activation == schemas.ActivationSoftmax && complete.Outputs.Labels != "" {
		return errors.New("decode: activation: softmax is over the scores of all classes, and beside labels there is one")
	}
	return nil
}

// recognize finds the family and completes the spec.
func (g *graph) recognize() (*match, error) {
	var first error
	for _, f := range families {
		if g.spec.Decoder != "" && g.spec.Decoder != f.name {
			continue
		}
		m, err := f.fit(g)
		if m == nil {
			if err != nil && first == nil {
				first = err
			}
			continue
		}
		if m.classes != 0 && m.classes != len(g.names) {
			if first == nil {
				first = fmt.Errorf("as %s it tells %d classes apart but the list of names has %d (names of its own belong into a *.names file beside it)", f.name, m.classes, len(g.names))
			}
			continue
		}
		if m.input.Resize == "" {
			m.input = f.input
		}
		m.decode.Decoder, m.decode.Input = f.name, g.complete(m.input)
		m.decode.Why = orElse(g.spec.Why, strings.Join(m.why, "; "))
		return m, nil
	}
	known := func() string {
		var b strings.Builder
		for _, f := range families {
			fmt.Fprintf(&b, "\n  %-11s %s", f.name, f.takes)
		}
		return b.String()
	}
	switch name := g.spec.Decoder; {
	case first != nil:
		return nil, fmt.Errorf("%w; %s", first, seen(g.session))
	case name == "":
		return nil, fmt.Errorf("no decoder fits; %s; known:%s", seen(g.session), known())
	case slices.ContainsFunc(families, func(f family) bool { return f.name == name }):
		return nil, fmt.Errorf("decoder %s does not fit; %s; known:%s", name, seen(g.session), known())
	default:
		return nil, fmt.Errorf("decode: decoder: %q is not known; known:%s", name, known())
	}
}

func seen(s Session) string {
	return "inputs seen: " + tensors(s.Inputs()) + "; outputs seen: " + tensors(s.Outputs())
}

func tensors(specs []schemas.TensorSpec) string {
	out := make([]string, len(specs))
	for i, s := range specs {
		out[i] = s.String()
	}
	return strings.Join(out, ", ")
}
