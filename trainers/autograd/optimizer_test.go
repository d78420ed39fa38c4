package autograd

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// quadratic is y = x·w + b of one row, whose squares are learned: its gradient is simple enough to write down. As a convolution, its w
// is [2, 3, 1, 1], in place of [3, 2].
func quadratic(t *testing.T, convolution bool) []byte {
	t.Helper()
	b := newBuilder()
	r := rand.New(rand.NewPCG(3, 3))
	if convolution {
		x := b.input("x", float32s, 1, 3, 1, 1)
		w, bias := weight(b, r, "w", 0, 1, 2, 3, 1, 1), weight(b, r, "bias", 0, 1, 2)
		b.output("y", b.op("Conv", x.kind, []int64{1, 2, 1, 1}, []value{x, w, bias}))
		return file(t, b)
	}
	x := b.input("x", float32s, 1, 3)
	w, bias := weight(b, r, "w", 0, 1, 3, 2), weight(b, r, "bias", 0, 1, 2)
	b.output("y", b.op("Gemm", x.kind, []int64{1, 2}, []value{x, w, bias}))
	return file(t, b)
}

// follower repeats what a trainer does in float64, on w [3, 2] and then bias [2].
type follower struct {
	w, first, second, slow, average []float64
	convolution                     bool // w is its transpose
}

// gradient of the half mean square of y - target.
func (f *follower) gradient(x, target []float32) []float64 {
	g := make([]float64, 8)
	for j := range 2 {
		y := f.w[6+j] - float64(target[j])
		for i := range 3 {
			y += float64(x[i]) * f.w[2*i+j]
		}
		for i := range 3 {
			g[2*i+j] = y * float64(x[i]) / 2
		}
		g[6+j] = y / 2
	}
	return g
}

// orthogonal is the Newton-Schulz iteration of a 3x2 matrix.
func orthogonal(m []float64, steps int) []float64 {
	norm := 0.0
	for _, v := range m {
		norm += v * v
	}
	x := slices.Clone(m)
	for i := range x {
		x[i] /= math.Sqrt(norm) + 1e-7
	}
	for range steps {
		var a [4]float64 // x'x
		for i := range 2 {
			for j := range 2 {
				for k := range 3 {
					a[2*i+j] += x[2*k+i] * x[2*k+j]
				}
			}
		}
		var b [4]float64
		for i := range 2 {
			for j := range 2 {
				b[2*i+j] = -4.7750*a[2*i+j] + 2.0315*(a[2*i]*a[j]+a[2*i+1]*a[2+j])
			}
		}
		next := make([]float64, 6)
		for k := range 3 {
			for j := range 2 {
				next[2*k+j] = 3.4445*x[2*k+j] + x[2*k]*b[j] + x[2*k+1]*b[2+j]
			}
		}
		x = next
	}
	return x
}

func (f *follower) update(cfg Config, g []float64, rate float64, number int) {
	norm := 0.0
	for _, v := range g {
		norm += v * v
	}
	if norm = math.Sqrt(norm); cfg.Clip > 0 && norm > cfg.Clip {
		for i := range g {
			g[i] *= cfg.Clip / norm
		}
	}
	before := slices.Clone(f.w)
	decay := func(i int) float64 {
		if i < 6 {
			return cfg.Decay
		}
		return 0
	}
	adam := func(i int, a AdamW) {
		f.first[i] = a.Beta1*f.first[i] + (1-a.Beta1)*g[i]
		f.second[i] = a.Beta2*f.second[i] + (1-a.Beta2)*g[i]*g[i]
		m, v := f.first[i]/(1-math.Pow(a.Beta1, float64(number))), f.second[i]/(1-math.Pow(a.Beta2, float64(number)))
		f.w[i] -= rate * (m/(math.Sqrt(v)+a.Epsilon) + decay(i)*before[i])
	}
	switch o := cfg.Optimizer.(type) {
	case SGD:
		for i := range f.w {
			d := g[i] + decay(i)*before[i]
			f.first[i] = o.Momentum*f.first[i] + d
			if d = f.first[i]; o.Nesterov {
				d = g[i] + decay(i)*before[i] + o.Momentum*f.first[i]
			}
			f.w[i] -= rate * d
		}
	case AdamW:
		for i := range f.w {
			adam(i, o)
		}
	case Muon:
		direction := make([]float64, 6)
		for i := range direction {
			f.first[i] = o.Momentum*f.first[i] + g[i]
			direction[i] = g[i] + o.Momentum*f.first[i]
		}
		scale, rows, cols := 1.0, 3.0, 2.0
		if f.convolution {
			rows, cols = cols, rows
		}
		if o.Unit {
			norm := 0.0
			for _, w := range before[:6] {
				norm += w * w
			}
			scale = math.Sqrt(rows / norm)
		}
		for i, v := range orthogonal(direction, o.Steps) {
			f.w[i] = scale*before[i] - rate*(v*math.Sqrt(max(1, rows/cols))+decay(i)*scale*before[i])
		}
		adam(6, o.Others.(AdamW))
		adam(7, o.Others.(AdamW))
	}
	for i := range f.w {
		if l := cfg.Lookahead; l.Steps > 0 && number%l.Steps == 0 {
			f.slow[i] += l.Rate * (f.w[i] - f.slow[i])
			f.w[i] = f.slow[i]
		}
		f.average[i] = cfg.Average*f.average[i] + (1-cfg.Average)*f.w[i]
	}
}

