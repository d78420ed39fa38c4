// Package catalog is the step that keeps the latest record of every sample, label and reject in a database, pixels apart, so
// that a sample can be found by its id when the topics have long forgotten it, and the embeddings, so that it can be found by
// what it looks like.
package catalog

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"gleaner/schemas"
	"gleaner/stages"
)

// Store keeps the records. A put is durable when it returns nil. Within a process the same token with the same rows is one
// put, so a retry doubles nothing; over a restart the store folds rows by their own keys.
type Store interface {
	PutSamples(ctx context.Context, token string, rows []schemas.Sample) error
	PutLabels(ctx context.Context, token string, rows []schemas.Label) error
	PutRejected(ctx context.Context, token string, rows []schemas.Rejected) error
	PutEmbeddings(ctx context.Context, token string, tables []schemas.Embeddings) error
}

// Catalog writes batches of records to the store. It may be called from many goroutines.
//
// An erasure writes its tombstone before it deletes rows; a batch that looked for the tombstone just before, and writes just
// after, leaves rows behind. So an erasure must delete again, once records then in flight have been handled.
type Catalog struct {
	store Store
	blobs stages.Blobs
	log   *slog.Logger
}

// New returns a Catalog; nothing runs before HandleBatch.
func New(store Store, blobs stages.Blobs, log *slog.Logger) *Catalog {
	return &Catalog{store: store, blobs: blobs, log: log}
}

// HandleBatch puts records of any of the topics that Flow gives the catalog, with their inline pixels removed: one put for all
// samples, whatever their topic, one for labels, one for rejects and one for embeddings. It emits nothing. In its
// *schemas.WriteError bytes that cannot be decoded are a Fault, and records of erased samples schemas.ErrDropped; all others are
// durable then. After any other error none is known to be.
func (c *Catalog) HandleBatch(ctx context.Context, recs []schemas.Record) ([]schemas.Emit, error) {
	var (
		samples  = table[schemas.Sample]{decode: schemas.DecodeSample, put: c.store.PutSamples}
		labels   = table[schemas.Label]{decode: schemas.DecodeLabel, put: c.store.PutLabels}
		rejected = table[schemas.Rejected]{decode: schemas.DecodeRejected, put: c.store.PutRejected}
		embedded = table[schemas.Embeddings]{decode: decodeEmbeddings, put: c.store.PutEmbeddings}
		ids      = make([]schemas.SampleID, len(recs))
		failed   = map[int]error{}
	)
	for i, rec := range recs {
		var err error
		switch rec.Topic {
		case schemas.Samples, schemas.Prelabeled, schemas.Segmented, schemas.Linted, schemas.Submitted:
			var s *schemas.Sample
			if s, err = samples.add(i, rec); err == nil {
				s.Image.Inline, ids[i] = nil, s.ID
			}
		case schemas.Labels:
			var l *schemas.Label
			if l, err = labels.add(i, rec); err == nil {
				l.Image.Inline, ids[i] = nil, l.SampleID
			}
		case schemas.Rejects:
			var r *schemas.Rejected
			if r, err = rejected.add(i, rec); err == nil {
				r.Sample.Image.Inline, ids[i] = nil, r.Sample.ID
			}
		case schemas.Embedded:
			var e *schemas.Embeddings
			if e, err = embedded.add(i, rec); err == nil {
				ids[i] = e.SampleID[0]
			}
		default:
			err = schemas.NewFault("unknown-topic", fmt.Errorf("the catalog has no table for topic %s", rec.Topic))
		}
		if err != nil {
			failed[i] = err
		}
	}
	if err := c.drop(ctx, recs, ids, failed); err != nil {
		return nil, err
	}
	for _, store := range []func(context.Context, []schemas.Record, map[int]error) error{samples.store, labels.store, rejected.store, embedded.store} {
		if err := store(ctx, recs, failed); err != nil {
			return nil, err
		}
	}
	if len(failed) > 0 {
		return nil, &schemas.WriteError{Failed: failed}
	}
	return nil, nil
}

// decodeEmbeddings decodes a table of one sample, which can be left out as a whole when that is erased.
func decodeEmbeddings(b []byte) (schemas.Embeddings, error) {
	e, err := schemas.DecodeEmbeddings(b)
	if err == nil && (e.Len() == 0 || len(slices.Compact(slices.Clone(e.SampleID))) > 1) {
		err = fmt.Errorf("a table of embeddings has %d rows, not all of one sample", e.Len())
	}
	return e, err
}

// table is the rows of a batch that go to one table.
type table[T any] struct {
	decode func([]byte) (T, error)
	put    func(ctx context.Context, token string, rows []T) error
	rows   []T
	from   []int // rows[i] is of record from[i]
}

// add decodes a record, the i-th of the batch, and returns its row, which the caller may change until the next add.
func (t *table[T]) add(i int, rec schemas.Record) (*T, error) {
	row, err := t.decode(rec.Value)
	if err != nil {
		return nil, schemas.NewFault("undecodable", err)
	}
	t.rows, t.from = append(t.rows, row), append(t.from, i)
	return &t.rows[len(t.rows)-1], nil
}

// store puts the rows of the records that did not fail in one call.
func (t *table[T]) store(ctx context.Context, recs []schemas.Record, failed map[int]error) error {
	kept := 0
	for i, from := range t.from {
		if failed[from] == nil {
			t.rows[kept], t.from[kept] = t.rows[i], from
			kept++
		}
	}
	if kept == 0 {
		return nil
	}
	if err := t.put(ctx, stages.Token(recs, t.from[:kept]), t.rows[:kept]); err != nil {
		return fmt.Errorf("catalog: store %d records of %s and others: %w", kept, recs[t.from[0]].Topic, err)
	}
	return nil
}

// drop fails the records of erased samples. ids are the records' samples; those of records that failed already mean nothing.
func (c *Catalog) drop(ctx context.Context, recs []schemas.Record, ids []schemas.SampleID, failed map[int]error) error {
	var decoded []schemas.SampleID
	for i, id := range ids {
		if failed[i] == nil {
			decoded = append(decoded, id)
		}
	}
	erased, err := stages.ErasedOf(ctx, c.blobs, decoded)
	if err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	for i, id := range ids {
		if failed[i] == nil && erased[id] {
			failed[i] = schemas.ErrDropped
			c.log.Info("left out a record of an erased sample", "step", "catalog", "sample", id, "topic", recs[i].Topic)
		}
	}
	return nil
}
