package autograd

import (
	"math/rand/v2"
	"slices"

	"gleaner/connectors/onnx/onnxpb"
)

// examples draw operators with their attributes and shapes.
var examples = map[string]func(r *rand.Rand) example{
	"Add": pair("Add", nil, nil), "Sub": pair("Sub", nil, nil), "Mul": pair("Mul", nil, nil), "Div": pair("Div", nil, away),
	"Pow": pair("Pow", positive, nil),
	"Sum": func(r *rand.Rand) example {
		d := dims(r, 3, 4)
		return example{operator: "Sum", inputs: []operand{{dims: d}, {dims: d[1:]}, {dims: []int64{1}}}}
	},
	"Max": pair("Max", spread, spreadHalf), "Min": pair("Min", spread, spreadHalf),
	"Where": func(r *rand.Rand) example {
		d := dims(r, 2, 4)
		return example{operator: "Where", inputs: []operand{{dims: d[1:], mask: true}, {dims: d}, {dims: d[1:]}}}
	},
	"Identity": unary("Identity", nil), "Cast": unary("Cast", nil, intAttr("to", int64(float64s))),
	"Neg": unary("Neg", nil), "Abs": unary("Abs", nil), "Reciprocal": unary("Reciprocal", positive), "Sqrt": unary("Sqrt", positive),
	"Exp": unary("Exp", nil), "Log": unary("Log", positive), "Sin": unary("Sin", nil), "Cos": unary("Cos", nil), "Erf": unary("Erf", nil),
	"Relu": unary("Relu", nil), "Sigmoid": unary("Sigmoid", nil), "Tanh": unary("Tanh", nil), "Softplus": unary("Softplus", nil),
	"Mish": unary("Mish", nil), "HardSwish": unary("HardSwish", nil),
	"LeakyRelu": unary("LeakyRelu", nil, floatAttr("alpha", 0.2)), "Elu": unary("Elu", nil, floatAttr("alpha", 0.7)),
	"HardSigmoid": unary("HardSigmoid", nil, floatAttr("alpha", 0.11), floatAttr("beta", 0.4)),
	"Gelu": func(r *rand.Rand) example {
		return unary("Gelu", nil, textAttr("approximate", one(r, "none", "tanh")))(r)
	},
	"PRelu": func(r *rand.Rand) example {
		d := dims(r, 4, 4)
		return example{operator: "PRelu", inputs: []operand{{dims: d}, {dims: []int64{d[1], 1, 1}}}}
	},
	"Clip": func(r *rand.Rand) example {
		e := unary("Clip", spread)(r)
		e.inputs = append(e.inputs, operand{dims: []int64{}, reals: []float64{-0.51}}, operand{dims: []int64{}, reals: []float64{0.72}})
		return e
	},
	"Floor": still("Floor"), "Ceil": still("Ceil"), "Round": still("Round"), "Sign": still("Sign"),
	"Softmax": softmax("Softmax"), "LogSoftmax": softmax("LogSoftmax"),
	"MatMul": func(r *rand.Rand) example {
		n, k, m, a, b := between(r, 1, 4), between(r, 1, 4), between(r, 1, 4), between(r, 1, 3), between(r, 1, 3)
		shapes := one(r, [2][]int64{{n, k}, {k, m}}, [2][]int64{{a, n, k}, {k, m}}, [2][]int64{{a, b, n, k}, {b, k, m}}, [2][]int64{{n, k}, {a, k, m}},
			[2][]int64{{k}, {k, m}}, [2][]int64{{a, n, k}, {k}}, [2][]int64{{k}, {k}}, [2][]int64{{a, 1, n, k}, {1, b, k, m}})
		return example{operator: "MatMul", inputs: []operand{{dims: shapes[0]}, {dims: shapes[1]}}}
	},
	"Gemm": func(r *rand.Rand) example {
		n, k, m := between(r, 1, 5), between(r, 1, 5), between(r, 1, 5)
		a, b := []int64{n, k}, []int64{k, m}
		ta, tb := r.Int64N(2), r.Int64N(2)
		if ta == 1 {
			slices.Reverse(a)
		}
		if tb == 1 {
			slices.Reverse(b)
		}
		e := example{operator: "Gemm", inputs: []operand{{dims: a}, {dims: b}}, attributes: []*onnxpb.AttributeProto{
			intAttr("transA", ta), intAttr("transB", tb), floatAttr("alpha", 0.5), floatAttr("beta", 1.5),
		}}
		if r.IntN(3) > 0 {
			e.inputs = append(e.inputs, operand{dims: one(r, []int64{m}, []int64{n, m}, []int64{1}, []int64{n, 1})})
		}
		return e
	},
	"Conv": conv, "ConvTranspose": convTranspose,
	"BatchNormalization": func(r *rand.Rand) example {
		d := dims(r, one(r, 2, 3, 4), 4)
		d[0]++
		c := []int64{d[1]}
		return example{operator: "BatchNormalization", training: r.IntN(2) == 0, attributes: []*onnxpb.AttributeProto{floatAttr("epsilon", 1e-2)}, inputs: []operand{
			{dims: d}, {dims: c}, {dims: c}, {dims: c, fixed: true}, {dims: c, fixed: true, draw: positive},
		}}
	},
	"InstanceNormalization": func(r *rand.Rand) example {
		d := []int64{between(r, 1, 3), between(r, 1, 4), between(r, 2, 4), one(r, between(r, 2, 4), 256)}
		c := []int64{d[1]}
		return example{operator: "InstanceNormalization", attributes: []*onnxpb.AttributeProto{floatAttr("epsilon", 1e-2)}, inputs: []operand{{dims: d}, {dims: c}, {dims: c}}}
	},
	"GroupNormalization": func(r *rand.Rand) example {
		g := between(r, 1, 3)
		d := []int64{between(r, 1, 3), g * between(r, 1, 3), between(r, 2, 4), between(r, 2, 4)}
		c := []int64{d[1]}
		return example{operator: "GroupNormalization", single: true, attributes: []*onnxpb.AttributeProto{floatAttr("epsilon", 1e-2), intAttr("num_groups", g)}, inputs: []operand{{dims: d}, {dims: c}, {dims: c}}}
	},
	"LayerNormalization": func(r *rand.Rand) example {
		d := dims(r, 3, 4)
		d[2]++
		axis := one[int64](r, -1, 1)
		tail := d[2:]
		if axis == 1 {
			tail = d[1:]
		}
		inputs := []operand{{dims: d}, {dims: tail}, {dims: tail}}
		return example{operator: "LayerNormalization", attributes: []*onnxpb.AttributeProto{floatAttr("epsilon", 1e-2), intAttr("axis", axis)}, inputs: inputs[:2+r.IntN(2)]}
	},
	"MaxPool": func(r *rand.Rand) example { return beyond(r, tiled(r, pool(r, "MaxPool", distinct))) },
	"AveragePool": func(r *rand.Rand) example {
		e := pool(r, "AveragePool", nil)
		e.attributes = append(e.attributes, intAttr("count_include_pad", r.Int64N(2)))
		return tiled(r, e)
	},
	"GlobalAveragePool": planes("GlobalAveragePool", nil), "GlobalMaxPool": planes("GlobalMaxPool", distinct),
	"Resize":    resize,
	"ReduceSum": reduction("ReduceSum", nil), "ReduceMean": reduction("ReduceMean", nil), "ReduceSumSquare": reduction("ReduceSumSquare", nil),
	"ReduceL1": reduction("ReduceL1", nil), "ReduceL2": reduction("ReduceL2", nil), "ReduceLogSum": reduction("ReduceLogSum", positive),
	"ReduceLogSumExp": reduction("ReduceLogSumExp", nil), "ReduceMax": reduction("ReduceMax", distinct), "ReduceMin": reduction("ReduceMin", distinct),
	"ReduceProd": reduction("ReduceProd", func(r *rand.Rand, i int) float64 {
		if r.IntN(20) == 0 {
			return 0
		}
		return away(r, i)
	}),
	"Reshape": func(r *rand.Rand) example {
		d := dims(r, 3, 4)
		return example{operator: "Reshape", inputs: []operand{{dims: d}, list(d[1], -1)}}
	},
	"Flatten": func(r *rand.Rand) example {
		return unary("Flatten", nil, intAttr("axis", one[int64](r, 0, 1, 2, -1)))(r)
	},
	"Squeeze": func(r *rand.Rand) example {
		return example{operator: "Squeeze", inputs: []operand{{dims: []int64{between(r, 2, 4), 1, between(r, 2, 4), 1}}, list(1, -1)}}
	},
	"Unsqueeze": func(r *rand.Rand) example {
		return example{operator: "Unsqueeze", inputs: []operand{{dims: dims(r, 2, 4)}, list(0, -1)}}
	},
	"Transpose": func(r *rand.Rand) example {
		e := unary("Transpose", nil)(r)
		e.inputs[0].dims = dims(r, 4, 4)
		if r.IntN(3) > 0 {
			perm := iota64(4)
			r.Shuffle(4, func(i, j int) { perm[i], perm[j] = perm[j], perm[i] })
			e.attributes = []*onnxpb.AttributeProto{intsAttr("perm", perm...)}
		}
		return e
	},
	"Expand": func(r *rand.Rand) example {
		d := dims(r, 2, 4)
		return example{operator: "Expand", inputs: []operand{{dims: []int64{d[0], 1}}, list(between(r, 1, 3), d[0], d[1])}}
	},
	"Tile": func(r *rand.Rand) example {
		return example{operator: "Tile", inputs: []operand{{dims: dims(r, 2, 4)}, list(between(r, 1, 3), between(r, 1, 3))}}
	},
	"DepthToSpace": func(r *rand.Rand) example {
		return example{
			operator: "DepthToSpace", inputs: []operand{{dims: []int64{2, 4 * between(r, 1, 3), between(r, 1, 3), 2}}},
			attributes: []*onnxpb.AttributeProto{intAttr("blocksize", 2), textAttr("mode", one(r, "DCR", "CRD"))},
		}
	},
	"SpaceToDepth": func(r *rand.Rand) example {
		return example{
			operator: "SpaceToDepth", inputs: []operand{{dims: []int64{2, between(r, 1, 3), 2 * between(r, 1, 3), 4}}},
			attributes: []*onnxpb.AttributeProto{intAttr("blocksize", 2)},
		}
	},
	"Concat": func(r *rand.Rand) example {
		d := dims(r, 3, 4)
		axis := r.Int64N(3)
		e := example{operator: "Concat", attributes: []*onnxpb.AttributeProto{intAttr("axis", one(r, axis, axis-3))}}
		for range between(r, 1, 3) {
			each := slices.Clone(d)
			each[axis] = between(r, 1, 4)
			e.inputs = append(e.inputs, operand{dims: each})
		}
		return e
	},
	"Split": func(r *rand.Rand) example {
		a, b := between(r, 1, 3), between(r, 1, 3)
		e := example{
			operator: "Split", outputs: 2, inputs: []operand{{dims: []int64{between(r, 1, 3), a + b, 2}}, list(a, b)},
			attributes: []*onnxpb.AttributeProto{intAttr("axis", 1)},
		}
		if r.IntN(2) == 0 {
			e.inputs, e.attributes = e.inputs[:1], append(e.attributes, intAttr("num_outputs", 2))
		}
		return e
	},
	"Slice": func(r *rand.Rand) example {
		d := []int64{between(r, 2, 5), between(r, 2, 6), between(r, 2, 6)}
		start, step := r.Int64N(d[2]), between(r, 1, 3)
		if r.IntN(2) == 0 {
			return example{operator: "Slice", inputs: []operand{{dims: d}, list(start, -1), list(1<<40, -1<<40), list(2, 1), list(step, -between(r, 1, 2))}}
		}
		return example{operator: "Slice", inputs: []operand{{dims: d}, list(r.Int64N(d[0])), list(d[0])}}
	},
	"Pad": func(r *rand.Rand) example {
		d := dims(r, 3, 4)
		d[1]++
		if r.IntN(2) == 0 {
			return example{operator: "Pad", inputs: []operand{{dims: d}, list(between(r, 0, 2), -1, 1, 0), {absent: true}, list(-1, 1)}}
		}
		return example{operator: "Pad", inputs: []operand{{dims: d}, list(between(r, 0, 2), 0, 1, between(r, 0, 2), -1, 0)}}
	},
	"Gather": func(r *rand.Rand) example {
		d := dims(r, 3, 5)
		axis := r.Int64N(3)
		index := list(r.Int64N(d[axis]), -1, 0, r.Int64N(d[axis]))
		switch r.IntN(3) {
		case 0:
			index = operand{dims: []int64{}, integer: []int64{-1}}
		case 1:
			index = list(iota64(int(d[axis]))...)
		}
		return example{operator: "Gather", inputs: []operand{{dims: d}, index}, attributes: []*onnxpb.AttributeProto{intAttr("axis", axis)}}
	},
}

