package autograd

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx"
	"gleaner/deploy/e2e/realdata"
)

var realModels = []string{"yolox_nano.onnx", "FastestDet.onnx", "nanodet.onnx"}

func read(tb testing.TB, path string) []byte {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// serve runs a model on one input.
func serve(tb testing.TB, rt *onnx.Runtime, model []byte, image []float32) [][]float32 {
	tb.Helper()
	s, err := rt.LoadBytes("m", model, onnx.DefaultConfig())
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	}()
	var out [][]float32
	err = s.Run(tb.Context(), func(in [][]float32) error { copy(in[0], image); return nil }, func(o [][]float32) error {
		for _, x := range o {
			out = append(out, slices.Clone(x))
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func noise(n int, most float64) []float32 {
	r := rand.New(rand.NewPCG(5, 6))
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(most * r.Float64())
	}
	return out
}

// TestRoundTrip reads and writes the real models, as they are and with their operators in the newest set: the outputs are the same.
func TestRoundTrip(t *testing.T) {
	for _, name := range realModels {
		t.Run(name, func(t *testing.T) {
			rt, original := open(t), read(t, realdata.Need(t, "models", name))
			m, err := parse(original)
			if err != nil {
				t.Fatal(err)
			}
			again, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			newest, err := proto.Marshal(upgraded(m))
			if err != nil {
				t.Fatal(err)
			}
			image := noise(3*416*416, 1)
			want := serve(t, rt, original, image)
			for i, out := range serve(t, rt, again, image) {
				if !slices.Equal(out, want[i]) {
					t.Errorf("output %d differs once the file is read and written", i)
				}
			}
			for i, out := range serve(t, rt, newest, image) {
				nearly(t, "output in the newest operator set", out, want[i], 1e-5)
			}
		})
	}
}

// nearly wants numbers within a tolerance, relative to the largest.
func nearly(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	largest := 0.0
	for _, w := range want {
		largest = max(largest, math.Abs(float64(w)))
	}
	wide := make([]float64, len(want))
	scaled := make([]float32, len(got))
	for i := range want {
		wide[i] = float64(want[i]) / largest
	}
	for i := range got {
		scaled[i] = float32(float64(got[i]) / largest)
	}
	near(t, what, scaled, wide, tolerance)
}

// TestFineTune trains the whole of each real model towards other outputs by squares: every operator passes gradients, the loss
// falls, and the exported file serves what the training graph computes.
func TestFineTune(t *testing.T) {
	for _, name := range realModels {
		t.Run(name, func(t *testing.T) {
			rt, original := open(t), read(t, realdata.Need(t, "models", name))
			cfg := DefaultConfig()
			cfg.Loss, cfg.Optimizer, cfg.Threads, cfg.Clip = Squares{}, DefaultAdamW(), 2, 10
			tr := trainer(t, rt, original, cfg)
			in := tr.net.inputs[0]
			image := noise(int(in.size()), 1)
			copy(tr.Input(in.name), image)
			before := serve(t, rt, original, image)
			for i, out := range tr.net.outputs {
				target := tr.Target(out.name)
				for j := range target {
					target[j] = before[i][j] * 0.8
				}
			}
			const steps = 20
			rate := Cosine(1e-5, 0.1, steps).Warmup(3)
			var losses []float32
			for step := range steps {
				if err := tr.Step(rate(step)); err != nil {
					t.Fatal(err)
				}
				losses = append(losses, tr.Losses()[0])
			}
			t.Logf("%d parameters learn; losses %.3g", len(tr.Parameters()), losses)
			if !(losses[steps-1] < 0.8*losses[0]) {
				t.Errorf("the loss goes from %g to %g", losses[0], losses[steps-1])
			}
			exported, err := tr.Export(false)
			if err != nil {
				t.Fatal(err)
			}
			after := serve(t, rt, exported, image)
			if err := tr.Step(0); err != nil { // what the training graph computes with the exported weights
				t.Fatal(err)
			}
			for i, out := range tr.net.outputs {
				nearly(t, "output "+out.name, tr.Output(out.name), after[i], 5e-5) // a hundred layers of float32, in other kernels
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	rt := open(t)
	net := func(change func(b *builder, x value) value) []byte {
		b := newBuilder()
		x := b.input("x", float32s, 2, 3)
		w := weight(b, rand.New(rand.NewPCG(1, 1)), "w", 0, 1, 3, 4)
		b.output("y", change(b, b.op("Gemm", x.kind, []int64{2, 4}, []value{x, w})))
		return file(t, b)
	}
	same := func(_ *builder, x value) value { return x }
	for name, c := range map[string]struct {
		model []byte
		alter func(*Config)
		want  string
	}{
		"unknown operator": {
			net(func(b *builder, x value) value { return b.unary("Acosh", x) }), nil,
			"node that makes autograd.2 (operator Acosh): no gradient is known of this operator",
		},
		"no model":       {[]byte("<html>"), nil, "no ONNX file"},
		"no graph":       {nil, nil, "no graph"},
		"no output":      {net(same), func(c *Config) { c.Loss = CrossEntropy{Logits: "z"} }, `no output "z"`},
		"no logits":      {net(func(b *builder, x value) value { return b.reshape(x, 8) }), nil, "no logits"},
		"all frozen":     {net(same), func(c *Config) { c.Groups = []Group{{Match: ".", Frozen: true}} }, "no output"},
		"no such input":  {net(same), func(c *Config) { c.Inputs = map[string][]int64{"z": {1}} }, `"z"`},
		"smoothing":      {net(same), func(c *Config) { c.Loss = CrossEntropy{Smoothing: 1} }, "smoothing 1"},
		"momentum":       {net(same), func(c *Config) { c.Optimizer = SGD{Momentum: 1} }, "momentum 1"},
		"group":          {net(same), func(c *Config) { c.Groups = []Group{{Match: "("}} }, `group "("`},
		"accumulate":     {net(same), func(c *Config) { c.Accumulate = 0 }, "accumulate 0"},
		"shape misfits":  {net(same), func(c *Config) { c.Inputs = map[string][]int64{"x": {2, 5}} }, "does not run on inputs of these shapes, x [2 5]"},
		"negative decay": {net(same), func(c *Config) { c.Decay = math.NaN() }, "weight decay"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			if c.alter != nil {
				c.alter(&cfg)
			}
			if _, err := New(rt, c.model, cfg); err == nil || !strings.HasPrefix(err.Error(), "training: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	tr := trainer(t, rt, net(same), DefaultConfig())
	tr.Labels()[1] = 4
	if err := tr.Step(1); err == nil || !strings.Contains(err.Error(), "label 4 of sample 1: there are 4 classes") {
		t.Error(err)
	}
	if _, err := tr.Export(true); err == nil {
		t.Error("an average that is not kept was exported")
	}
}

// FuzzParse wants of any bytes an error or a graph that can be written again in the newest operator set.
func FuzzParse(f *testing.F) {
	b := newBuilder()
	x := b.input("x", float32s, 2, 3)
	b.output("y", b.op("Softmax", x.kind, x.dims, []value{x}, intAttr("axis", 0)))
	m := b.model()
	for version := int64(7); version < 23; version += 3 {
		m.OpsetImport[0].Version = proto.Int64(version)
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parse(data)
		if err != nil {
			return
		}
		if _, err := proto.Marshal(upgraded(m)); err != nil {
			t.Error(err)
		}
		net := &network{model: m}
		if _, err := net.fix(nil); err == nil {
			net.classify(upgraded(m).GetGraph(), func(string) bool { return true }, true)
		}
		for _, w := range m.GetGraph().GetInitializer() {
			onnx.Integers(w)
			reals(w)
		}
	})
}
