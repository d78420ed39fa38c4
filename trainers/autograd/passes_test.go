package autograd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx/onnxpb"
)

// TestPasses divides a batch of seven samples into passes in several ways, of which the last ones are not full, or empty: the weights after
// a step are those of one pass over all seven.
func TestPasses(t *testing.T) {
	rt := open(t)
	const samples, classes = 7, 5
	r := rand.New(rand.NewPCG(2, 7))
	images, labels := make([]float32, samples*3*8*8), make([]int64, samples)
	for i := range images {
		images[i] = float32(r.NormFloat64())
	}
	for i := range labels {
		labels[i] = r.Int64N(classes)
	}
	step := func(size, accumulate, parts int) map[string][]float32 {
		cfg := DefaultConfig()
		cfg.Loss, cfg.Clip, cfg.Accumulate, cfg.Parts = CrossEntropy{Smoothing: 0.1}, 0.5, accumulate, parts
		tr := trainer(t, rt, convNet(t, rand.New(rand.NewPCG(8, 8)), int64(size), 4, 8, 2, classes), cfg)
		at := 0
		for range accumulate {
			for k := range parts {
				part := tr.Nth(k)
				clear(part.SampleWeights())
				n := min(size, samples-at)
				copy(part.Input("x"), images[at*3*8*8:(at+n)*3*8*8])
				copy(part.Labels(), labels[at:at+n])
				copy(part.SampleWeights(), slices.Repeat([]float32{1}, n))
				at += n
			}
			if err := tr.Step(0.5); err != nil {
				t.Fatal(err)
			}
		}
		if at != samples || tr.Updates() != 1 {
			t.Fatalf("%d samples in %d updates", at, tr.Updates())
		}
		out := map[string][]float32{}
		for _, name := range tr.Parameters() {
			out[name] = slices.Clone(tr.Parameter(name))
		}
		return out
	}
	want := step(7, 1, 1)
	for _, split := range [][3]int{{8, 1, 1}, {4, 2, 1}, {4, 1, 2}, {2, 2, 2}, {6, 1, 2}, {5, 1, 3}, {3, 2, 2}} {
		for name, got := range step(split[0], split[1], split[2]) {
			nearly(t, fmt.Sprintf("passes of %d, %d calls of %d parts: %s", split[0], split[1], split[2], name), got, want[name], 2e-5)
		}
	}
}

// TestUnreached has a weight that the loss does not depend on: it stays, and every part computes with it.
func TestUnreached(t *testing.T) {
	rt := open(t)
	b := newBuilder()
	r := rand.New(rand.NewPCG(6, 1))
	x := b.input("x", float32s, 2, 3)
	b.output("logits", b.op("Gemm", x.kind, []int64{2, 4}, []value{x, weight(b, r, "w", 0, 1, 3, 4)}))
	b.output("beside", b.op("Gemm", x.kind, []int64{2, 2}, []value{x, weight(b, r, "other", 0, 1, 3, 2)}))
	model := file(t, b)
	cfg := DefaultConfig()
	cfg.Parts = 2
	tr := trainer(t, rt, model, cfg)
	if got := tr.Parameters(); !slices.Equal(got, []string{"w"}) {
		t.Errorf("%v learn", got)
	}
	input := noise(6, 1)
	for k := range cfg.Parts {
		copy(tr.Nth(k).Input("x"), input)
	}
	if err := tr.Step(0.1); err != nil {
		t.Fatal(err)
	}
	exported, err := tr.Export(false)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range [][]byte{model, exported} {
		for k := range cfg.Parts {
			nearly(t, fmt.Sprintf("output of part %d", k), tr.Nth(k).Output("beside"), serve(t, rt, m, input)[1], 1e-6)
		}
	}
}

// TestState wants sums of gradients saved in the midst of an update alone.
func TestState(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Loss, cfg.Accumulate, cfg.Parts = Squares{}, 2, 2
	tr := trainer(t, open(t), quadratic(t, false), cfg)
	for step, want := range []int{0, 2*2 + 2, 0, 2*2 + 2} { // of two parameters and of weights, in two parts
		saved, err := tr.Save()
		if err != nil {
			t.Fatal(err)
		}
		var m onnxpb.ModelProto
		if err := proto.Unmarshal(saved, &m); err != nil {
			t.Fatal(err)
		}
		sums := 0
		for _, entry := range m.GetGraph().GetInitializer() {
			if strings.Contains(entry.GetName(), sumTensor) || strings.HasSuffix(entry.GetName(), weightTensor) {
				sums++
			}
		}
		if sums != want {
			t.Errorf("%d sums after %d calls, want %d", sums, step, want)
		}
		if err := tr.Step(0.1); err != nil {
			t.Fatal(err)
		}
	}
}
