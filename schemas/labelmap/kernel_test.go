package labelmap

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Every kernel must find where labels differ, at every length and whatever the memory held before.
func TestKernelsAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range 300 {
		a, b := make([]uint16, n), make([]uint16, n)
		for i := range a {
			a[i] = uint16(rng.Uint32())
			b[i] = a[i] ^ 1<<rng.IntN(16)&-uint16(rng.IntN(2))
		}
		want := make([]uint64, (n+63)/64)
		for i := range a {
			if a[i] != b[i] {
				want[i/64] |= 1 << (i % 64)
			}
		}
		for _, k := range kernels() {
			got := slices.Repeat([]uint64{rng.Uint64()}, len(want))
			if k.differ(a, b, got); !slices.Equal(got, want) {
				t.Errorf("%s: %d labels differ at %x, want %x", k.name, n, got, want)
			}
		}
	}
}
