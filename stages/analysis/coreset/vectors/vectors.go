// Package vectors holds many vectors of one length side by side, and the inner loops over them that pickers run: products of some
// with all, the gain of facility location. Each is plain Go; where the build (GOEXPERIMENT=simd) and the processor have vector
// instructions, these do most of it, with the same results bit by bit: a product is summed up in the order of its terms, each
// rounded to float32, whatever the processor and the number of threads.
package vectors

import (
	"fmt"
	"math"
)

// Panel is how many vectors stand side by side: number d of all of them, then number d+1.
const Panel = 32

// lanes is how many numbers one vector instruction takes at most. Panel is a multiple of it.
const lanes = 16

// Matrix is n vectors of dim numbers. It does not change once filled, and then is safe for concurrent use. Memory: 4 bytes a number.
type Matrix struct {
	n, dim int
	data   [][Panel]float32 // [panels, dim]; what is beyond n is zero
}

// NewMatrix returns n vectors of zeros.
func NewMatrix(n, dim int) *Matrix {
	return &Matrix{n: n, dim: dim, data: make([][Panel]float32, (n+Panel-1)/Panel*dim)}
}

// Len is the number of vectors.
func (m *Matrix) Len() int { return m.n }

// Dim is the length of each.
func (m *Matrix) Dim() int { return m.dim }

// Panels is how many panels there are, the last perhaps not full.
func (m *Matrix) Panels() int { return (m.n + Panel - 1) / Panel }

// Stride is the number of vectors rounded up to whole panels: how many products one vector has with all.
func (m *Matrix) Stride() int { return m.Panels() * Panel }

// Set copies a vector of dim numbers to place i.
func (m *Matrix) Set(i int, v []float32) {
	to, l := m.panel(i/Panel), i%Panel
	for d, x := range v[:m.dim] {
		to[d][l] = x
	}
}

// SetUnit copies a vector scaled to length 1, so that products are cosines. One that is not finite, or zero, has no direction.
func (m *Matrix) SetUnit(i int, v []float32) error {
	if len(v) != m.dim {
		return fmt.Errorf("vector of %d numbers among those of %d", len(v), m.dim)
	}
	square := 0.0
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	if !(square > 0) || math.IsInf(square, 0) {
		return fmt.Errorf("vector of length %g: it must be positive and finite", math.Sqrt(square))
	}
	scale := 1 / math.Sqrt(square)
	to, l := m.panel(i/Panel), i%Panel
	for d, x := range v {
		to[d][l] = float32(float64(x) * scale)
	}
	return nil
}

// Row copies vector i to dst, of dim numbers.
func (m *Matrix) Row(dst []float32, i int) {
	for d, from := range m.panel(i / Panel) {
		dst[d] = from[i%Panel]
	}
}

// panel is [dim, Panel].
func (m *Matrix) panel(p int) [][Panel]float32 { return m.data[p*m.dim : (p+1)*m.dim] }

// Take returns the vectors at the given places, in that order.
func (m *Matrix) Take(places []int) *Matrix {
	out := NewMatrix(len(places), m.dim)
	for to, from := range places {
		dst := out.panel(to / Panel)
		for d, src := range m.panel(from / Panel) {
			dst[d][to%Panel] = src[from%Panel]
		}
	}
	return out
}

// Join returns the vectors of a, then those of b.
func Join(a, b *Matrix) *Matrix {
	out := NewMatrix(a.n+b.n, b.dim)
	row := make([]float32, b.dim)
	for i := range a.n {
		a.Row(row, i)
		out.Set(i, row)
	}
	for i := range b.n {
		b.Row(row, i)
		out.Set(a.n+i, row)
	}
	return out
}
