package prelabel

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
)

// Detector finds objects in images. It is safe for concurrent use.
type Detector interface {
	// Detect returns every detection whose score is at least low, best first, at most 1000 of them and not yet thinned by
	// suppression: boxes in pixels of img, finite, not empty and within the image; scores in [0,1]. IDs are empty.
	Detect(ctx context.Context, img *pixels.Image, low float32) ([]schemas.Object, error)
	// Embed describes a whole image by numbers that are always as many.
	Embed(ctx context.Context, img *pixels.Image) ([]float32, error)
	// Model says which model it is, with its decoder and classes.
	Model() schemas.Model
}

// Session runs a graph of float32 tensors with fixed shapes; connectors/onnx has one. Run calls fill with the input tensors
// and use with the output tensors, which are good until the function returns; it may be called by many goroutines at once.
type Session interface {
	Inputs() []schemas.TensorSpec
	Outputs() []schemas.TensorSpec
	SHA256() schemas.Hash
	Run(ctx context.Context, fill, use func(tensors [][]float32) error) error
}

// maxCandidates bounds what one image can yield whatever a model says.
const maxCandidates = 1000

// Recognize returns the adapter for a session by the shapes of its graph. classes are the names of the model's classes in
// the order of its outputs, and id is its name@version. The error prints the tensors seen and the decoders known.
func Recognize(s Session, id string, classes []string) (Detector, error) {
	ins, outs := s.Inputs(), s.Outputs()
	var in, out []int64
	if len(ins) == 1 && len(outs) == 1 {
		in, out = ins[0].Shape, outs[0].Shape
	}
	g := graph{session: s}
	if len(in) == 4 && in[0] == 1 && in[1] == 3 && in[2] > 0 && in[3] > 0 {
		g.h, g.w = int(in[2]), int(in[3])
	}
	var d Detector
	var n int
	switch {
	case g.w > 0 && yoloxFits(g.w, g.h, out):
		n = int(out[2]) - 5
		g.model.Decode.Decoder = "yolox"
		d = &yolox{&g}
	case g.w > 0 && fastestDetFits(g.w, g.h, out):
		n = int(out[1]) - 5
		g.model.Decode.Decoder = "fastestdet"
		d = &fastestDet{&g, int(out[3]), int(out[2])}
	default:
		return nil, fmt.Errorf("model %s: no decoder for inputs %s and outputs %s; known: yolox (1,3,H,W to 1,A,5+C with A cells of strides 8, 16 and 32, undecoded), "+
			"fastestdet (1,3,H,W to 1,5+C,H/16,W/16)", id, tensors(ins), tensors(outs))
	}
	if len(classes) != n {
		return nil, fmt.Errorf("model %s: it tells %d classes apart but the list of names has %d", id, n, len(classes))
	}
	name, version, err := schemas.ParseModelID(id)
	if err != nil {
		return nil, err
	}
	m := &g.model
	m.ID, m.Name, m.Version, m.SHA256, m.Task, m.Classes = id, name, version, s.SHA256(), schemas.TaskDetect, slices.Clone(classes)
	return d, nil
}

// graph is what the adapters have in common: the session, the input's size in pixels and the model's identity.
type graph struct {
	session Session
	w, h    int
	model   schemas.Model
}

func (g *graph) Model() schemas.Model { return g.model }

// candidate is a detection in the making.
type candidate struct {
	box   geometry.Box // pixels of the image
	class int
	score float32
}

// objects makes detections of candidates: what is not finite, lies outside a w by h image or scores below low is dropped.
func (g *graph) objects(found []candidate, w, h int, low float32) []schemas.Object {
	out := make([]schemas.Object, 0, len(found))
	for _, c := range found {
		b := c.box
		if !finite(b) || !(c.score >= low) {
			continue
		}
		if b = b.Clip(w, h); b.Empty() {
			continue
		}
		out = append(out, schemas.Object{Class: g.model.Classes[c.class], Box: b, Score: min(c.score, 1), Source: g.model.ID})
	}
	sortByScore(out)
	return out[:min(len(out), maxCandidates)]
}

func finite(b geometry.Box) bool {
	for _, v := range [4]float32{b.X1, b.Y1, b.X2, b.Y2} {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return false
		}
	}
	return true
}

// best is the index and value of the greatest of p. NaN never wins; of equals the first does.
func best(p []float32) (int, float32) {
	at, top := 0, float32(math.Inf(-1))
	for i, v := range p {
		if v > top {
			at, top = i, v
		}
	}
	return at, top
}

func tensors(specs []schemas.TensorSpec) string {
	out := make([]string, len(specs))
	for i, s := range specs {
		out[i] = s.String()
	}
	return strings.Join(out, ", ")
}
