package autograd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx"
	"gleaner/connectors/onnx/onnxpb"
)

func open(tb testing.TB) *onnx.Runtime {
	tb.Helper()
	rt, err := onnx.Open()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := rt.Close(); err != nil {
			tb.Error(err)
		}
	})
	return rt
}

// example is one operator with inputs, of which those without numbers are drawn and differentiated.
type example struct {
	operator   string
	attributes []*onnxpb.AttributeProto
	inputs     []operand
	outputs    int
	training   bool // of batch normalizations
	blocked    bool
	flat       bool // no gradient
	single     bool // computed in float32 whatever the type
}

type operand struct {
	dims    []int64
	draw    func(r *rand.Rand, i int) float64 // nil: normal
	integer []int64                           // a constant
	reals   []float64                         // a constant
	absent  bool
	mask    bool // drawn truths
	fixed   bool // drawn, and not differentiated
}

// normal draws by a bell curve, away from zero, where many functions have a kink.
func normal(r *rand.Rand, _ int) float64 {
	x := r.NormFloat64()
	return x + math.Copysign(0.15, x)
}

func positive(r *rand.Rand, _ int) float64 { return 0.4 + 2*r.Float64() }

// model writes the graph of an example in one floating type; differentiated operands are inputs x0, x1, ….
func (e example) model(k kind) []byte {
	g := &onnxpb.GraphProto{Name: proto.String("example")}
	n := &onnxpb.NodeProto{OpType: proto.String(e.operator), Name: proto.String("it"), Attribute: e.attributes}
	for i, in := range e.inputs {
		name := fmt.Sprintf("x%d", i)
		switch {
		case in.absent:
			name = ""
		case in.integer != nil:
			g.Initializer = append(g.Initializer, &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(int32(int64s)), Dims: in.dims, Int64Data: in.integer})
		case in.reals != nil:
			t := &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(int32(float32s)), Dims: in.dims}
			if e.operator != "Resize" { // whose scales are float32 always
				t.DataType = proto.Int32(int32(k))
			}
			for _, x := range in.reals {
				if kind(t.GetDataType()) == float64s {
					t.DoubleData = append(t.DoubleData, x)
				} else {
					t.FloatData = append(t.FloatData, float32(x))
				}
			}
			g.Initializer = append(g.Initializer, t)
		case in.mask:
			g.Input = append(g.Input, info(value{name, bools, in.dims}))
		default:
			g.Input = append(g.Input, info(value{name, k, in.dims}))
		}
		n.Input = append(n.Input, name)
	}
	for i := range max(e.outputs, 1) {
		name := fmt.Sprintf("y%d", i)
		n.Output = append(n.Output, name)
		g.Output = append(g.Output, info(value{name, k, nil}))
		g.Output[i].Type.GetTensorType().Shape = nil
	}
	g.Node = []*onnxpb.NodeProto{n}
	data, _ := proto.Marshal(&onnxpb.ModelProto{IrVersion: proto.Int64(10), Graph: g, OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(opset)}}})
	return data
}

// differ compares the gradients of an example with differences of its outputs, element by element. It returns the worst error, and
// whether that is in float32, since the operator has no kernel in float64.
func differ(tb testing.TB, rt *onnx.Runtime, e example, seed uint64) (worst float64, single bool) {
	tb.Helper()
	var err error
	if !e.single {
		worst, err = attempt[float64](tb, rt, e, seed, float64s, 1e-4, 1e-6)
	}
	if e.single || err != nil && strings.Contains(err.Error(), "it does not run on inputs") { // the operator itself, not what its gradient is made of
		single = true
		worst, err = attempt[float32](tb, rt, e, seed, float32s, 2e-2, 4e-3)
	}
	if err != nil {
		var dims []string
		for _, in := range e.inputs {
			dims = append(dims, fmt.Sprint(in.dims))
		}
		tb.Fatalf("%s %v of %s: %v", e.operator, e.attributes, strings.Join(dims, " "), err)
	}
	return worst, single
}

