package ingest

import (
	"math"
	"slices"
)

const (
	hashSide = 32 // pixels of the square that is transformed
	hashLow  = 8  // frequencies kept in each direction, the constant one among them
)

// cosines is the DCT-II's basis: [frequency, pixel].
var cosines = func() (basis [hashLow][hashSide]float64) {
	for u := range basis {
		for x := range basis[u] {
			basis[u][x] = math.Cos(math.Pi / hashSide * (float64(x) + 0.5) * float64(u))
		}
	}
	return basis
}()

// phash is the 64-bit perceptual hash of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions"
// (2010), as the common tools compute it: luma area-averaged to 32x32, DCT-II, the 8x8 lowest frequencies with the constant
// one, each bit whether its coefficient exceeds their median. Row-major, the lowest frequency in the highest bit. Images
// that differ by scale, compression or slight retouching differ in few bits; unrelated ones in about 32.
func phash(luma plane) uint64 {
	small := area(luma.w, luma.h, luma.row, hashSide, hashSide)
	var rows [hashSide][hashLow]float64 // transformed along x
	for y := range rows {
		for u := range cosines {
			var sum float64
			for x, v := range small.row(y) {
				sum += cosines[u][x] * float64(v)
			}
			rows[y][u] = sum
		}
	}
	var coefficients [hashLow * hashLow]float64
	for v := range cosines {
		for u := range hashLow {
			var sum float64
			for y := range rows {
				sum += cosines[v][y] * rows[y][u]
			}
			coefficients[v*hashLow+u] = sum
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
