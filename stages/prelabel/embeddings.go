package prelabel

import (
	"fmt"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// maxEmbeddingBytes bounds the vectors of one record, which the topic must take.
const maxEmbeddingBytes = 2 << 20

// embed makes a record of a sample's embeddings by each model that has features.
func embed(s *schemas.Sample, opinions []opinion) ([]schemas.Emit, error) {
	var emits []schemas.Emit
	for _, o := range opinions {
		e := embeddings(s, o.by, o.features)
		if e.Len() == 0 {
			continue
		}
		value, err := schemas.EncodeEmbeddings(&e)
		if err != nil {
			return nil, schemas.NewFault("unencodable", fmt.Errorf("embeddings: %w", err))
		}
		emits = append(emits, schemas.Emit{Topic: schemas.Embedded, Record: schemas.Record{Key: []byte(s.ID.String()), Value: value}})
	}
	return emits, nil
}

// embeddings describes the image and each object by the features under its box. Objects beyond what one record holds, and
// those whose features are all zero, have no row.
func embeddings(s *schemas.Sample, m schemas.Model, f *featureMap) schemas.Embeddings {
	e := schemas.Embeddings{Dim: f.channels}
	if len(f.values) == 0 {
		return e
	}
	in := input{w: m.Decode.Input.Width, h: m.Decode.Input.Height, resize: m.Decode.Input.Resize}
	at := in.place(s.Image.W, s.Image.H)
	add := func(object string, b geometry.Box) {
		b = b.Clip(s.Image.W, s.Image.H)
		if b.Empty() || 4*(len(e.Vector)+e.Dim) > maxEmbeddingBytes {
			return
		}
		v, ok := f.pool(at.to(b), in.w, in.h)
		if !ok {
			return
		}
		e.Dataset, e.SampleID, e.ObjectID = append(e.Dataset, s.Dataset), append(e.SampleID, s.ID), append(e.ObjectID, object)
		e.Model, e.Layer = append(e.Model, m.ID), append(e.Layer, f.layer)
		e.Vector = append(e.Vector, v...)
	}
	add("", geometry.Box{X2: float32(s.Image.W), Y2: float32(s.Image.H)})
	for _, o := range s.Objects {
		add(o.ID, o.Box)
	}
	return e
}

// to takes a box from pixels of the image to pixels of the input.
func (p placement) to(b geometry.Box) geometry.Box {
	left, top := float32(p.left), float32(p.top)
	return geometry.Box{X1: b.X1/p.perX + left, Y1: b.Y1/p.perY + top, X2: b.X2/p.perX + left, Y2: b.Y2/p.perY + top}
}
