// Package catalog is the step that keeps the latest record of every sample, label and reject in a database, pixels apart, so
// that a sample can be found by its id when the topics have long forgotten it.
package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"gleaner/schemas"
)

// Store keeps the records. A put is durable when it returns nil. Within a process the same token with the same rows is one
// put, so a retry doubles nothing; over a restart the store folds rows by their own keys.
type Store interface {
	PutSamples(ctx context.Context, token string, rows []schemas.Sample) error
	PutLabels(ctx context.Context, token string, rows []schemas.Label) error
	PutRejected(ctx context.Context, token string, rows []schemas.Rejected) error
}

// Blobs says which samples were erased: one under schemas.TombstoneKey was. Get's error is fs.ErrNotExist where nothing lies.
type Blobs interface {
	Get(ctx context.Context, key string) ([]byte, error)
}

// Catalog writes batches of records to the store. It may be called from many goroutines.
//
// An erasure writes its tombstone before it deletes rows; a batch that looked for the tombstone just before, and writes just
// after, leaves rows behind. So an erasure must delete again, once records then in flight have been handled.
type Catalog struct {
	store Store
	blobs Blobs
	log   *slog.Logger
}

// New returns a Catalog; nothing runs before HandleBatch.
func New(store Store, blobs Blobs, log *slog.Logger) *Catalog {
	return &Catalog{store: store, blobs: blobs, log: log}
}

// lookups is how many tombstones are looked up at once.
const lookups = 16

// HandleBatch puts records of one topic, any of those that Flow gives the catalog, with their inline pixels removed. It emits
// nothing. In its *schemas.WriteError bytes that cannot be decoded are a Fault, and records of erased samples schemas.ErrDropped;
// all others are durable then. After any other error none is known to be.
func (c *Catalog) HandleBatch(ctx context.Context, recs []schemas.Record) ([]schemas.Emit, error) {
	if len(recs) == 0 {
		return nil, nil
	}
	switch topic := recs[0].Topic; topic {
	case schemas.Samples, schemas.Prelabeled, schemas.Segmented, schemas.Linted, schemas.Submitted:
		return nil, put(ctx, c, recs, schemas.DecodeSample, c.store.PutSamples, func(s *schemas.Sample) schemas.SampleID {
			s.Image.Inline = nil
			return s.ID
		})
	case schemas.Labels:
		return nil, put(ctx, c, recs, schemas.DecodeLabel, c.store.PutLabels, func(l *schemas.Label) schemas.SampleID {
			l.Image.Inline = nil
			return l.SampleID
		})
	case schemas.Rejects:
		return nil, put(ctx, c, recs, schemas.DecodeRejected, c.store.PutRejected, func(r *schemas.Rejected) schemas.SampleID {
			r.Sample.Image.Inline = nil
			return r.Sample.ID
		})
	default:
		return nil, schemas.NewFault("unknown-topic", fmt.Errorf("the catalog has no table for topic %s", topic))
	}
}

// put decodes, leaves out what is erased, and stores the rest in one call. trim removes what the store shall not keep and
// returns the sample's id.
func put[T any](
	ctx context.Context, c *Catalog, recs []schemas.Record,
	decode func([]byte) (T, error), store func(context.Context, string, []T) error, trim func(*T) schemas.SampleID,
) error {
	failed := map[int]error{}
	rows := make([]T, 0, len(recs))
	ids := make([]schemas.SampleID, 0, len(recs))
	from := make([]int, 0, len(recs)) // rows[i] is recs[from[i]]
	for i, rec := range recs {
		row, err := decode(rec.Value)
		if err != nil {
			failed[i] = schemas.NewFault("undecodable", err)
			continue
		}
		ids = append(ids, trim(&row))
		rows = append(rows, row)
		from = append(from, i)
	}
	erased, err := c.erased(ctx, ids)
	if err != nil {
		return err
	}
	kept := 0
	for i, row := range rows {
		if erased[ids[i]] {
			failed[from[i]] = schemas.ErrDropped
			c.log.Info("left out a record of an erased sample", "step", "catalog", "sample", ids[i], "topic", recs[from[i]].Topic)
			continue
		}
		rows[kept], from[kept] = row, from[i]
		kept++
	}
	if rows = rows[:kept]; len(rows) > 0 {
		if err := store(ctx, token(recs, from[:kept]), rows); err != nil {
			return fmt.Errorf("catalog: store %d records of %s: %w", len(rows), recs[0].Topic, err)
		}
	}
	if len(failed) > 0 {
		return &schemas.WriteError{Failed: failed}
	}
	return nil
}

// erased returns which of the samples have a tombstone.
func (c *Catalog) erased(ctx context.Context, ids []schemas.SampleID) (map[schemas.SampleID]bool, error) {
	found := make(map[schemas.SampleID]bool, len(ids))
	unique := make([]schemas.SampleID, 0, len(ids))
	for _, id := range ids {
		if _, seen := found[id]; !seen {
			found[id] = false
			unique = append(unique, id)
		}
	}
	dead := make([]bool, len(unique))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for i, id := range unique {
		g.Go(func() error {
			_, err := c.blobs.Get(ctx, schemas.TombstoneKey(id))
			switch {
			case err == nil:
				dead[i] = true
			case !errors.Is(err, fs.ErrNotExist):
				return fmt.Errorf("catalog: look for the tombstone of sample %s: %w", id, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, id := range unique {
		found[id] = dead[i]
	}
	return found, nil
}

// token names a set of records: the digest of their topic and of each one's partition and offset, in order.
func token(recs []schemas.Record, which []int) string {
	h := sha256.New()
	h.Write([]byte(recs[0].Topic))
	buf := make([]byte, 0, 16*len(which))
	for _, i := range which {
		buf = binary.BigEndian.AppendUint64(buf, uint64(recs[i].Partition))
		buf = binary.BigEndian.AppendUint64(buf, uint64(recs[i].Offset))
	}
	h.Write(buf)
	return hex.EncodeToString(h.Sum(nil)[:16])
}