// weights are w, as [3, 2], and bias.
func weights(tr *Trainer, convolution bool) []float32 {
	w := slices.Clone(tr.Parameter("w"))
	if convolution {
		for i := range w {
			w[i] = tr.Parameter("w")[i%2*3+i/2]
		}
	}
	return append(w, tr.Parameter("bias")...)
}

// TestOptimizers repeats updates of every kind in float64.
func TestOptimizers(t *testing.T) {
	unit := DefaultMuon()
	unit.Unit = true
	for name, alter := range map[string]func(*Config){
		"sgd":                        func(c *Config) { c.Optimizer = SGD{} },
		"momentum":                   func(c *Config) { c.Optimizer = SGD{Momentum: 0.8} },
		"nesterov":                   func(c *Config) { c.Optimizer = SGD{Momentum: 0.8, Nesterov: true} },
		"adamw":                      func(c *Config) { c.Optimizer = DefaultAdamW() },
		"muon":                       func(c *Config) { c.Optimizer = DefaultMuon() },
		"muon of a convolution":      func(c *Config) { c.Optimizer = DefaultMuon() },
		"unit muon":                  func(c *Config) { c.Optimizer = unit },
		"unit muon of a convolution": func(c *Config) { c.Optimizer = unit },
		"clip":                       func(c *Config) { c.Clip = 0.1 },
		"average":                    func(c *Config) { c.Average = 0.7 },
		"lookahead":                  func(c *Config) { c.Lookahead = Lookahead{Steps: 3, Rate: 0.4} },
		"accumulate":                 func(c *Config) { c.Accumulate = 3 },
		"parts":                      func(c *Config) { c.Parts = 3 },
		"all": func(c *Config) {
			c.Optimizer, c.Clip, c.Average, c.Accumulate, c.Parts, c.Lookahead = DefaultMuon(), 0.3, 0.9, 2, 2, Lookahead{Steps: 2, Rate: 0.5}
		},
	} {
		t.Run(name, func(t *testing.T) {
			convolution := strings.HasSuffix(name, "of a convolution")
			rt, model := open(t), quadratic(t, convolution)
			cfg := DefaultConfig()
			cfg.Loss, cfg.Decay = Squares{}, 0.05
			alter(&cfg)
			tr := trainer(t, rt, model, cfg)
			var start []float64
			for _, x := range weights(tr, convolution) {
				start = append(start, float64(x))
			}
			f := &follower{slices.Clone(start), make([]float64, 8), make([]float64, 8), slices.Clone(start), slices.Clone(start), convolution}
			r := rand.New(rand.NewPCG(1, 9))
			for step := range 12 {
				rate := Cosine(0.1, 0, 12).Warmup(2)(step)
				sum := make([]float64, 8)
				for range cfg.Accumulate {
					for k := range cfg.Parts {
						part := tr.Nth(k)
						for i := range 3 {
							part.Input("x")[i] = float32(r.NormFloat64())
						}
						for i := range 2 {
							part.Target("y")[i] = float32(r.NormFloat64())
						}
						for i, g := range f.gradient(part.Input("x"), part.Target("y")) {
							sum[i] += g / float64(cfg.Accumulate*cfg.Parts)
						}
					}
					if err := tr.Step(rate); err != nil {
						t.Fatal(err)
					}
				}
				f.update(cfg, sum, rate, step+1)
				near(t, "weights", weights(tr, convolution), f.w, 2e-5)
			}
			if tr.Updates() != 12 {
				t.Errorf("%d updates", tr.Updates())
			}
			if cfg.Average > 0 {
				averaged, err := tr.Export(true)
				if err != nil {
					t.Fatal(err)
				}
				x := []float32{1, 2, 3}
				var want []float64
				for j := range 2 {
					y := f.average[6+j]
					for i := range 3 {
						y += float64(x[i]) * f.average[2*i+j]
					}
					want = append(want, y)
				}
				near(t, "outputs of the averaged model", serve(t, rt, averaged, x)[0], want, 1e-4)
			}
		})
	}
}