func list(x ...int64) operand { return operand{dims: []int64{int64(len(x))}, integer: x} }

func between(r *rand.Rand, low, high int64) int64 { return low + r.Int64N(high-low+1) }

func dims(r *rand.Rand, rank int, most int64) []int64 {
	out := make([]int64, rank)
	for i := range out {
		out[i] = between(r, 1, most)
	}
	return out
}

func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// away draws from what may be divided by.
func away(r *rand.Rand, i int) float64 { return positive(r, i) * float64(1-2*r.IntN(2)) }

// spread draws tenths, and spreadHalf what lies between them, so that no two are closer than steps of differences.
func spread(r *rand.Rand, _ int) float64 { return float64(r.IntN(40)-20) / 10 }

func spreadHalf(r *rand.Rand, _ int) float64 { return float64(r.IntN(40)-20)/10 + 0.05 }

// distinct draws by the element's place, in no order, so that no two are alike.
func distinct(_ *rand.Rand, i int) float64 { return float64(i*7919%2003)/10 - 100 }

func unary(operator string, draw func(*rand.Rand, int) float64, attributes ...*onnxpb.AttributeProto) func(*rand.Rand) example {
	return func(r *rand.Rand) example {
		return example{operator: operator, attributes: attributes, inputs: []operand{{dims: dims(r, 3, 4), draw: draw}}}
	}
}

