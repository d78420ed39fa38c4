// Package calibrate turns a model's score into the probability that a person accepts the proposal.
//
// The log-odds of being accepted are a line in the log-odds of the score (Platt 1999; of the beta calibrations of Kull, Silva
// Filho and Flach, 2017, those with equal exponents). Lines are learned in a tree: one of all corrections; below it one of each
// model; below that one of each of the model's super-classes; and last one of each class. Each is drawn to its parent's, the
// more so the fewer corrections it has, and how far the lines of one level scatter around their parents' is estimated from
// them. Before a model has corrections its score itself is the probability.
package calibrate

import "gleaner/stages/prelabel/logistic"

// Correction is what became of one proposal.
type Correction struct {
	Model    string // as the proposal's source has it
	Super    string // the class's parent; empty where it has none
	Class    string
	Score    float32 // [0,1]
	Accepted bool
}

// path leads to the correction's line.
func (c Correction) path() [3]string { return [3]string{c.Model, c.Super, c.Class} }

// Book holds what has been learned; it is plain JSON, and the empty Book knows nothing. It is immutable and safe for concurrent
// use.
type Book struct {
	All *Line `json:"all,omitempty"` // below it models, below these super-classes, below these classes
}

// Line is a node of the tree: the log-odds of being accepted are Shift + Slope*logit(score).
type Line struct {
	N     int              `json:"n"` // corrections that it was learned from
	Shift float64          `json:"shift"`
	Slope float64          `json:"slope"` // at least 0.05
	Below map[string]*Line `json:"below,omitempty"`
}

// Probability is the chance, (0,1), that a proposal of this class and super-class by this model with this score is accepted, by
// the narrowest line that there is. It does not fall as the score rises. A score that is NaN counts as 0. A model without
// corrections, such as a new version, keeps its score: what others are worth says nothing of it.
func (b *Book) Probability(class, super, model string, score float32) float32 {
	line := b.All
	if line == nil || line.Below[model] == nil {
		line = &Line{Slope: 1}
	}
	for _, name := range (Correction{Model: model, Super: super, Class: class}).path() {
		below := line.Below[name]
		if below == nil {
			break
		}
		line = below
	}
	return line.Probability(score)
}

// Probability is the chance, (0,1), that a proposal with this score is accepted, by this line.
func (l *Line) Probability(score float32) float32 {
	p := logistic.Sigmoid(l.Shift + l.Slope*logistic.Logit(float64(score)))
	return float32(min(max(p, least), 1-least))
}

// least keeps probabilities off 0, which as a score stands for a label made by people, and off 1.
const least = 1e-6
