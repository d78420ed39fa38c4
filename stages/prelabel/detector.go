package prelabel

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
)

// Detector finds objects in images. It is safe for concurrent use.
type Detector interface {
	// Detect returns every detection whose score is at least low, best first, at most 1000 of them and not yet thinned by
	// suppression: boxes in pixels of img, finite, not empty and within the image; scores in [0,1]. IDs are empty.
	Detect(ctx context.Context, img *pixels.Image, low float32) ([]schemas.Object, error)
	// DetectDense is Detect, and returns of the same run the candidates that d asks for, in the model's classes. They are the caller's
	// to change, but for the scores of cells.
	DetectDense(ctx context.Context, img *pixels.Image, low float32, d Dense) ([]schemas.Object, schemas.Candidates, error)
	// Embed describes a whole image by numbers that are always as many.
	Embed(ctx context.Context, img *pixels.Image) ([]float32, error)
	// Model says which model it is, with its task, its classes and the whole of its decode spec.
	Model() schemas.Model
}

// Session runs a graph; connectors/onnx has one. Run calls fill with the input tensors and use with the output tensors, as
// float32 whatever the graph's types, which are good until the function returns; it may be called by many goroutines at
// once. A dimension of an output that is -1 varies from run to run.
type Session interface {
	Inputs() []schemas.TensorSpec
	Outputs() []schemas.TensorSpec
	SHA256() schemas.Hash
	Run(ctx context.Context, fill, use func(tensors [][]float32) error) error
}

// decoder reads the outputs of a family of graphs. Outputs that do not vary have the lengths that they had when the graph was
// recognized; their numbers may be anything.
type decoder interface {
	// decode appends what scores at least low to found, in pixels of the input.
	decode(found []candidate, out [][]float32, low float32) ([]candidate, error)
	// features are the scores of channels in cells, for Embed.
	features(out [][]float32) (cells, channels int, at func(cell, channel int) float32)
}

// candidate is a detection in the making.
type candidate struct {
	box   geometry.Box // pixels of the input; what is not finite or lies outside the image is dropped later
	class int          // index in the model's classes
	score float32
	cell  int // that it comes of, as a manifold counts them
}

// adapter is the Detector of a recognized graph.
type adapter struct {
	session Session
	model   schemas.Model
	input   input
	decoder decoder
	lengths []int      // of the outputs in numbers; nil where the decoder takes any
	idle    *sync.Pool // of *memory
}

// memory is what looking at an image takes besides what comes of it; the next image uses it again.
type memory struct {
	found, sorted []candidate
	order         []uint64
	ranks         ranks
}

func (a *adapter) Model() schemas.Model { return a.model }

func (a *adapter) Detect(ctx context.Context, img *pixels.Image, low float32) ([]schemas.Object, error) {
	objects, _, err := a.DetectDense(ctx, img, low, Dense{})
	return objects, err
}

func (a *adapter) DetectDense(ctx context.Context, img *pixels.Image, low float32, d Dense) (objects []schemas.Object, dense schemas.Candidates, err error) {
	least := low
	if d.Max > 0 {
		least = min(low, d.Floor)
	}
	at := a.input.place(img.W, img.H)
	err = a.run(ctx, img, at, func(out [][]float32) error {
		m := a.idle.Get().(*memory)
		defer a.idle.Put(m)
		var err error
		if m.found, err = a.decoder.decode(m.found[:0], out, least); err != nil {
			return err
		}
		found := m.onImage(at, img.W, img.H)
		objects = a.objects(found, low)
		if d.Max > 0 {
			dense = a.dense(out, found, at, d, &m.ranks)
		}
		return nil
	})
	return objects, dense, err
}

// Embed describes a whole image, such as the crop of a box, by what the model makes of it: for each of the scores that
// the decoder reads the mean and the maximum over all cells, interleaved.
func (a *adapter) Embed(ctx context.Context, img *pixels.Image) ([]float32, error) {
	var e []float32
	err := a.run(ctx, img, a.input.place(img.W, img.H), func(out [][]float32) error {
		e = pool(a.decoder.features(out))
		return nil
	})
	return e, err
}

func (a *adapter) run(ctx context.Context, img *pixels.Image, at placement, use func(out [][]float32) error) error {
	return a.session.Run(ctx, func(in [][]float32) error {
		a.input.fill(in, img, at)
		return nil
	}, func(out [][]float32) error {
		for i, n := range a.lengths {
			if len(out[i]) != n {
				return fmt.Errorf("model %s: output %s came with %d numbers, and with %d when it was recognized", a.model.ID, a.session.Outputs()[i], len(out[i]), n)
			}
		}
		return use(out)
	})
}

// onImage takes what was found to pixels of a w by h image, best first and equals in the order given. What is not finite or lies outside
// it is dropped.
func (m *memory) onImage(at placement, w, h int) []candidate {
	kept := m.found[:0]
	for _, c := range m.found {
		if c.box = at.back(c.box); !finite(c.box) || math.IsNaN(float64(c.score)) {
			continue
		}
		if c.box = c.box.Clip(w, h); !c.box.Empty() {
			c.score = min(c.score, 1)
			kept = append(kept, c)
		}
	}
	// Scores are not negative, so their bits are in their order; numbers sort several times as fast as candidates.
	m.order = m.order[:0]
	for i, c := range kept {
		m.order = append(m.order, uint64(^math.Float32bits(c.score))<<32|uint64(i)) //nolint:gosec // there are fewer cells than 2^32
	}
	slices.Sort(m.order)
	m.sorted = m.sorted[:0]
	for _, o := range m.order {
		m.sorted = append(m.sorted, kept[uint32(o)]) //nolint:gosec // its lower half
	}
	return m.sorted
}

// objects makes detections of candidates that score at least low.
func (a *adapter) objects(found []candidate, low float32) []schemas.Object {
	n := 0
	for n < len(found) && found[n].score >= low {
		n++
	}
	out := make([]schemas.Object, n)
	for i, c := range found[:n] {
		out[i] = schemas.Object{Class: a.model.Classes[c.class], Box: c.box, Score: c.score, Source: a.model.ID}
	}
	sortByScore(out)
	return out[:min(len(out), maxCandidates)]
}

// maxCandidates bounds what one image can yield whatever a model says.
const maxCandidates = 1000

func finite(b geometry.Box) bool {
	for _, v := range [4]float32{b.X1, b.Y1, b.X2, b.Y2} {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return false
		}
	}
	return true
}

func pool(cells, channels int, at func(cell, channel int) float32) []float32 {
	e := make([]float32, 2*channels)
	for c := range channels {
		for i := range cells {
			v := at(i, c)
			if i == 0 {
				e[2*c+1] = v
			}
			e[2*c] += v / float32(cells)
			e[2*c+1] = max(e[2*c+1], v)
		}
	}
	return e
}