func still(operator string) func(*rand.Rand) example {
	return func(r *rand.Rand) example {
		e := unary(operator, func(r *rand.Rand, _ int) float64 { return float64(r.IntN(20)-10) + 0.25 })(r)
		e.flat = true
		return e
	}
}

// pair draws shapes that broadcast either way.
func pair(operator string, first, second func(*rand.Rand, int) float64) func(*rand.Rand) example {
	return func(r *rand.Rand) example {
		a := dims(r, 4, 4)
		b := slices.Clone(a)
		for i := range b {
			if r.IntN(3) == 0 {
				one(r, a, b)[i] = 1
			}
		}
		b = b[r.IntN(4):]
		return example{operator: operator, inputs: []operand{{dims: a, draw: first}, {dims: b, draw: second}}}
	}
}

func softmax(operator string) func(*rand.Rand) example {
	return func(r *rand.Rand) example {
		return unary(operator, nil, intAttr("axis", one[int64](r, 0, 1, 2, -1)))(r)
	}
}

func planes(operator string, draw func(*rand.Rand, int) float64) func(*rand.Rand) example {
	return func(r *rand.Rand) example {
		return example{operator: operator, inputs: []operand{{dims: dims(r, 4, 4), draw: draw}}}
	}
}

func reduction(operator string, draw func(*rand.Rand, int) float64) func(*rand.Rand) example {
	return func(r *rand.Rand) example {
		e := unary(operator, draw, intAttr("keepdims", r.Int64N(2)))(r)
		e.inputs[0].dims = dims(r, 4, 3)
		if r.IntN(3) > 0 {
			e.inputs = append(e.inputs, list(one(r, []int64{-1}, []int64{1, 2}, []int64{0, 3}, []int64{2}, []int64{0, 1, 2, 3})...))
		}
		return e
	}
}

