package schemas

// Scored is what a run has shown of one object so far: a row of the view scores, with what the catalog knows of the object.
type Scored struct {
	Dataset  string
	SampleID SampleID
	ObjectID string            // empty: the whole image
	Class    string            // of the best label; of an image as a whole, if all its objects are of one class; empty: unknown
	Lineage  string            // Object.Lineage; empty: unknown
	Kind     string            // easy, hard, edge, label_error, …: the view's
	Slices   map[string]string // the sample's
	Bytes    uint64            // of the encoded image; 0: unknown
	Epoch    uint32            // of the last presentation
	Epochs   uint32            // that the run has shown, of whatever object
	Values   []float64         // of ScoreColumns, in their order; NaN where the view has NULL, 1 and 0 for true and false
}

// ScoreColumn is one number or truth of the view scores.
type ScoreColumn struct {
	Name  string
	Bool  bool
	About string // for people
}

// ScoreColumns lists the columns of the view scores that rules may read, in the order of Scored.Values. The view's comments name
// the papers.
func ScoreColumns() []ScoreColumn {
	return []ScoreColumn{
		{Name: "presentations", About: "epochs in which the object was presented"},
		{Name: "forgetting_events", About: "times that it was right and then wrong"},
		{Name: "first_learned", About: "first epoch in which it was right"},
		{Name: "never_learned", Bool: true, About: "it was never right"},
		{Name: "unforgettable", Bool: true, About: "it was learned and never forgotten"},
		{Name: "confidence", About: "mean probability of the label"},
		{Name: "variability", About: "standard deviation of that probability"},
		{Name: "correctness", About: "share of presentations that were right"},
		{Name: "aum", About: "mean margin, in logits"},
		{Name: "el2n", About: "mean norm of the error"},
		{Name: "grand", About: "mean norm of the last layer's gradient"},
		{Name: "dyn_unc", About: "dynamic uncertainty"},
		{Name: "trend_slope", About: "slope of the loss, nats an epoch"},
		{Name: "trend_p", About: "of the slope, corrected for the number of objects"},
	}
}
