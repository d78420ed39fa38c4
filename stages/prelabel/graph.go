package prelabel

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gleaner/schemas"
)

// graph is what recognition looks at: the session with its shapes, the names of classes and what the spec says already.
type graph struct {
	session      Session
	w, h         int  // of the input
	image, sizes int  // indexes of inputs; sizes is -1, or of one that takes [1, 2] the size to scale boxes to, as RT-DETR's
	channelsLast bool // [1, H, W, 3]
	bytes        bool // the input holds levels
	outputs      []output
	names        []string
	spec         schemas.Decode
}

// output is one of the graph's outputs.
type output struct {
	index  int
	spec   schemas.TensorSpec
	shape  []int64 // what varies is as on a trial run
	varies bool
}

func (o output) size() int {
	n := 1
	for _, d := range o.shape {
		n *= int(d)
	}
	return n
}

// matrix is the shape of rows, [N, K] or [1, N, K].
func (o output) matrix() (rows, columns int, ok bool) {
	s := o.shape
	if len(s) == 3 && s[0] == 1 {
		s = s[1:]
	}
	if len(s) != 2 {
		return 0, 0, false
	}
	return int(s[0]), int(s[1]), true
}

// vector is the length of a list, [N], [1, N], [N, 1] or [1, N, 1].
func (o output) vector() (n int, ok bool) {
	s := o.shape
	if len(s) > 1 && s[0] == 1 {
		s = s[1:]
	}
	if len(s) > 1 && s[len(s)-1] == 1 {
		s = s[:len(s)-1]
	}
	if len(s) != 1 {
		return 0, false
	}
	return int(s[0]), true
}

func (o output) integers() bool {
	return slices.Contains([]string{"int64", "int32", "uint8"}, o.spec.Type)
}

// view is a part of the rows of an output.
type view struct{ output, first, row int }

func (v view) at(outs [][]float32, i, n int) []float32 {
	return outs[v.output][v.first+i*v.row:][:n]
}

func newGraph(s Session, names []string, spec schemas.Decode) (*graph, error) {
	g := &graph{session: s, image: -1, sizes: -1, names: names, spec: spec}
	for i, in := range s.Inputs() {
		n := len(in.Shape)
		switch {
		case g.image < 0 && (n == 3 || n == 4 && in.Shape[0] == 1) && in.Shape[n-3] == 3:
			g.image, g.h, g.w = i, int(in.Shape[n-2]), int(in.Shape[n-1])
		case g.image < 0 && (n == 3 || n == 4 && in.Shape[0] == 1) && in.Shape[n-1] == 3:
			g.image, g.h, g.w, g.channelsLast = i, int(in.Shape[n-3]), int(in.Shape[n-2]), true
		case g.sizes < 0 && slices.Equal(in.Shape, []int64{1, 2}):
			g.sizes = i
			continue
		default:
			return nil, fmt.Errorf("input %s is neither an image, 1,3,H,W or 1,H,W,3, nor the size to scale boxes to, 1,2", in)
		}
		g.bytes = in.Type == "uint8"
	}
	if g.image < 0 {
		return nil, errors.New("there is no image among the inputs")
	}
	if w, h := spec.Input.Width, spec.Input.Height; w > 0 && (w != g.w || h != g.h) {
		return nil, fmt.Errorf("the input is fixed at %dx%d pixels, but the decode spec says %dx%d", g.w, g.h, w, h)
	}
	varies := false
	for i, spec := range s.Outputs() {
		o := output{i, spec, slices.Clone(spec.Shape), slices.Contains(spec.Shape, -1)}
		g.outputs = append(g.outputs, o)
		varies = varies || o.varies
	}
	for role, name := range map[string]string{
		"predictions": spec.Outputs.Predictions, "boxes": spec.Outputs.Boxes, "scores": spec.Outputs.Scores, "labels": spec.Outputs.Labels,
		"count": spec.Outputs.Count,
	} {
		if name != "" && !slices.ContainsFunc(g.outputs, func(o output) bool { return o.spec.Name == name }) {
			return nil, fmt.Errorf("decode: outputs.%s: no output is named %q", role, name)
		}
	}
	if !varies {
		return g, nil
	}
	values, err := g.trial(boxesInput)
	for i, o := range g.outputs {
		if o.varies && err == nil {
			open := slices.Index(o.shape, -1)
			o.shape[open] = 1
			o.shape[open] = int64(len(values[i]) / max(o.size(), 1))
		}
	}
	return g, err
}

// one returns the output that the spec names for predictions, else the only one whose shape has so many dimensions.
func (g *graph) one(dimensions ...int) (output, bool) {
	var found []output
	for _, o := range g.outputs {
		if slices.Contains(dimensions, len(o.shape)) && (g.spec.Outputs.Predictions == "" || g.spec.Outputs.Predictions == o.spec.Name) {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		return output{}, false
	}
	return found[0], true
}

// grids are those of the spec's strides, else of the family's.
func (g *graph) grids(strides []int) []grid {
	if len(g.spec.Strides) > 0 {
		strides = g.spec.Strides
	}
	return gridsOf(g.w, g.h, strides)
}

// anchors finds the strides and the number of rows for each cell, one of those given, that make up all rows; 0 where none do.
func (g *graph) anchors(rows int, each ...int) (strides []int, anchors int) {
	known := [][]int{{8, 16, 32}, {8, 16, 32, 64}, {4, 8, 16, 32}}
	if len(g.spec.Strides) > 0 {
		known = [][]int{g.spec.Strides}
	}
	for _, strides := range known {
		for _, n := range each {
			if n*cellsOf(gridsOf(g.w, g.h, strides)) == rows {
				return strides, n
			}
		}
	}
	return nil, 0
}

// background says where the class is that has no name, if there is one more class than names.
func (g *graph) background(classes int, place schemas.Background) schemas.Background {
	switch {
	case g.spec.Background != "":
		return g.spec.Background
	case classes == len(g.names)+1:
		return place
	}
	return schemas.BackgroundNone
}

// reader reads boxes as a complete spec says.
func (g *graph) reader(d schemas.Decode) boxReader {
	if d.Unit == schemas.UnitNormalized {
		return boxReader{d.Boxes, float32(g.w), float32(g.h)}
	}
	return boxReader{d.Boxes, 1, 1}
}

// trial runs the graph on a mosaic of colors, and returns its outputs.
func (g *graph) trial(in schemas.DecodeInput) ([][]float32, error) {
	input := g.input(g.complete(in))
	img := mosaic(g.w, g.h)
	var values [][]float32
	// A run does not stop for a context once it has begun.
	err := g.session.Run(context.Background(), func(in [][]float32) error {
		input.fill(in, img, input.place(img.W, img.H))
		return nil
	}, func(out [][]float32) error {
		for _, o := range out {
			values = append(values, slices.Clone(o))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("trial run: %w", err)
	}
	return values, nil
}

// centers tells how far the centers of rows of n numbers are from their cells, see offCells.
func (g *graph) centers(index, n int, grids []grid) (offsets, pixels float64, err error) {
	out, err := g.trial(yoloxInput)
	if err != nil {
		return 0, 0, err
	}
	if len(out[index]) < n*cellsOf(grids) {
		return 0, 0, nil
	}
	offsets, pixels = offCells(out[index], n, grids)
	return offsets, pixels, nil
}

func orElse[T ~string](given, otherwise T) T {
	if given != "" {
		return given
	}
	return otherwise
}