// TestGroups freezes, and sets rate, decay and optimizer apart.
func TestGroups(t *testing.T) {
	rt, model := open(t), quadratic(t, false)
	cfg := DefaultConfig()
	cfg.Loss, cfg.Optimizer = Squares{}, DefaultAdamW()
	none := 0.0
	cfg.Groups = []Group{{Match: "^bias$", Frozen: true}, {Match: "w", Rate: 3, Decay: &none, Optimizer: SGD{}}}
	cfg.Decay = 0.5
	tr := trainer(t, rt, model, cfg)
	if got := tr.Parameters(); !slices.Equal(got, []string{"w"}) || tr.Parameter("bias") != nil {
		t.Fatalf("%v learn", got)
	}
	tr.Input("x")[0] = 1
	before := slices.Clone(tr.Parameter("w"))
	if err := tr.Step(0.1); err != nil {
		t.Fatal(err)
	}
	for j := range 2 {
		y := float64(tr.Output("y")[j])
		near(t, "weights", tr.Parameter("w")[j:j+1], []float64{float64(before[j]) - 0.3*y/2}, 1e-5)
	}
}

// TestRestore goes on from a saved state, in a new trainer, to the same bits; a state of another kind is refused.
func TestRestore(t *testing.T) {
	rt := open(t)
	cfg := DefaultConfig()
	cfg.Optimizer, cfg.Average, cfg.Accumulate, cfg.Parts, cfg.Lookahead = DefaultMuon(), 0.9, 2, 2, Lookahead{Steps: 2, Rate: 0.5}
	net := convNet(t, rand.New(rand.NewPCG(8, 8)), 4, 8, 8, 2, 5)
	run := func(tr *Trainer, from, to int) []byte {
		t.Helper()
		for step := from; step < to; step++ {
			for k := range cfg.Parts {
				part := tr.Nth(k)
				copy(part.Input("x"), noise(len(part.Input("x")), float64(step+k+1)))
				for i := range part.Labels() {
					part.Labels()[i] = int64((i + step) % 5)
				}
			}
			if err := tr.Step(0.02); err != nil {
				t.Fatal(err)
			}
		}
		state, err := tr.Save()
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	whole := trainer(t, rt, net, cfg)
	middle := run(whole, 0, 5) // within an accumulation
	want := run(whole, 5, 11)
	again := trainer(t, rt, net, cfg)
	run(again, 0, 2)
	if err := again.Restore(middle); err != nil {
		t.Fatal(err)
	}
	if got := run(again, 5, 11); !bytes.Equal(got, want) {
		t.Error("a restored training comes to another state")
	}
	other := trainer(t, rt, net, DefaultConfig())
	if err := other.Restore(middle); err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("a state of another configuration: %v", err)
	}
}

func FuzzRestore(f *testing.F) {
	rt := open(f)
	b := newBuilder()
	x := b.input("x", float32s, 1, 2)
	b.output("y", b.op("Gemm", x.kind, []int64{1, 2}, []value{x, weight(b, rand.New(rand.NewPCG(1, 1)), "w", 0, 1, 2, 2)}))
	tr := trainer(f, rt, file(f, b), DefaultConfig())
	saved, err := tr.Save()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(saved)
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := tr.Restore(data); err != nil {
			return
		}
		if again, err := tr.Save(); err != nil || tr.Restore(again) != nil {
			t.Errorf("what was restored cannot be saved: %v", err)
		}
	})
}

func TestSchedules(t *testing.T) {
	for name, c := range map[string]struct {
		schedule Schedule
		want     []float64 // at steps 0, 5, 10, 15
	}{
		"constant": {Constant(2), []float64{2, 2, 2, 2}},
		"cosine":   {Cosine(2, 0.5, 10), []float64{2, 1.5, 1, 1}},
		"triangle": {Triangle(2, 0.2, 0.5, 0.1, 10), []float64{0.4, 2, 0.2, 0.2}},
		"stairs":   {Stairs(2, 0.1, 5, 12), []float64{2, 0.2, 0.2, 0.02}},
		"warmup":   {Constant(2).Warmup(10), []float64{2.0 / 11, 12.0 / 11, 2, 2}},
	} {
		for i, want := range c.want {
			if got := c.schedule(5 * i); math.Abs(got-want) > 1e-9 {
				t.Errorf("%s at step %d: %g, want %g", name, 5*i, got, want)
			}
		}
	}
}
