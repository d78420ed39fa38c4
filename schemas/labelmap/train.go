package labelmap

import (
	"fmt"
	"math"
	"strings"
)

// Train makes a text like priors.txt: the models that contours begin with by which the given maps, of which each is one
// example, take the fewest bits. It fails on a map whose labels are not width times height. The text is a part of the format, so
// that what was written by one cannot be read by another.
func Train(maps []*Map) (string, error) {
	answers := make([][][]bool, questions) // of each model, what came in each map that asks it
	for _, m := range maps {
		if m.W <= 0 || m.H <= 0 || len(m.Labels) != m.W*m.H {
			return "", fmt.Errorf("train on a label map of %d labels for %dx%d pixels", len(m.Labels), m.W, m.H)
		}
		walk := newContours(newWriter(nil), m.W, m.H, m.Labels)
		of := make([][]bool, questions)
		for y := range m.H {
			if err := walk.next(y); err != nil {
				return "", err
			}
			for _, a := range walk.asked {
				if a.model != plainModel {
					of[a.model] = append(of[a.model], a.bit)
				}
			}
			walk.asked = walk.asked[:0]
		}
		walk.free()
		for i, bits := range of {
			if bits != nil {
				answers[i] = append(answers[i], bits)
			}
		}
	}
	costs := costs()
	var b strings.Builder
	for _, of := range answers {
		b.WriteByte(cheapest(of, costs))
	}
	return b.String(), nil
}

// cheapest is the prior by which the answers to a question are the shortest, over all maps; an even chance where there are none.
func cheapest(maps [][]bool, costs []float64) byte {
	best, least := byte(firstPrior+3*evenPrior), math.Inf(1)
	if maps == nil {
		return best
	}
	for char := byte(firstPrior); char <= lastPrior; char++ {
		cost := 0.0
		for _, answers := range maps {
			m := prior(char)
			for _, one := range answers {
				p := m >> memoryBits
				if !one {
					p = 1<<probBits - p
				}
				cost += costs[p]
				m = m.after(number(one))
			}
		}
		if cost < least {
			best, least = char, cost
		}
	}
	return best
}

// costs are the bits that it takes to write what has a probability in 1/2^probBits.
func costs() []float64 {
	t := make([]float64, 1<<probBits)
	for p := range t {
		t[p] = probBits - math.Log2(float64(p))
	}
	return t
}
