package schemas

// Embeddings is a table of feature vectors in columns, of length 1 each, so that the cosine tells how alike two are; one
// message is one table of one sample, model and layer.
type Embeddings struct {
	Dataset  []string
	SampleID []SampleID
	ObjectID []string // empty for the whole image
	Model    []string // name@version
	Layer    []string
	Dim      int       // length of every vector
	Vector   []float32 // [rows*Dim], row-major
}

// Len is the number of rows.
func (e *Embeddings) Len() int { return len(e.SampleID) }
