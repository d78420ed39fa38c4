package autograd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"testing"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx"
	"gleaner/connectors/onnx/onnxpb"
)

// weight adds an initializer of normal numbers around mean.
func weight(b *builder, r *rand.Rand, name string, mean, deviation float64, dims ...int64) value {
	x := make([]float32, product(dims))
	for i := range x {
		x[i] = float32(mean + deviation*r.NormFloat64())
	}
	return b.constant(&onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(int32(float32s)), Dims: dims, RawData: rawFloats(x)})
}

func file(tb testing.TB, b *builder) []byte {
	tb.Helper()
	data, err := proto.Marshal(b.model())
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// convNet writes blocks of convolution 3x3, instance normalization, ReLU and average pooling by 2, and a linear layer.
func convNet(tb testing.TB, r *rand.Rand, n, width, side, blocks, classes int64) []byte {
	tb.Helper()
	b := newBuilder()
	x := b.input("x", float32s, n, 3, side, side)
	for i := range blocks {
		c := x.dims[1]
		name := fmt.Sprintf("block%d.", i)
		w := weight(b, r, name+"conv", 0, math.Sqrt(2/float64(9*c)), width, c, 3, 3)
		gain, bias := weight(b, r, name+"gain", 1, 0.1, width), weight(b, r, name+"bias", 0, 0.1, width)
		x = b.op("Conv", x.kind, []int64{n, width, side, side}, []value{x, w}, intsAttr("kernel_shape", 3, 3), intsAttr("pads", 1, 1, 1, 1))
		x = b.unary("Relu", b.op("InstanceNormalization", x.kind, x.dims, []value{x, gain, bias}, floatAttr("epsilon", 1e-5)))
		side /= 2
		x = b.op("AveragePool", x.kind, []int64{n, width, side, side}, []value{x}, intsAttr("kernel_shape", 2, 2), intsAttr("strides", 2, 2))
	}
	x = b.reshape(x, n, width*side*side)
	head := weight(b, r, "head.weight", 0, 1/math.Sqrt(float64(x.dims[1])), classes, x.dims[1])
	offset := weight(b, r, "head.bias", 0, 0.1, classes)
	b.output("logits", b.op("Gemm", x.kind, []int64{n, classes}, []value{x, head, offset}, intAttr("transB", 1)))
	return file(tb, b)
}

// plain is a convNet in loops over float64, for comparison: forward, backward and SGD with Nesterov momentum.
type plain struct {
	n, width, side, blocks, classes int
	w, v                            map[string][]float64 // weights and momenta
}

// grid is a batch of maps, [n, c, side, side].
type grid struct {
	n, c, side int
	at         []float64
}

func newGrid(n, c, side int) grid { return grid{n, c, side, make([]float64, n*c*side*side)} }

func (g grid) index(n, c, y, x int) int { return ((n*g.c+c)*g.side+y)*g.side + x }

// eachTap calls use with the places of x and y that each weight of a 3x3 convolution joins.
func eachTap(x, y grid, use func(in, out, w int)) {
	for n := range y.n {
		for o := range y.c {
			for c := range x.c {
				for k := range 9 {
					for i := range y.side {
						for j := range y.side {
							if r, s := i+k/3-1, j+k%3-1; r >= 0 && r < x.side && s >= 0 && s < x.side {
								use(x.index(n, c, r, s), y.index(n, o, i, j), (o*x.c+c)*9+k)
							}
						}
					}
				}
			}
		}
	}
}

// step returns the losses and the logits before the update.
func (p *plain) step(images []float64, labels []int64, rate, momentum, decay, smoothing float64) (losses, logits []float64) {
	x := grid{p.n, 3, p.side, images}
	var ins, units, active []grid
	var inverses [][]float64
	for b := range p.blocks {
		name := fmt.Sprintf("block%d.", b)
		y := newGrid(p.n, p.width, x.side)
		eachTap(x, y, func(in, out, w int) { y.at[out] += x.at[in] * p.w[name+"conv"][w] })
		ins = append(ins, x)
		plane := y.side * y.side
		inverse := make([]float64, p.n*p.width)
		relu := newGrid(p.n, p.width, x.side)
		for r := range inverse {
			m, s := 0.0, 0.0
			row := y.at[r*plane : (r+1)*plane]
			for _, v := range row {
				m += v / float64(plane)
			}
			for _, v := range row {
				s += (v - m) * (v - m) / float64(plane)
			}
			inverse[r] = 1 / math.Sqrt(s+1e-5)
			for i, v := range row {
				row[i] = (v - m) * inverse[r]
				relu.at[r*plane+i] = max(0, row[i]*p.w[name+"gain"][r%p.width]+p.w[name+"bias"][r%p.width])
			}
		}
		units, active, inverses = append(units, y), append(active, relu), append(inverses, inverse)
		x = newGrid(p.n, p.width, relu.side/2)
		for n := range p.n {
			for c := range p.width {
				for i := range relu.side {
					for j := range relu.side {
						x.at[x.index(n, c, i/2, j/2)] += relu.at[relu.index(n, c, i, j)] / 4
					}
				}
			}
		}
	}
	g := map[string][]float64{}
	for name, w := range p.w {
		g[name] = make([]float64, len(w))
	}
	features := len(x.at) / p.n
	dx := newGrid(p.n, p.width, x.side)
	for n := range p.n {
		row := x.at[n*features : (n+1)*features]
		z := make([]float64, p.classes)
		total := 0.0
		for k := range z {
			z[k] = p.w["head.bias"][k]
			for i, v := range row {
				z[k] += v * p.w["head.weight"][k*features+i]
			}
			total += math.Exp(z[k])
		}
		losses, logits = append(losses, math.Log(total)-z[labels[n]]), append(logits, z...)
		for k := range z {
			d := math.Exp(z[k])/total - smoothing/float64(p.classes)
			if int64(k) == labels[n] {
				d -= 1 - smoothing
			}
			d /= float64(p.n)
			g["head.bias"][k] += d
			for i, v := range row {
				g["head.weight"][k*features+i] += d * v
				dx.at[n*features+i] += d * p.w["head.weight"][k*features+i]
			}
		}
	}
	for b := p.blocks - 1; b >= 0; b-- {
		name := fmt.Sprintf("block%d.", b)
		y, relu := units[b], active[b]
		d := newGrid(p.n, p.width, y.side)
		plane := y.side * y.side
		for r := range inverses[b] {
			n, c := r/p.width, r%p.width
			gain := p.w[name+"gain"][c]
			sum, along := 0.0, 0.0
			for i := range plane {
				at := r*plane + i
				if relu.at[at] > 0 {
					d.at[at] = dx.at[dx.index(n, c, i/y.side/2, i%y.side/2)] / 4
				}
				g[name+"bias"][c] += d.at[at]
				g[name+"gain"][c] += d.at[at] * y.at[at]
				sum += d.at[at] * gain / float64(plane)
				along += d.at[at] * gain * y.at[at] / float64(plane)
			}
			for i := range plane {
				at := r*plane + i
				d.at[at] = inverses[b][r] * (d.at[at]*gain - sum - y.at[at]*along)
			}
		}
		dx = newGrid(p.n, ins[b].c, ins[b].side)
		eachTap(ins[b], y, func(in, out, w int) {
			g[name+"conv"][w] += d.at[out] * ins[b].at[in]
			dx.at[in] += d.at[out] * p.w[name+"conv"][w]
		})
	}
	for name, w := range p.w {
		matrix := name == "head.weight" || len(name) > 4 && name[len(name)-4:] == "conv"
		for i := range w {
			step := g[name][i]
			if matrix {
				step += decay * w[i]
			}
			p.v[name][i] = momentum*p.v[name][i] + step
			w[i] -= rate * (step + momentum*p.v[name][i])
		}
	}
	return losses, logits
}

// TestConvNet compares whole steps of a small ConvNet with plain loops: losses, logits and weights, step by step. The collector
// runs all the time, since the runtime must own nothing that it would take.
func TestConvNet(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	for name, blocked := range map[string]bool{"standard": false, "blocked": true} {
		t.Run(name, func(t *testing.T) {
			rt := open(t)
			width, steps := int64(6), 30
			if blocked {
				if !CanBlock(rt) {
					t.Skip("SKIPPED, NOT PASSED: the processor has no AVX-512")
				}
				width, steps = 32, 5
			}
			r := rand.New(rand.NewPCG(1, 2))
			p := &plain{n: 4, width: int(width), side: 8, blocks: 3, classes: 5, w: map[string][]float64{}, v: map[string][]float64{}}
			cfg := DefaultConfig()
			cfg.Loss, cfg.Decay, cfg.Blocked = CrossEntropy{Smoothing: 0.1}, 5e-3, blocked
			tr := trainer(t, rt, convNet(t, r, 4, width, 8, 3, 5), cfg)
			for _, name := range tr.Parameters() {
				for _, x := range tr.Parameter(name) {
					p.w[name] = append(p.w[name], float64(x))
				}
				p.v[name] = make([]float64, len(p.w[name]))
			}
			for step := range steps {
				images := make([]float64, len(tr.Input("x")))
				for i := range images {
					tr.Input("x")[i] = float32(r.NormFloat64())
					images[i] = float64(tr.Input("x")[i])
				}
				for i := range tr.Labels() {
					tr.Labels()[i] = r.Int64N(5)
				}
				rate := 0.05 * float64(step+1) / 30
				losses, logits := p.step(images, tr.Labels(), rate, 0.9, 5e-3, 0.1)
				if err := tr.Step(rate); err != nil {
					t.Fatal(err)
				}
				runtime.GC()
				near(t, fmt.Sprintf("step %d: losses", step), tr.Losses(), losses, 2e-4)
				near(t, fmt.Sprintf("step %d: logits", step), tr.Output("logits"), logits, 2e-4)
				for _, name := range tr.Parameters() {
					near(t, fmt.Sprintf("step %d: %s", step, name), tr.Parameter(name), p.w[name], 1e-4)
				}
			}
			exported, err := tr.Export(false)
			if err != nil {
				t.Fatal(err)
			}
			if err := tr.Step(0); err != nil {
				t.Fatal(err)
			}
			nearly(t, "served logits", serve(t, rt, exported, tr.Input("x"))[0], tr.Output("logits"), 1e-5)
		})
	}
}

// TestBatchNormalization trains a residual block whose averages are those of the last batch alone: then the exported file
// serves the logits of the training graph.
func TestBatchNormalization(t *testing.T) {
	rt := open(t)
	r := rand.New(rand.NewPCG(4, 4))
	const n, c, side, classes = 6, 16, 8, 4
	b := newBuilder()
	block := func(x value, name string) value {
		w := weight(b, r, name+"w", 0, 0.1, c, x.dims[1], 3, 3)
		x = b.op("Conv", x.kind, []int64{n, c, side, side}, []value{x, w}, intsAttr("kernel_shape", 3, 3), intsAttr("pads", 1, 1, 1, 1))
		gain, bias := weight(b, r, name+"gain", 1, 0.1, c), weight(b, r, name+"bias", 0, 0.1, c)
		mean, variance := weight(b, r, name+"mean", 0, 0, c), weight(b, r, name+"variance", 1, 0, c)
		return b.unary("Relu", b.op("BatchNormalization", x.kind, x.dims, []value{x, gain, bias, mean, variance}))
	}
	x := block(b.input("x", float32s, n, 3, side, side), "stem.")
	x = b.add(x, block(block(x, "first."), "second."))
	pooled := b.reshape(b.op("GlobalAveragePool", x.kind, []int64{n, c, 1, 1}, []value{x}), n, c)
	b.output("logits", b.matmul(pooled, weight(b, r, "head", 0, 0.3, c, classes)))
	model := file(t, b)

	cfg := DefaultConfig()
	cfg.Running = new(float64)
	tr := trainer(t, rt, model, cfg)
	copy(tr.Input("x"), noise(n*3*side*side, 1))
	for i := range tr.Labels() {
		tr.Labels()[i] = int64(i % classes)
	}
	var first, last float32
	for step := range 40 {
		if err := tr.Step(0.05); err != nil {
			t.Fatal(err)
		}
		if last = tr.Losses()[0]; step == 0 {
			first = last
		}
	}
	if !(last < first/2) {
		t.Errorf("the loss goes from %g to %g", first, last)
	}
	if err := tr.Step(0); err != nil {
		t.Fatal(err)
	}
	exported, err := tr.Export(false)
	if err != nil {
		t.Fatal(err)
	}
	nearly(t, "logits", serve(t, rt, exported, tr.Input("x"))[0], tr.Output("logits"), 1e-5)
}

func trainer(tb testing.TB, rt *onnx.Runtime, model []byte, cfg Config) *Trainer {
	tb.Helper()
	t, err := New(rt, model, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := t.Close(); err != nil {
			tb.Error(err)
		}
	})
	return t
}

// near wants every number within a tolerance of what it should be.
func near(t *testing.T, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= tolerance*max(1, math.Abs(w))) {
			t.Fatalf("%s: %g at %d, want %g", what, got[i], i, w)
		}
	}
}
