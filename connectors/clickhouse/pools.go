package clickhouse

import (
	"context"
	"iter"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// Space is where vectors can be compared: what one layer of a model makes of images.
type Space struct {
	Model   string // name@version
	Layer   string
	Samples uint64 // of the dataset that have a vector
}

// Spaces lists those that images of a dataset have vectors in, the one written to last first.
func (db *DB) Spaces(ctx context.Context, dataset string) ([]Space, error) {
	var out []Space
	err := db.rows(ctx, "read models that embedded "+dataset, func() { out = nil }, func(rows driver.Rows) error {
		var s Space
		err := rows.Scan(&s.Model, &s.Layer, &s.Samples)
		out = append(out, s)
		return err
	}, "SELECT model, layer, uniqExact(sample_id) FROM embeddings WHERE dataset = ? AND object_id = '' GROUP BY model, layer ORDER BY max(updated) DESC, model, layer", dataset)
	return out, err
}

// vectorsPerPage bounds how many vectors are in memory at a time, in expectation.
const vectorsPerPage = 20_000

// Vectors yields the vectors of a dataset's images in one space, in the order of sample ids, the latest of each. It reads page by
// page: memory is bounded, and no connection is held between pages. The first error ends it.
func (db *DB) Vectors(ctx context.Context, dataset string, space Space) iter.Seq2[Embedding, error] {
	const where = " FROM embeddings FINAL WHERE model = ? AND layer = ? AND dataset = ? AND object_id = ''"
	return pages(space.Samples, vectorsPerPage, func(span idSpan, page *[]Embedding) error {
		return db.rows(ctx, "read embeddings of "+dataset, func() { *page = (*page)[:0] }, func(rows driver.Rows) error {
			e := Embedding{Dataset: dataset, Model: space.Model, Layer: space.Layer}
			var id []byte
			err := rows.Scan(&id, &e.Vector)
			copy(e.SampleID[:], id)
			*page = append(*page, e)
			return err
		}, "SELECT sample_id, vector"+where+" AND "+span.where()+" ORDER BY sample_id", space.Model, space.Layer, dataset)
	})
}

// pages yields what read makes of each span of ids in turn, with about perPage of total rows each.
func pages[T any](total, perPage uint64, read func(idSpan, *[]T) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for span := range idSpans(total, perPage) {
			var page []T
			if err := read(span, &page); err != nil {
				yield(none, err)
				return
			}
			for _, row := range page {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

// Waiting yields the samples of a dataset that prelabel has seen and that have no label, in the order of sample ids, without pixels. It
// reads page by page as Labels does.
func (db *DB) Waiting(ctx context.Context, dataset string) iter.Seq2[schemas.Sample, error] {
	return func(yield func(schemas.Sample, error) bool) {
		total, err := db.count(ctx, "SELECT count() FROM samples WHERE dataset = ?", dataset)
		if err != nil {
			yield(schemas.Sample{}, err)
			return
		}
		for s, err := range pages(total, labelsPerPage, func(span idSpan, page *[]schemas.Sample) error {
			return db.rows(ctx, "read samples that wait in "+dataset, func() { *page = (*page)[:0] }, func(rows driver.Rows) error {
				var record []byte
				if err := rows.Scan(&record); err != nil {
					return err
				}
				s, err := schemas.DecodeSample(record)
				*page = append(*page, s)
				return err
			}, "SELECT record FROM samples FINAL WHERE dataset = ? AND stage >= ? AND "+span.where()+
				" AND sample_id NOT IN (SELECT sample_id FROM labels WHERE dataset = ? AND "+span.where()+") ORDER BY sample_id",
				dataset, uint8(schemas.StagePrelabeled), dataset)
		}) {
			if !yield(s, err) {
				return
			}
		}
	}
}

// SampleScores returns one score of a run: for each sample the mean over its objects that have a finite one. name is of one of
// schemas.ScoreColumns.
func (db *DB) SampleScores(ctx context.Context, runID, name string) (map[schemas.SampleID]float64, error) {
	if _, err := schemas.FindScore(name); err != nil {
		return nil, err
	}
	out := map[schemas.SampleID]float64{}
	err := db.rows(ctx, "read "+name+" of run "+runID, func() { clear(out) }, func(rows driver.Rows) error {
		var id []byte
		var score float64
		err := rows.Scan(&id, &score)
		out[schemas.SampleID(id)] = score
		return err
	}, "SELECT sample_id, avg(score) FROM (SELECT sample_id, assumeNotNull(toFloat64("+name+")) AS score FROM scores WHERE run_id = ? AND "+name+" IS NOT NULL)"+
		" WHERE isFinite(score) GROUP BY sample_id", runID)
	return out, err
}