// windows draws kernels, strides, dilations and pads, of which no window sees pads alone, and sizes that they fit.
func windows(r *rand.Rand, rank int) (kernel, strides, dilations, pads, size []int64) {
	pads = make([]int64, 2*rank)
	for i := range rank {
		k, d := between(r, 1, 3), between(r, 1, 2)
		kernel, strides, dilations = append(kernel, k), append(strides, between(r, 1, 3)), append(dilations, d)
		pads[i], pads[rank+i] = r.Int64N(k), r.Int64N(k)
		size = append(size, (k-1)*d+1+r.Int64N(4))
	}
	return kernel, strides, dilations, pads, size
}

func conv(r *rand.Rand) example {
	rank := one(r, 1, 2, 2, 2, 3)
	kernel, strides, dilations, pads, size := windows(r, rank)
	group, in, out := one[int64](r, 1, 1, 2, 3), between(r, 1, 3), between(r, 1, 3)
	switch r.IntN(4) {
	case 0: // depthwise
		in = 1
	case 1: // wide enough for channels last
		group, in = 1, 16
	}
	e := example{operator: "Conv", inputs: []operand{
		{dims: append([]int64{between(r, 1, 3), group * in}, size...)}, {dims: append([]int64{group * out, in}, kernel...)}, {dims: []int64{group * out}},
	}}
	e.attributes = []*onnxpb.AttributeProto{intsAttr("strides", strides...), intsAttr("dilations", dilations...), intAttr("group", group)}
	if rank == 2 && group == 1 && r.IntN(3) == 0 {
		e.blocked = true
		e.inputs[0].dims[1], e.inputs[1].dims[1], e.inputs[1].dims[0], e.inputs[2].dims[0] = 16, 16, 32, 32
	}
	if r.IntN(4) == 0 {
		e.attributes = append(e.attributes, textAttr("auto_pad", one(r, "SAME_UPPER", "SAME_LOWER", "VALID")))
		e.attributes[1] = intsAttr("dilations", slices.Repeat([]int64{1}, rank)...)
	} else {
		e.attributes = append(e.attributes, intsAttr("pads", pads...))
	}
	if r.IntN(2) == 0 {
		e.inputs = e.inputs[:2]
	}
	return e
}

