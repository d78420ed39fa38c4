package evidence

import (
	"math"

	"gleaner/schemas"
)

// Losses are what a training run that has finished says of one label: a row of the view scores, whose columns stages/analysis/score
// defines.
type Losses struct {
	RunID         string
	ObjectID      string  // empty: the loss of the image
	Class         string  // of the label when its losses came, or else its lineage; empty: unknown
	Kind          string  // easy, hard, edge, label_error or unknown
	Presentations uint64  // epochs in which it was presented
	AUM           float64 // mean margin, logits (Pleiss et al. 2020)
	TrendQ        float64 // how likely the loss rises by chance, corrected for the number of labels; NaN: unknown
}

// LabelError is the kind of a label that looks wrong by its losses.
const LabelError = "label_error"

const (
	// risingQ is from where down a loss is said to rise, as the view's kind edge has it.
	risingQ = 0.05
	// risingOdds is what that adds to the log-odds: what a trainer learns of other labels argues with this one ever more.
	risingOdds = 0.5
)

// Of returns which of the labels the losses are of, or false where they are of none: of an object that has gone or has got another
// class since, of an image with several labels, or of a class that nobody knows.
func (l Losses) Of(labels []schemas.Object) (i int, ok bool) {
	for i, o := range labels {
		if (o.ID == l.ObjectID || l.ObjectID == "" && len(labels) == 1) && l.Class != "" && (o.Class == l.Class || o.Lineage == l.Class) {
			return i, true
		}
	}
	return 0, false
}

// Rising tells whether the loss rises in the later half of the run.
func (l Losses) Rising() bool { return l.TrendQ <= risingQ }

// Doubt is the chance that the label is wrong, [0,1]: the logistic of the negative AUM, by which the same losses send labels back to
// people. An edge case, which a trainer argues with the longer it trains but not on average, is no error, and has none.
func (l Losses) Doubt() float64 {
	if l.Kind != LabelError || math.IsNaN(l.AUM) {
		return 0
	}
	odds := -l.AUM
	if l.Rising() {
		odds += risingOdds
	}
	return 1 / (1 + math.Exp(-odds))
}
