package onnx

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"

	ort "github.com/yalue/onnxruntime_go"

	"gleaner/schemas"
)

// maxStride bounds how coarse a feature map is chosen, in pixels of the input between its cells: maps for very large objects
// alone, as of stride 64 and 128, have too few cells for boxes.
const maxStride = 32

// LoadFeatures is LoadBytes of a model with one output more, the last: a map of features, [1, C, h, w], from within the graph.
// Detections and features thus come of one run. The digest is that of the model as it was.
//
// layer names the tensor. If it is empty, it is the one that detection heads and classifiers start from: among the maps of
// the coarsest grid of at most 32 pixels a cell, and that a layer with weights still reads, which a map of predictions is not,
// the last that has as many channels as any convolution makes there. Where there is none, the error wraps ErrNoFeatures. The
// error for a name that is not in the graph wraps ErrNoLayer and lists what could be meant.
func (r *Runtime) LoadFeatures(name string, model []byte, layer string, cfg Config) (*Session, error) {
	settled, err := settle(model, cfg)
	if err == nil {
		layer, err = r.featureLayer(settled, layer)
	}
	if err != nil {
		return nil, fmt.Errorf("onnx model %s: %w", name, err)
	}
	return r.session(name, withOutputs(settled, layer), sha256.Sum256(model), cfg)
}

func (r *Runtime) featureLayer(model []byte, layer string) (string, error) {
	g, err := parseGraph(model)
	if err != nil {
		return "", err
	}
	held, err := r.another() // the runtime stays while it looks at the graph
	if err != nil {
		return "", err
	}
	defer held.Close()
	ins, outs, err := ort.GetInputOutputInfoWithONNXData(withOutputs(model, g.fromImage()...))
	if err != nil {
		return "", fmt.Errorf("look at the tensors within: %w", starved(err))
	}
	maps := featureMaps(specs(ins), specs(outs[len(g.outputs):]))
	if layer == "" {
		return g.choose(maps)
	}
	if !slices.ContainsFunc(maps, func(m featureMap) bool { return m.Name == layer }) {
		return "", fmt.Errorf("%w: layer %q is none of the feature maps within the graph; some of them, the last first: %s", ErrNoLayer, layer, g.some(maps))
	}
	return layer, nil
}

// featureMap is a tensor [1, C, h, w]; an open first dimension counts as 1.
type featureMap struct {
	schemas.TensorSpec
	stride int // pixels of the input between two cells
}

func (m featureMap) channels() int64 { return m.Shape[1] }

func featureMaps(ins, tensors []schemas.TensorSpec) []featureMap {
	width := int64(0)
	for _, in := range ins {
		if s := in.Shape; len(s) == 4 && s[1] == 3 {
			width = s[3]
		} else if len(s) == 4 && s[3] == 3 {
			width = s[2]
		}
	}
	var maps []featureMap
	for _, t := range tensors {
		s := t.Shape
		single := len(s) == 4 && (s[0] == 1 && t.Type == "float16" || (s[0] == 1 || s[0] == -1) && t.Type == "float32")
		if single && s[1] > 0 && s[2] > 1 && s[3] > 1 && s[3] <= width {
			maps = append(maps, featureMap{t, int(math.Round(float64(width) / float64(s[3])))})
		}
	}
	return maps
}

func (g graph) choose(maps []featureMap) (string, error) {
	read, convolved := g.read(), g.convolved()
	maps = slices.DeleteFunc(maps, func(m featureMap) bool { return m.stride > maxStride || !read[m.Name] })
	coarsest, most := 0, int64(0)
	for _, m := range maps {
		coarsest = max(coarsest, m.stride)
	}
	for _, m := range maps {
		if m.stride == coarsest && convolved[m.Name] {
			most = max(most, m.channels())
		}
	}
	for _, m := range slices.Backward(maps) {
		if m.stride == coarsest && m.channels() >= most {
			return m.Name, nil
		}
	}
	return "", ErrNoFeatures
}

// some describes a few maps that a layer with weights reads, one of each shape, from the end of the graph backwards.
func (g graph) some(maps []featureMap) string {
	const most = 12
	read := g.read()
	var shapes [][]int64
	var out []string
	for _, m := range slices.Backward(maps) {
		same := func(s []int64) bool { return slices.Equal(s, m.Shape) }
		if len(out) == most || !read[m.Name] || slices.ContainsFunc(shapes, same) {
			continue
		}
		shapes, out = append(shapes, m.Shape), append(out, m.String())
	}
	if len(out) == 0 {
		return "it has none"
	}
	return strings.Join(out, ", ")
}
