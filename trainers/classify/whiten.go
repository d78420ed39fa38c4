package classify

import (
	"math"
	"slices"
)

// whitening returns filters [2·keep, 3, kernel, kernel] that give the patches of training images uncorrelated outputs of variance one,
// the first of the largest part of their variance, and the negatives of these filters (Page 2018, "How to train your ResNet", part 7;
// arXiv 2404.00498). Patches are those of at most 5,000 images.
func whitening(train Images, in Normalization, kernel, keep int) []float32 {
	const most, epsilon = 5000, 5e-4
	d, side := 3*kernel*kernel, train.Side
	cov := make([][]float64, d)
	for i := range cov {
		cov[i] = make([]float64, d)
	}
	patch := make([]float64, d)
	count := 0.0
	stride := max(train.Len()/most, 1)
	for n := 0; n < train.Len(); n += stride {
		img := train.image(n)
		for y := range side - kernel + 1 {
			for x := range side - kernel + 1 {
				for i := range patch {
					c, dy, dx := i/(kernel*kernel), i/kernel%kernel, i%kernel
					patch[i] = (float64(img[(in.source(c)*side+y+dy)*side+x+dx]) - float64(in.Mean[c])) / float64(in.Std[c])
				}
				for i, a := range patch {
					for j, b := range patch[:i+1] {
						cov[i][j] += a * b
					}
				}
				count++
			}
		}
	}
	for i := range cov {
		for j := range i + 1 {
			cov[i][j] /= count
			cov[j][i] = cov[i][j]
		}
	}
	values, vectors := eigen(cov)
	order := make([]int, d)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if values[a] > values[b] {
			return -1
		}
		return 1
	})
	filters := make([]float32, 2*keep*d)
	for row, k := range order[:keep] {
		gain := 1 / math.Sqrt(max(values[k], 0)+epsilon)
		for i := range d {
			v := float32(vectors[i][k] * gain)
			filters[row*d+i], filters[(keep+row)*d+i] = v, -v
		}
	}
	return filters
}

// eigen returns the eigenvalues of a symmetric matrix and its eigenvectors, in columns, by Jacobi's rotations. It destroys a.
func eigen(a [][]float64) (values []float64, vectors [][]float64) {
	n := len(a)
	v := make([][]float64, n)
	for i := range v {
		v[i] = make([]float64, n)
		v[i][i] = 1
	}
	for range 50 {
		off, diagonal := 0.0, 0.0
		for i := range n {
			diagonal += a[i][i] * a[i][i]
			for j := range i {
				off += a[i][j] * a[i][j]
			}
		}
		if off <= 1e-22*diagonal {
			break
		}
		for p := range n {
			for q := p + 1; q < n; q++ {
				if a[p][q] == 0 {
					continue
				}
				theta := (a[q][q] - a[p][p]) / (2 * a[p][q])
				t := 1 / (math.Abs(theta) + math.Hypot(theta, 1))
				if theta < 0 {
					t = -t
				}
				c := 1 / math.Hypot(t, 1)
				s := t * c
				for k := range n {
					a[k][p], a[k][q] = c*a[k][p]-s*a[k][q], s*a[k][p]+c*a[k][q]
				}
				for k := range n {
					a[p][k], a[q][k] = c*a[p][k]-s*a[q][k], s*a[p][k]+c*a[q][k]
					v[k][p], v[k][q] = c*v[k][p]-s*v[k][q], s*v[k][p]+c*v[k][q]
				}
			}
		}
	}
	values = make([]float64, n)
	for i := range values {
		values[i] = a[i][i]
	}
	return values, v
}
