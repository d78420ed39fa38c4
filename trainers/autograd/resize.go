package autograd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gleaner/connectors/onnx/onnxpb"
)

// resizeGrad: resizing is linear, and one axis after the other, so the gradient is a product with what the operator makes of
// the identity matrix.
func resizeGrad(t *tape, n node, dy []value) ([]value, error) {
	x, d := n.in[0], dy[0]
	mode := n.text("coordinate_transformation_mode", "half_pixel")
	if mode == "tf_crop_and_resize" || n.text("keep_aspect_ratio_policy", "stretch") != "stretch" || n.attribute("axes") != nil || x.rank() != 4 {
		return nil, errors.New("only whole images [N, C, H, W] are supported, each axis by itself")
	}
	var scales []float64
	if n.given(2) {
		c, ok := t.constants[n.in[2].name]
		if !ok {
			return nil, fmt.Errorf("the scales %s differ from run to run", n.in[2].name)
		}
		scales = reals(c)
	}
	if x.dims[0] != d.dims[0] || x.dims[1] != d.dims[1] {
		return nil, errors.New("only the last two axes may be resized")
	}
	if by := []int64{d.dims[2] / x.dims[2], d.dims[3] / x.dims[3]}; n.repeats(x, d, by, scales) {
		return []value{t.tileSums(d, by, 1)}, nil
	}
	for axis := 3; axis >= 2; axis-- {
		from, to := x.dims[axis], d.dims[axis]
		if from == to && (len(scales) == 0 || scales[axis] == 1) {
			continue
		}
		response := t.response(n, d.kind, from, to, scales, axis) // [from, to]: of each element alone
		if axis == 3 {
			d = t.matmul(d, t.swapped(response))
		} else {
			d = t.matmul(response, d)
		}
	}
	return []value{d}, nil
}

// repeats tells whether each element becomes a rectangle of by elements, as with modern and older exports of "nearest". Scales, where they
// are given, may be a little larger than by.
func (n node) repeats(x, y value, by []int64, scales []float64) bool {
	if len(scales) > 0 && !slices.Equal(scales[2:], []float64{float64(by[0]), float64(by[1])}) {
		return false
	}
	how := n.text("coordinate_transformation_mode", "half_pixel") + " " + n.text("nearest_mode", "round_prefer_floor")
	return n.text("mode", "nearest") == "nearest" && y.dims[2] == by[0]*x.dims[2] && y.dims[3] == by[1]*x.dims[3] &&
		(how == "asymmetric floor" || strings.HasPrefix(how, "half_pixel round_prefer"))
}

// response is the operator's answer to the identity matrix, with only the last axis resized.
func (t *tape) response(n node, k kind, from, to int64, scales []float64, axis int) value {
	eye := make([]float64, from*from)
	for i := range from {
		eye[i*from+i] = 1
	}
	inputs := []value{t.floats(k, []int64{1, 1, from, from}, eye...), {}}
	if len(scales) > 0 {
		inputs = append(inputs, t.floats(float32s, []int64{4}, 1, 1, 1, scales[axis]))
	} else {
		inputs = append(inputs, value{}, t.ints(1, 1, from, to))
	}
	attributes := slices.DeleteFunc(slices.Clone(n.GetAttribute()), func(a *onnxpb.AttributeProto) bool { return a.GetName() == "keep_aspect_ratio_policy" })
	return t.reshape(t.op("Resize", k, []int64{1, 1, from, to}, inputs, attributes...), from, to)
}
