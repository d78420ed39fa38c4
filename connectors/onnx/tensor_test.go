package onnx

import (
	"math"
	"testing"
)

// TestHalf brings every binary16 there and back, and rounds the midpoints between neighbors to the even one.
func TestHalf(t *testing.T) {
	for h := range uint32(1 << 16) {
		x := fromHalf(uint16(h))
		if back := toHalf(x); back != uint16(h) && x == x {
			t.Fatalf("%#04x is %g, which is %#04x", h, x, back)
		}
		if next := fromHalf(uint16(h + 1)); h&0x7fff < 0x7bff {
			if got := toHalf((x + next) / 2); got != uint16(h+h&1) {
				t.Fatalf("%g, between %#04x and the next, is %#04x", (x+next)/2, h, got)
			}
		}
	}
	for x, want := range map[float32]float32{1: 1, 65504: 65504, 65519: 65504, 65520: float32(math.Inf(1)), 0x1p-24: 0x1p-24, 0x1p-26: 0} {
		if got := fromHalf(toHalf(x)); got != want {
			t.Errorf("%g is %g, want %g", x, got, want)
		}
	}
	if nan := fromHalf(toHalf(float32(math.NaN()))); nan == nan {
		t.Errorf("NaN is %g", nan)
	}
}
