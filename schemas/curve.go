package schemas

// Curve is what one object showed in the course of one run: its presentations in epoch order, one per epoch, with
// duplicates and superseded attempts already folded away. All slices have the same length; their units are those of Losses.
type Curve struct {
	RunID    string
	SampleID SampleID
	ObjectID string // empty: the whole image
	Epochs   []uint32
	Loss     []float32 // nats
	Margin   []float32 // logit of the label minus the largest other logit
	PTrue    []float32 // probability of the label, [0,1]
	Correct  []bool    // argmax equaled the label
	EL2N     []float32 // L2 norm of (probabilities - one-hot)
	EmbNorm  []float32 // L2 norm of the embedding; 0 when unknown
}

// Len is the number of presentations.
func (c Curve) Len() int { return len(c.Epochs) }