func convTranspose(r *rand.Rand) example {
	rank := one(r, 1, 2, 2)
	kernel, strides, dilations, pads, size := windows(r, rank)
	group, in, out := one[int64](r, 1, 1, 2, 3), between(r, 1, 3), between(r, 1, 3)
	extra := make([]int64, rank)
	for i, s := range strides {
		extra[i] = r.Int64N(s)
		if pads[i]+pads[rank+i] > (kernel[i]-1)*dilations[i] {
			pads[i] = 0
		}
	}
	return example{
		operator: "ConvTranspose",
		inputs: []operand{
			{dims: append([]int64{between(r, 1, 3), group * in}, size...)}, {dims: append([]int64{group * in, out}, kernel...)}, {dims: []int64{group * out}},
		},
		attributes: []*onnxpb.AttributeProto{
			intsAttr("strides", strides...), intsAttr("dilations", dilations...), intAttr("group", group), intsAttr("pads", pads...), intsAttr("output_padding", extra...),
		},
	}
}

func pool(r *rand.Rand, operator string, draw func(*rand.Rand, int) float64) example {
	kernel, strides, dilations, pads, size := windows(r, 2)
	return example{
		operator: operator, inputs: []operand{{dims: append([]int64{between(r, 1, 2), between(r, 1, 3)}, size...), draw: draw}},
		attributes: []*onnxpb.AttributeProto{
			intsAttr("kernel_shape", kernel...), intsAttr("strides", strides...), intsAttr("dilations", dilations...), intsAttr("pads", pads...),
		},
	}
}

