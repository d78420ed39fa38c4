package schemas

import "fmt"

// EncodeEmbeddings writes a table of vectors as an Arrow IPC stream; every vector has Dim elements.
func EncodeEmbeddings(e *Embeddings) ([]byte, error) {
	if len(e.Vector) != e.Len()*e.Dim {
		return nil, fmt.Errorf("encode embeddings: %d values, want %d rows of %d", len(e.Vector), e.Len(), e.Dim)
	}
	w := embeddingRows{Embeddings: *e, vectors: make([][]float32, e.Len())}
	for i := range w.vectors {
		w.vectors[i] = e.Vector[i*e.Dim : (i+1)*e.Dim]
	}
	return encodeTable(embeddingsMessage, &w, e.Len())
}

// DecodeEmbeddings reads what EncodeEmbeddings writes. Required: dataset, sample_id, model, vector (a list of equally
// many float32 in every row). The rest defaults to zero. The identity of a row is (dataset, model, layer, sample_id, object_id).
func DecodeEmbeddings(b []byte) (Embeddings, error) {
	r, err := decodeTable(embeddingsMessage, b)
	if err != nil {
		return Embeddings{}, err
	}
	e := r.Embeddings
	for i, v := range r.vectors {
		if i == 0 {
			e.Dim = len(v)
			if e.Dim > 0 {
				e.Vector = make([]float32, 0, e.Len()*e.Dim)
			}
		}
		if len(v) != e.Dim {
			return Embeddings{}, fmt.Errorf("decode embeddings: row %d has %d values, row 0 has %d", i, len(v), e.Dim)
		}
		e.Vector = append(e.Vector, v...)
	}
	return e, nil
}

// embeddingRows is Embeddings with one slice for each vector.
type embeddingRows struct {
	Embeddings
	vectors [][]float32
}

var embeddingsMessage = newMessage("embeddings", []column[*embeddingRows]{
	must(vector("dataset", texts[string](), func(e *embeddingRows) *[]string { return &e.Dataset })),
	must(vector("sample_id", sampleIDs(), func(e *embeddingRows) *[]SampleID { return &e.SampleID })),
	vector("object_id", texts[string](), func(e *embeddingRows) *[]string { return &e.ObjectID }),
	must(vector("model", texts[string](), func(e *embeddingRows) *[]string { return &e.Model })),
	vector("layer", texts[string](), func(e *embeddingRows) *[]string { return &e.Layer }),
	must(vector("vector", lists(float32s()), func(e *embeddingRows) *[][]float32 { return &e.vectors })),
})