func attempt[T float32 | float64](tb testing.TB, rt *onnx.Runtime, e example, seed uint64, k kind, h, tolerance float64) (worst float64, err error) {
	tb.Helper()
	net, err := inspect(rt, e.model(k), nil, func(string) bool { return false }, false)
	if err != nil {
		return 0, err
	}
	forward, backward := newTape(), newTape()
	for _, t := range []*tape{forward, backward} {
		t.blocked = e.blocked
		if e.training {
			t.average = &averaging{momentum: 0.9, next: map[string]value{}}
		}
		net.begin(t, func(string) bool { return false })
	}
	seeds := map[string]value{}
	var wanted []value
	for _, in := range net.inputs {
		if o := e.inputs[int(in.name[1]-'0')]; !o.mask && !o.fixed {
			wanted = append(wanted, in)
			backward.need(in)
		}
	}
	for _, n := range net.nodes {
		if err := forward.record(n); err != nil {
			return 0, err
		}
		if err := backward.record(n); err != nil {
			return 0, err
		}
	}
	for i, out := range net.outputs {
		forward.output(fmt.Sprintf("out%d", i), forward.reshape(out, out.size()))
		backward.output(fmt.Sprintf("again%d", i), backward.reshape(out, out.size()))
		seeds[out.name] = backward.reshape(backward.input(fmt.Sprintf("seed%d", i), k, out.size()), out.dims...)
	}
	if err := backward.backward(seeds); err != nil {
		return 0, err
	}
	for _, in := range wanted {
		if g := backward.grads[in.name]; g.ok() {
			backward.output("d"+in.name, g)
		}
	}
	var graphs []onnx.LoopGraph
	for i, t := range []*tape{forward, backward} {
		if e.flat && t == backward {
			break
		}
		data, err := proto.Marshal(t.model())
		if err != nil {
			return 0, err
		}
		graphs = append(graphs, onnx.LoopGraph{Name: []string{"forward", "backward"}[i], Model: data})
	}
	l, err := rt.LoadLoop(onnx.DefaultConfig(), graphs...)
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := l.Close(); e != nil {
			tb.Error(e)
		}
	}()
	data := func(name string) []T {
		x, err := onnx.LoopData[T](l, name)
		if err != nil {
			tb.Fatal(err)
		}
		return x
	}
	r := rand.New(rand.NewPCG(seed, 7))
	for i, in := range e.inputs {
		if in.absent || in.integer != nil || in.reals != nil || in.fixed && e.training {
			continue
		}
		if in.mask {
			mask, err := onnx.LoopData[bool](l, fmt.Sprintf("x%d", i))
			if err != nil {
				return 0, err
			}
			for j := range mask {
				mask[j] = r.IntN(2) == 0
			}
			continue
		}
		draw := in.draw
		if draw == nil {
			draw = normal
		}
		for j := range data(fmt.Sprintf("x%d", i)) {
			data(fmt.Sprintf("x%d", i))[j] = T(draw(r, j))
		}
	}
	var weights [][]float64
	for i, out := range net.outputs {
		w := make([]float64, out.size())
		for j := range w {
			w[j] = float64(float32(r.NormFloat64()))
			if !e.flat {
				data(fmt.Sprintf("seed%d", i))[j] = T(w[j])
			}
		}
		weights = append(weights, w)
	}
	if !e.flat {
		if err := l.Run(1); err != nil {
			return 0, err
		}
	}
	base := make([][]float64, len(net.outputs))
	objective := func() (float64, error) { // relative to the outputs at the start, which keeps the sums small
		if err := l.Run(0); err != nil {
			return 0, err
		}
		sum := 0.0
		for i := range net.outputs {
			out := data(fmt.Sprintf("out%d", i))
			if base[i] == nil {
				base[i] = make([]float64, len(out))
				for j := range out {
					base[i][j] = float64(out[j])
				}
			}
			for j, y := range out {
				sum += weights[i][j] * (float64(y) - base[i][j])
			}
		}
		return sum, nil
	}
	if _, err := objective(); err != nil {
		return 0, err
	}
	for i := range net.outputs {
		for j, y := range base[i] { // the form that gradients share work with gives the same
			if e.flat {
				break
			}
			if again := float64(data(fmt.Sprintf("again%d", i))[j]); !(math.Abs(again-y) <= tolerance/10*max(1, math.Abs(y))) {
				return 0, fmt.Errorf("y%d[%d] = %g in the training graph, %g as it was", i, j, again, y)
			}
		}
	}
	for _, in := range wanted {
		if !backward.grads[in.name].ok() && !e.flat {
			return 0, fmt.Errorf("no gradient of %s", in.name)
		}
		x := data(in.name)
		g := make([]T, len(x))
		if !e.flat {
			g = data("d" + in.name)
		}
		scale := 1.0
		for _, v := range g {
			scale = max(scale, math.Abs(float64(v)))
		}
		picked := r.Perm(len(x))
		for _, j := range picked[:min(len(picked), 150)] {
			was := x[j]
			at := func(by float64) (f, step float64) {
				x[j] = was + T(by)
				step = float64(x[j]) - float64(was)
				if f, err = objective(); err != nil {
					tb.Fatal(err)
				}
				x[j] = was
				return f, step
			}
			fu, su := at(h)
			fd, sd := at(-h)
			fU, sU := at(2 * h)
			fD, sD := at(-2 * h)
			want := (4*(fu-fd)/(su-sd) - (fU-fD)/(sU-sD)) / 3
			got := float64(g[j])
			worst = max(worst, math.Abs(got-want)/scale)
			if !(math.Abs(got-want) <= tolerance*scale) {
				return 0, fmt.Errorf("d%s[%d] = %g, want %g (type %v)", in.name, j, got, want, k)
			}
		}
	}
	return worst, nil
}

// TestGradients compares every operator of the table with finite differences over random shapes.
func TestGradients(t *testing.T) {
	rt := open(t)
	for _, name := range Operators() {
		if examples[name] == nil {
			t.Errorf("%s has no example", name)
		}
	}
	for name, draw := range examples {
		t.Run(name, func(t *testing.T) {
			worst := map[string]float64{} // by type
			operator := ""
			for seed := range uint64(8) {
				e := draw(rand.New(rand.NewPCG(seed, 3)))
				w, single := differ(t, rt, e, seed)
				kind := "float64"
				if single {
					kind = "float32"
				}
				worst[kind], operator = max(worst[kind], w), e.operator
			}
			for kind, w := range worst { // make bench-train reads this
				t.Logf("%s: worst relative error %.2g in %s", operator, w, kind)
			}
		})
	}
}

// FuzzGradients draws shapes, attributes and numbers of one operator.
func FuzzGradients(f *testing.F) {
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range examples {
			if !yield(name) {
				return
			}
		}
	})
	rt := open(f)
	f.Add(uint8(0), uint64(100))
	f.Fuzz(func(t *testing.T, operator uint8, seed uint64) {
		name := names[int(operator)%len(names)]
		differ(t, rt, examples[name](rand.New(rand.NewPCG(seed, 4))), seed)
	})
}
