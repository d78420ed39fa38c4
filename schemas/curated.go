package schemas

// Manifest is a table of training samples in columns: one message on the curated topic. Pixels are by reference.
type Manifest struct {
	Dataset    []string
	SampleID   []SampleID
	ObjectID   []string
	Image      []Hash
	Label      []string // the Label's objects as JSON
	Weight     []float32
	Origin     []Origin
	MixVersion []string
	Epoch      []uint32
	Sequence   []uint64 // position within the mix's epoch
}

// Len is the number of rows.
func (m *Manifest) Len() int { return len(m.SampleID) }

// Origin is why a sample is in the trainers' mix.
type Origin string

// The origins.
const (
	OriginNew       Origin = "new"
	OriginCoreset   Origin = "coreset"
	OriginEdge      Origin = "edge"
	OriginDistilled Origin = "distilled"
)
