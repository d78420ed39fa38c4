package score

import (
	"math"

	"gleaner/schemas"
)

// MinTrend is the least number of presentations that a trend is fitted to.
const MinTrend = 6

const (
	lags     = 3               // presentations after which noise is taken to be forgotten
	rounding = 1.0 / (1 << 24) // float32's, relative
)

// Trend says whether the loss of an object rises while training goes on, which is what an edge case's does and that of nearly all
// others does not. It is of the later half of the presentations, since every loss falls in the first.
type Trend struct {
	Slope float64 // least squares, nats an epoch
	SE    float64 // standard error of the slope
	P     float64 // one-sided: how likely a slope as steep or steeper is where there is none, [0,1]
}

// TrendOf fits a curve: the last ⌈n/2⌉ of its n presentations with a finite loss. All three are NaN where these are fewer than MinTrend.
//
// The standard error is the larger of that of ordinary least squares and of Newey and West's ("A Simple, Positive Semi-definite,
// Heteroskedasticity and Autocorrelation Consistent Covariance Matrix", Econometrica 1987; Bartlett's weights over
// three lags, times m/(m-2)): noise that depends on the epoch or on the noise before is no evidence of a trend, and the asymptotic one is too
// small for few presentations. It is no smaller than what rounding to float32 makes of a slope. The test is Student's with m - 2
// degrees of freedom.
func TrendOf(c schemas.Curve) Trend {
	var x, y []float64
	for i, loss := range finite(c.Loss) {
		x, y = append(x, float64(c.Epochs[i])), append(y, loss)
	}
	later := len(x) / 2
	x, y = x[later:], y[later:]
	m := float64(len(x))
	if len(x) < MinTrend {
		return Trend{math.NaN(), math.NaN(), math.NaN()}
	}
	meanX, meanY := 0.0, 0.0
	for i := range x {
		meanX += x[i] / m
		meanY += y[i] / m
	}
	xx, xy, yy := 0.0, 0.0, 0.0
	for i := range x {
		x[i] -= meanX
		xx += x[i] * x[i]
		xy += x[i] * (y[i] - meanY)
		yy += (y[i] - meanY) * (y[i] - meanY)
	}
	slope := xy / xx
	u := make([]float64, len(x)) // x times what the line leaves of y
	for i := range x {
		u[i] = x[i] * (y[i] - meanY - slope*x[i])
	}
	robust := 0.0
	for lag := range lags + 1 {
		product := 0.0
		for i := lag; i < len(u); i++ {
			product += u[i] * u[i-lag]
		}
		if lag > 0 {
			product *= 2 * (1 - float64(lag)/float64(lags+1))
		}
		robust += product
	}
	variance := max((yy-slope*xy)/(m-2)/xx, robust/(xx*xx)*m/(m-2), (yy/m+meanY*meanY)*rounding*rounding/xx)
	t := Trend{Slope: slope, SE: math.Sqrt(variance), P: 0.5}
	if t.SE > 0 {
		t.P = studentTail(slope/t.SE, m-2)
	}
	return t
}

// studentTail is the probability that Student's t with df degrees of freedom is larger than t, by the normal deviate of Hill,
// "Algorithm 395: Student's t-distribution", Communications of the ACM 1970: a closed form, so that a database computes it too.
func studentTail(t, df float64) float64 {
	a := df - 0.5
	b := 48 * a * a
	y := a * math.Log1p(t*t/df)
	z := ((((((-0.4*y-3.3)*y-24)*y-85.5)/(0.8*y*y+100+b))+y+3)/b + 1) * math.Sqrt(y)
	return math.Erfc(math.Copysign(z, t)/math.Sqrt2) / 2
}
