package schemas

import (
	"fmt"
	"slices"
	"strings"
)

// Scored is what a run has shown of one object so far: a row of the view scores, with what the catalog knows of the object.
type Scored struct {
	Dataset  string
	SampleID SampleID
	ObjectID string            // empty: the whole image
	Class    string            // of the label, or else of the lineage; empty: unknown
	Lineage  string            // Object.Lineage; empty: unknown
	Kind     string            // easy, hard, edge, label_error or unknown
	Slices   map[string]string // the sample's, the producer's and discovered
	Bytes    uint64            // of the encoded image; 0: unknown
	Seen     uint32            // presentations so far
	Epochs   uint32            // that the run has shown, of whatever object
	Values   []float64         // of ScoreColumns, in their order; NaN where the view has NULL, 1 and 0 for true and false
}

// ScoreColumn is one number or truth of the view scores.
type ScoreColumn struct {
	Name      string
	Bool      bool
	LowIsHard bool   // of two objects the one with the lower value is the harder; else the one with the higher
	About     string // for people
}

// ScoreColumns lists the columns of the view scores that rules may read, and that objects may be ordered and picked by, in the order of
// Scored.Values. The view's comments name the papers.
func ScoreColumns() []ScoreColumn {
	return []ScoreColumn{
		{Name: "presentations", About: "epochs in which the object was presented"},
		{Name: "not_finite", About: "presentations whose loss was not a finite number"},
		{Name: "forgetting_events", About: "times that it was right and then wrong"},
		{Name: "forgetting", About: "the same, or for one never learned its presentations"},
		{Name: "first_learned", About: "first epoch in which it was right"},
		{Name: "never_learned", Bool: true, About: "it was never right"},
		{Name: "unforgettable", Bool: true, LowIsHard: true, About: "it was learned and never forgotten"},
		{Name: "confidence", LowIsHard: true, About: "mean probability of the label"},
		{Name: "variability", About: "standard deviation of that probability"},
		{Name: "correctness", LowIsHard: true, About: "share of presentations that were right"},
		{Name: "aum", LowIsHard: true, About: "mean margin, in logits"},
		{Name: "mean_loss", About: "nats"},
		{Name: "el2n", About: "mean norm of the error in early epochs"},
		{Name: "grand", About: "mean norm of the last layer's gradient in early epochs"},
		{Name: "dyn_unc", About: "dynamic uncertainty"},
		{Name: "trend_slope", About: "slope of the later losses, nats an epoch"},
		{Name: "trend_se", About: "its standard error"},
		{Name: "trend_p", LowIsHard: true, About: "how likely such a slope is where there is none"},
		{Name: "trend_q", LowIsHard: true, About: "the same, corrected for the number of objects"},
		{Name: "error_score", About: "how much the label looks wrong, in standard deviations of aum"},
		{Name: "class_outlier", About: "how far aum is below that of the class, in the same"},
	}
}

// ScoreNames are the names of ScoreColumns.
func ScoreNames() []string {
	var names []string
	for _, c := range ScoreColumns() {
		names = append(names, c.Name)
	}
	return names
}

// FindScore returns the column of that name. The error for another lists those that there are.
func FindScore(name string) (ScoreColumn, error) {
	columns := ScoreColumns()
	i := slices.IndexFunc(columns, func(c ScoreColumn) bool { return c.Name == name })
	if i < 0 {
		return ScoreColumn{}, fmt.Errorf("there is no score %q: there are %s", name, strings.Join(ScoreNames(), ", "))
	}
	return columns[i], nil
}
