package clickhouse

import (
	"context"
	"fmt"
	"strconv"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// PutEmbeddings records vectors; of those of one object, model and layer the last written stays.
func (db *DB) PutEmbeddings(ctx context.Context, token string, tables []schemas.Embeddings) error {
	var all schemas.Embeddings
	var vectors [][]float32
	for _, e := range tables {
		if len(e.Vector) != e.Len()*e.Dim || e.Dim < 1 {
			return fmt.Errorf("clickhouse: embeddings of sample %v: %d numbers in %d vectors of %d", e.SampleID, len(e.Vector), e.Len(), e.Dim)
		}
		all.Dataset, all.SampleID, all.ObjectID = append(all.Dataset, e.Dataset...), append(all.SampleID, e.SampleID...), append(all.ObjectID, e.ObjectID...)
		all.Model, all.Layer = append(all.Model, e.Model...), append(all.Layer, e.Layer...)
		for i := range e.Len() {
			vectors = append(vectors, e.Vector[i*e.Dim:][:e.Dim])
		}
	}
	if all.Len() == 0 {
		return nil
	}
	return db.insert(ctx, "embeddings", batchToken(token, all.SampleID), []column{
		{"dataset", all.Dataset},
		{"sample_id", idBytes(all.SampleID)},
		{"object_id", all.ObjectID},
		{"model", all.Model},
		{"layer", all.Layer},
		{"vector", vectors},
	})
}

// Embedding is one vector, or one found near another.
type Embedding struct {
	Dataset  string           `json:"dataset"`
	SampleID schemas.SampleID `json:"sample_id"`
	ObjectID string           `json:"object_id,omitempty"` // empty: the whole image
	Model    string           `json:"model"`               // name@version
	Layer    string           `json:"layer"`
	Vector   []float32        `json:"-"`
	Distance float64          `json:"distance"` // 1 - cosine, 0 to 2
}

// Embeddings returns all vectors of a sample, the latest written first; an object's before and after a change of its box are
// one.
func (db *DB) Embeddings(ctx context.Context, id schemas.SampleID) ([]Embedding, error) {
	var out []Embedding
	err := db.rows(ctx, "read embeddings of "+id.String(), func() { out = nil }, func(rows driver.Rows) error {
		e := Embedding{SampleID: id}
		err := rows.Scan(&e.Dataset, &e.ObjectID, &e.Model, &e.Layer, &e.Vector)
		out = append(out, e)
		return err
	}, "SELECT dataset, object_id, model, layer, vector FROM embeddings FINAL WHERE sample_id = "+idLiteral(id)+" ORDER BY updated DESC, model, layer, object_id")
	return out, err
}

// codeLength is how many numbers of a vector are in the index, see the table's migration.
const codeLength = 256

// MaxSimilar bounds what one search yields, since the index gives at most a thousand candidates.
const MaxSimilar = 100

// Similar returns the n vectors nearest to one, of the same model, layer and kind, image or object, itself left out: nearest
// first, of one dataset unless that is "". Within a dataset, and where there are no more than Config.Exhaustive in all, it
// compares with every vector, else with candidates that the index finds by the first 256 numbers.
func (db *DB) Similar(ctx context.Context, to Embedding, dataset string, n int) ([]Embedding, error) {
	if n < 1 || n > MaxSimilar {
		return nil, fmt.Errorf("clickhouse: similar: %d, want 1 to %d", n, MaxSimilar)
	}
	where, args := "model = ? AND layer = ? AND (object_id = '') = ?", []any{to.Model, to.Layer, to.ObjectID == ""}
	if dataset != "" {
		where, args = where+" AND dataset = ?", append(args, dataset)
	}
	total, err := db.count(ctx, "SELECT count() FROM embeddings WHERE "+where, args...)
	if err != nil {
		return nil, err
	}
	reference := vectorLiteral(to.Vector)
	candidates := fmt.Sprintf("cosineDistance(vector, %s) LIMIT %d", reference, 2*n+32) // some are doubles not yet folded
	if dataset == "" && total > db.cfg.Exhaustive {
		code := make([]float32, codeLength)
		copy(code, to.Vector)
		candidates = fmt.Sprintf("cosineDistance(code, %s) LIMIT %d", vectorLiteral(code), 8*n+32)
	}
	query := fmt.Sprintf(`SELECT dataset, sample_id, object_id, distance FROM
(
    SELECT dataset, sample_id, object_id, toFloat64(cosineDistance(vector, %s)) AS distance, updated
    FROM (SELECT dataset, sample_id, object_id, vector, updated FROM embeddings WHERE %s ORDER BY %s)
    WHERE NOT (sample_id = %s AND object_id = ?)
    ORDER BY updated DESC LIMIT 1 BY dataset, sample_id, object_id
)
ORDER BY distance, sample_id, object_id LIMIT %d`, reference, where, candidates, idLiteral(to.SampleID), n)
	var out []Embedding
	err = db.rows(ctx, "search similar embeddings", func() { out = nil }, func(rows driver.Rows) error {
		e := Embedding{Model: to.Model, Layer: to.Layer}
		var id []byte
		err := rows.Scan(&e.Dataset, &id, &e.ObjectID, &e.Distance)
		copy(e.SampleID[:], id)
		out = append(out, e)
		return err
	}, query, append(args, to.ObjectID)...)
	return out, err
}

// Reach tells how many samples have a vector that Similar can compare one with, its own sample among them, and how many have any of
// its kind, image or object, of whatever model and layer: of one dataset unless that is "". Above 65,536 they are estimates,
// within about a percent.
func (db *DB) Reach(ctx context.Context, to Embedding, dataset string) (compared, embedded uint64, err error) {
	where, args := "(object_id = '') = ?", []any{to.Model, to.Layer, to.ObjectID == ""}
	if dataset != "" {
		where, args = where+" AND dataset = ?", append(args, dataset)
	}
	err = db.rows(ctx, "count embeddings", func() {}, func(rows driver.Rows) error {
		return rows.Scan(&compared, &embedded)
	}, "SELECT uniqIf(sample_id, model = ? AND layer = ?), uniq(sample_id) FROM embeddings WHERE "+where, args...)
	return compared, embedded, err
}

// vectorLiteral writes a vector as an SQL expression.
func vectorLiteral(v []float32) string {
	b := []byte("[")
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(x), 'g', -1, 32)
	}
	return string(append(b, "]::Array(Float32)"...))
}