// tiled makes, now and then, the windows of a pooling lie side by side.
func tiled(r *rand.Rand, e example) example {
	if r.IntN(3) == 0 {
		k := between(r, 1, 3)
		e.attributes = []*onnxpb.AttributeProto{intsAttr("kernel_shape", k, 2), intsAttr("strides", k, 2)}
		e.inputs[0].dims = []int64{2, 3, 2 * k, 6}
		e.single = r.IntN(2) == 0 // another form of AveragePool
	}
	return e
}

// beyond makes, now and then, windows that do not overlap reach beyond the input, by pads or by ceil_mode.
func beyond(r *rand.Rand, e example) example {
	if r.IntN(3) > 0 {
		return e
	}
	e.attributes = []*onnxpb.AttributeProto{intsAttr("kernel_shape", 2, 2), intsAttr("strides", 2, 2)}
	e.inputs[0].dims = []int64{2, 3, 4, 5}
	e.single = true
	switch r.IntN(4) {
	case 0:
		e.attributes = append(e.attributes, intsAttr("pads", 1, 1, 1, 1))
	case 1:
		e.attributes = append(e.attributes, intAttr("ceil_mode", 1))
	case 2:
		e.attributes = append(e.attributes, intsAttr("pads", 0, 1, 0, 1), intAttr("ceil_mode", 1))
	default:
		e.attributes = append(e.attributes, textAttr("auto_pad", one(r, "SAME_UPPER", "SAME_LOWER")))
	}
	return e
}

func resize(r *rand.Rand) example {
	if r.IntN(4) == 0 { // to twice the height, though not each row twice
		return example{
			operator: "Resize", inputs: []operand{{dims: []int64{1, 2, 2, 3}}, {absent: true}, {dims: []int64{4}, reals: []float64{1, 1, 2.25, 2}}},
			attributes: []*onnxpb.AttributeProto{textAttr("mode", "nearest"), textAttr("coordinate_transformation_mode", "asymmetric"), textAttr("nearest_mode", "floor")},
		}
	}
	h, w := between(r, 1, 4), between(r, 2, 5)
	e := example{operator: "Resize", inputs: []operand{{dims: []int64{between(r, 1, 2), between(r, 1, 3), h, w}}, {absent: true}}}
	mode := one(r, "nearest", "nearest", "linear", "linear", "cubic")
	e.attributes = []*onnxpb.AttributeProto{
		textAttr("mode", mode), textAttr("coordinate_transformation_mode", one(r, "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")),
	}
	if mode == "nearest" {
		e.attributes = append(e.attributes, textAttr("nearest_mode", one(r, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil")))
	}
	if r.IntN(2) == 0 {
		e.inputs = append(e.inputs, operand{dims: []int64{4}, reals: []float64{1, 1, one(r, 1, 2, 1.5, 3), one(r, 0.5, 2, 2.5, 1)}})
	} else {
		e.inputs = append(e.inputs, operand{absent: true}, list(e.inputs[0].dims[0], e.inputs[0].dims[1], between(r, 1, 7), between(r, 1, 9)))
	}
	return e
}
