package ingest

import (
	"math"
	"slices"

	"gleaner/stages/pixels"
)

// phash is the 64-bit perceptual hash of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions"
// (2010), as the common tools compute it: luma area-averaged to 32x32, DCT-II, the 8x8 lowest frequencies with the constant
// one, each bit whether its coefficient exceeds their median. Row-major, the lowest frequency in the highest bit. Images
// that differ by scale, compression or slight retouching differ in few bits; unrelated ones in about 32.
func phash(luma *pixels.Plane) uint64 {
	const n, low = 32, 8
	small := luma.Area(n, n)
	var basis [low][n]float64
	for u := range low {
		for x := range n {
			basis[u][x] = math.Cos(math.Pi / n * (float64(x) + 0.5) * float64(u))
		}
	}
	var rows [n][low]float64 // transformed along x
	for y := range n {
		for u := range low {
			var sum float64
			for x, v := range small.Pix[y*n : y*n+n] {
				sum += basis[u][x] * float64(v)
			}
			rows[y][u] = sum
		}
	}
	var coefficients [low * low]float64
	for v := range low {
		for u := range low {
			var sum float64
			for y := range n {
				sum += basis[v][y] * rows[y][u]
			}
			coefficients[v*low+u] = sum
		}
	}
	sorted := coefficients
	slices.Sort(sorted[:])
	median := (sorted[31] + sorted[32]) / 2
	var h uint64
	for i, c := range coefficients {
		if c > median {
			h |= 1 << (63 - i)
		}
	}
	return h
}
