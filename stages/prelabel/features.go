package prelabel

import (
	"context"
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// featureMap is what a layer of a model made of an image: [channels, rows, cols], the cells covering the input evenly.
type featureMap struct {
	layer                string
	channels, rows, cols int
	values               []float32
}

// WithFeatures is a session for Recognize whose graph has a feature map as its last output, [1, C, h, w], as LoadFeatures of
// connectors/onnx makes it. Detectors do not see that output. It reaches whoever watches a detection through its context, so
// that detections and features come of one run, of any family of models.
func WithFeatures(s Session) Session { return featured{s} }

type featured struct{ Session }

// Outputs implements Session.
func (s featured) Outputs() []schemas.TensorSpec {
	outs := s.Session.Outputs()
	return outs[:len(outs)-1]
}

// Run implements Session.
func (s featured) Run(ctx context.Context, fill, use func(tensors [][]float32) error) error {
	return s.Session.Run(ctx, fill, func(out [][]float32) error {
		last := len(out) - 1
		if m, ok := ctx.Value(watchedKey{}).(*featureMap); ok {
			spec := s.Session.Outputs()[last]
			m.layer, m.channels, m.rows, m.cols = spec.Name, int(spec.Shape[1]), int(spec.Shape[2]), int(spec.Shape[3])
			m.values = slices.Clone(out[last])
		}
		return use(out[:last])
	})
}

type watchedKey struct{}

// watch returns a context with which one detection fills in the map; it stays empty where the model has none.
func watch(ctx context.Context) (context.Context, *featureMap) {
	m := &featureMap{}
	return context.WithValue(ctx, watchedKey{}, m), m
}

// pool is the mean of the features under a box in pixels of the input, which is w by h, as a vector of length 1: precise RoI pooling to one
// cell (Jiang et al. 2018, Acquisition of Localization Confidence for Accurate Object Detection), which is the integral of the
// map, bilinear between the centers of cells, over the box. ok is false where the features are all zero or not finite.
func (m *featureMap) pool(b geometry.Box, w, h int) (v []float32, ok bool) {
	x, across := weights(m.cols, float64(b.X1)*float64(m.cols)/float64(w), float64(b.X2)*float64(m.cols)/float64(w))
	y, down := weights(m.rows, float64(b.Y1)*float64(m.rows)/float64(h), float64(b.Y2)*float64(m.rows)/float64(h))
	v = make([]float32, m.channels)
	square := 0.0
	for c := range v {
		sum := 0.0
		for j, wy := range down {
			line := float32(0)
			for i, f := range m.values[(c*m.rows+y+j)*m.cols+x:][:len(across)] {
				line += across[i] * f
			}
			sum += float64(wy) * float64(line)
		}
		v[c] = float32(sum)
		square += sum * sum
	}
	if !(square > 0) || math.IsInf(square, 0) {
		return nil, false
	}
	norm := float32(1 / math.Sqrt(square))
	for c := range v {
		v[c] *= norm
	}
	return v, true
}

// weights are those of n cells in the integral from a to b, in cells from the edge of the first: that of a cell is under a
// triangle which falls from 1 at its center to 0 at its neighbors'. Cells before and after those returned have none.
func weights(n int, a, b float64) (first int, w []float32) {
	first = min(max(int(a-0.5), 0), n-1)
	w = make([]float32, min(max(int(math.Ceil(b+0.5)), first+1), n)-first)
	for i := range w {
		center := float64(first+i) + 0.5
		w[i] = float32(triangle(b-center) - triangle(a-center))
	}
	return first, w
}

// triangle is the integral of max(0, 1-|u|) up to t.
func triangle(t float64) float64 {
	switch {
	case t <= -1:
		return 0
	case t <= 0:
		return (1 + t) * (1 + t) / 2
	case t <= 1:
		return 1 - (1-t)*(1-t)/2
	}
	return 1
}
