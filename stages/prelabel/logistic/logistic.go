// Package logistic fits logistic regressions of a few coefficients, by maximum a posteriori, and keeps them within bounds.
package logistic

import (
	"math"
	"slices"
)

// Prior is what is believed of the coefficients beforehand: independent normal distributions, cut off below Lower.
type Prior struct {
	Mean, Deviation, Lower []float64 // [D]; deviations are above 0, lower bounds may be -Inf and are at most the means
}

// Regression is a fitted model: the log-odds of x are the dot product of Coefficients and x.
type Regression struct {
	Coefficients []float64 // [D]
	Variances    []float64 // [D], of the posterior around them, by Laplace's approximation; 0 of those that rest on their bound
}

// limits of the search.
const (
	maxSteps = 100
	enough   = 1e-9 // of what a step gains
)

// Fit returns the mode of the posterior given rows x, each of D numbers, and their outcomes y. The log posterior is concave, so
// there is one. The search is Newton's, projected on the bounds (Bertsekas, "Projected Newton methods for optimization
// problems with simple constraints", 1982). Without rows the prior's means come back.
func Fit(x [][]float64, y []bool, prior Prior) Regression {
	d := len(prior.Mean)
	at := slices.Clone(prior.Mean)
	value := logPosterior(x, y, prior, at)
	var variances []float64
	for range maxSteps {
		gradient, curvature := derivatives(x, y, prior, at)
		free := make([]int, 0, d)
		for i := range d {
			if at[i] > prior.Lower[i] || gradient[i] > 0 {
				free = append(free, i)
			}
		}
		inverse := invert(curvature, free)
		variances = make([]float64, d)
		step := make([]float64, d)
		for i, f := range free {
			variances[f] = inverse[i][i]
			for j, g := range free {
				step[f] += inverse[i][j] * gradient[g]
			}
		}
		gained := 0.0
		for share := 1.0; share > 1e-6; share /= 2 {
			next := make([]float64, d)
			for i := range next {
				next[i] = max(at[i]+share*step[i], prior.Lower[i])
			}
			if v := logPosterior(x, y, prior, next); v > value {
				gained, at, value = v-value, next, v
				break
			}
		}
		if gained <= enough {
			break
		}
	}
	return Regression{at, variances}
}

func logPosterior(x [][]float64, y []bool, prior Prior, at []float64) float64 {
	sum := 0.0
	for i, row := range x {
		z := dot(row, at)
		if !y[i] {
			z = -z
		}
		sum -= softplus(-z)
	}
	for i, c := range at {
		off := (c - prior.Mean[i]) / prior.Deviation[i]
		sum -= off * off / 2
	}
	return sum
}

// derivatives are the gradient of the log posterior and the negative of its Hessian.
func derivatives(x [][]float64, y []bool, prior Prior, at []float64) (gradient []float64, curvature [][]float64) {
	d := len(at)
	gradient, curvature = make([]float64, d), square(d)
	for i, c := range at {
		precision := 1 / (prior.Deviation[i] * prior.Deviation[i])
		gradient[i], curvature[i][i] = precision*(prior.Mean[i]-c), precision
	}
	for i, row := range x {
		p := Sigmoid(dot(row, at))
		off := -p
		if y[i] {
			off++
		}
		for j, v := range row {
			if v == 0 {
				continue
			}
			gradient[j] += off * v
			for k, u := range row[:j+1] {
				curvature[j][k] += p * (1 - p) * v * u
			}
		}
	}
	for j := range d {
		for k := range j {
			curvature[k][j] = curvature[j][k]
		}
	}
	return gradient, curvature
}

// invert returns the inverse of the rows and columns of a positive definite matrix that which names, by Cholesky's factors.
func invert(m [][]float64, which []int) [][]float64 {
	n := len(which)
	factor, out := square(n), square(n)
	for i := range n {
		for j := range i + 1 {
			s := m[which[i]][which[j]]
			for k := range j {
				s -= factor[i][k] * factor[j][k]
			}
			if i == j {
				factor[i][i] = math.Sqrt(s)
			} else {
				factor[i][j] = s / factor[j][j]
			}
		}
	}
	for c := range n {
		column := make([]float64, n)
		for i := range n {
			if i == c {
				column[i] = 1
			}
			for k := range i {
				column[i] -= factor[i][k] * column[k]
			}
			column[i] /= factor[i][i]
		}
		for i := n - 1; i >= 0; i-- {
			for k := i + 1; k < n; k++ {
				column[i] -= factor[k][i] * column[k]
			}
			column[i] /= factor[i][i]
			out[i][c] = column[i]
		}
	}
	return out
}

func square(n int) [][]float64 {
	m, all := make([][]float64, n), make([]float64, n*n)
	for i := range m {
		m[i] = all[i*n:][:n]
	}
	return m
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// softplus is log(1+exp(z)).
func softplus(z float64) float64 { return max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) }

// Sigmoid is the probability, (0,1), of log-odds.
func Sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// least is the least probability whose log-odds are told apart from lesser ones, as is 1-least of greater ones.
const least = 1e-6

// Logit is the log-odds of a probability, which is kept within 1e-6 and 1-1e-6; NaN counts as 1e-6.
func Logit(p float64) float64 {
	if !(p >= least) {
		p = least
	}
	p = min(p, 1-least)
	return math.Log(p) - math.Log1p(-p)
}
