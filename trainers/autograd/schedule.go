package autograd

import "math"

// Schedule is a learning rate by step, counted from zero.
type Schedule func(step int) float64

// Constant is one rate.
func Constant(rate float64) Schedule { return func(int) float64 { return rate } }

// Warmup rises linearly over the first steps, reaching what s has at their end.
func (s Schedule) Warmup(steps int) Schedule {
	return func(step int) float64 {
		if step < steps {
			return s(steps) * float64(step+1) / float64(steps+1)
		}
		return s(step)
	}
}

// Cosine falls from rate to the share floor of it along half a cosine over the steps (Loshchilov and Hutter 2017).
func Cosine(rate, floor float64, steps int) Schedule {
	return func(step int) float64 {
		at := min(float64(step)/float64(max(steps, 1)), 1)
		return rate * (floor + (1-floor)*(1+math.Cos(math.Pi*at))/2)
	}
}

// Triangle goes linearly through start·rate at first, rate at the share peak of the steps, and end·rate at the last
// (Smith 2017).
func Triangle(rate, start, peak, end float64, steps int) Schedule {
	return func(step int) float64 {
		at := min(float64(step)/float64(max(steps, 1)), 1)
		if at < peak {
			return rate * (start + (1-start)*at/peak)
		}
		if peak >= 1 {
			return rate
		}
		return rate * (1 + (end-1)*(at-peak)/(1-peak))
	}
}

// Stairs multiplies rate by factor at each of these steps.
func Stairs(rate, factor float64, at ...int) Schedule {
	return func(step int) float64 {
		r := rate
		for _, s := range at {
			if step >= s {
				r *= factor
			}
		}
		return r
	}
}
