package autograd

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gleaner/connectors/onnx"
)

// TestBlockedWeightGradient compares both forms of the gradient of a convolution's weights on maps that fill blocks in every way.
func TestBlockedWeightGradient(t *testing.T) {
	rt := open(t)
	if !CanBlock(rt) {
		t.Skip("SKIPPED, NOT PASSED: the processor has no AVX-512")
	}
	same := []int64{1, 1, 1, 1}
	for _, c := range []struct {
		n, c, o, high, wide              int64
		kernel, strides, dilations, pads []int64
		not                              bool // fits
	}{
		{n: 2, c: 16, o: 16, high: 5, wide: 16, kernel: []int64{3, 3}, strides: []int64{1, 1}, dilations: []int64{1, 1}, pads: same},
		{n: 5, c: 20, o: 32, high: 4, wide: 7, kernel: []int64{3, 3}, strides: []int64{1, 1}, dilations: []int64{1, 1}, pads: same},
		{n: 2, c: 17, o: 16, high: 3, wide: 30, kernel: []int64{3, 3}, strides: []int64{1, 1}, dilations: []int64{2, 2}, pads: []int64{2, 0, 2, 2}},
		{n: 3, c: 16, o: 16, high: 9, wide: 32, kernel: []int64{3, 3}, strides: []int64{2, 2}, dilations: []int64{1, 1}, pads: same},
		{n: 7, c: 3, o: 16, high: 6, wide: 11, kernel: []int64{2, 5}, strides: []int64{3, 3}, dilations: []int64{1, 1}, pads: []int64{1, 2, 0, 3}},
		{n: 16, c: 16, o: 16, high: 2, wide: 1, kernel: []int64{3, 1}, strides: []int64{1, 2}, dilations: []int64{1, 1}, pads: []int64{2, 0, 0, 0}},
		{n: 4, c: 16, o: 16, high: 1, wide: 4, kernel: []int64{3, 3}, strides: []int64{4, 1}, dilations: []int64{1, 1}, pads: []int64{2, 1, 0, 1}}, // rows that see pads alone
		{n: 2, c: 16, o: 16, high: 4, wide: 64, kernel: []int64{3, 3}, strides: []int64{2, 2}, dilations: []int64{1, 1}, pads: same, not: true},
		{n: 2, c: 16, o: 16, high: 4, wide: 17, kernel: []int64{3, 3}, strides: []int64{1, 1}, dilations: []int64{1, 1}, pads: same, not: true},
		{n: 2, c: 16, o: 16, high: 3, wide: 3, kernel: []int64{3, 3}, strides: []int64{1, 3}, dilations: []int64{1, 1}, pads: []int64{1, 2, 1, 0}, not: true},
	} {
		w := window{kernel: c.kernel, strides: c.strides, dilations: c.dilations, before: c.pads[:2], after: c.pads[2:]}
		out := make([]int64, 2)
		for i, places := range []int64{c.high, c.wide} {
			out[i] = (places+w.before[i]+w.after[i]-w.reach(i))/w.strides[i] + 1
		}
		b := newTape()
		b.blocked = true
		x, d := b.input("x", float32s, c.n, c.c, c.high, c.wide), b.input("d", float32s, c.n, c.o, out[0], out[1])
		what := fmt.Sprintf("from %v to %v by %v", x.dims, d.dims, w)
		f, ok := b.fits(x, d, w)
		if ok == c.not {
			t.Fatalf("%s: fits %v, want %v", what, ok, !c.not)
		}
		if !ok {
			continue
		}
		b.output("blocked", b.blockedWeightGrad(x, d, w, f))
		b.output("plain", b.offsetWeightGrad(x, d, w))
		r := rand.New(rand.NewPCG(1, 4))
		got := run(t, rt, b.builder, func(string, int) float32 { return float32(r.NormFloat64()) })
		nearly(t, what, got("blocked"), got("plain"), 1e-6)
	}
}

// run runs a graph once on numbers by input and place, and gives its tensors.
func run(t *testing.T, rt *onnx.Runtime, b *builder, number func(input string, i int) float32) func(tensor string) []float32 {
	t.Helper()
	l, err := rt.LoadLoop(onnx.DefaultConfig(), onnx.LoopGraph{Name: t.Name(), Model: file(t, b)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	tensor := func(name string) []float32 {
		data, err := onnx.LoopData[float32](l, name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, in := range b.graph.GetInput() {
		for i := range tensor(in.GetName()) {
			tensor(in.GetName())[i] = number(in.GetName(), i)
		}
	}
	if err := l.Run(0); err != nil {
		t.Fatal(err)
	}
	return tensor
}
