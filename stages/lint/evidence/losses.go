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
	Outlier       float64 // by how many standard deviations of the run's it is below that of its class; NaN: unknown
	TrendQ        float64 // how likely the loss rises by chance, corrected for the number of labels; NaN: unknown
}

// LabelError is the kind of a label that looks wrong by its losses.
const LabelError = "label_error"

// risingQ is from where down a loss is said to rise, as the view's kind edge has it.
const risingQ = 0.05

// The log-odds that a label of kind label_error is wrong are errorOdds, and errorByOutlier more by each standard deviation of Outlier. They
// are fitted by logistic regression to CIFAR-10 with 10 % wrong labels, and are the means, rounded, of what two networks on balanced classes
// and on a long tail gave, -4.63 and 3.10, -3.45 and 2.98: `make bench-analysis ONLY=errors,edge` writes those fits, and how well the
// chances hold. By AUM the fits of the two have nothing in common, as the scale of logits is a network's own.
const (
	errorOdds      = -4
	errorByOutlier = 3
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

// Doubt is the chance that the label is wrong, [0,1]; judgments correct it. An edge case, which a trainer argues with the longer it
// trains but not on average, is no error, and has none.
func (l Losses) Doubt() float64 {
	if l.Kind != LabelError || math.IsNaN(l.Outlier) {
		return 0
	}
	return 1 / (1 + math.Exp(-errorOdds-errorByOutlier*l.Outlier))
}
