// Package audit is the step that tells which images were drawn at random and whether people mended what would have been accepted: the
// evidence of automatic acceptance (stages/route/guarantee).
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"gleaner/schemas"
	"gleaner/stages"
)

// Store keeps audits, durably when it returns nil. The same token with the same rows is one put; doubles beyond that, and what an
// earlier revision of a sample said, the store folds.
type Store interface {
	PutDraws(ctx context.Context, token string, rows []schemas.Audit) error // without what people made of them
	PutAudits(ctx context.Context, token string, rows []schemas.Audit) error
}

// Blobs is the blob store. PutNew stores nothing where there is something already.
type Blobs interface {
	stages.Blobs
	PutNew(ctx context.Context, key string, data []byte) (existing []byte, created bool, err error)
}

// Step writes batches of audits to the store. It may be called from many goroutines.
type Step struct {
	store Store
	blobs Blobs
	log   *slog.Logger
}

// New returns the step; nothing runs before HandleBatch.
func New(store Store, blobs Blobs, log *slog.Logger) *Step {
	return &Step{store: store, blobs: blobs, log: log}
}

// seen is a record that may be about an image that was drawn.
type seen struct {
	id      schemas.SampleID
	dataset string
	sample  *schemas.Sample // that a person submitted; nil: its task was created
}

// look reads a record; ok is false for one that is about nothing drawn.
func look(rec schemas.Record) (s seen, ok bool, err error) {
	if rec.Topic == schemas.Desk {
		var c schemas.Command
		var b schemas.CreateBody
		// What the desk cannot read either opens no task.
		if json.Unmarshal(rec.Value, &c) != nil || c.Kind != schemas.CommandCreate || json.Unmarshal(c.Body, &b) != nil {
			return s, false, nil
		}
		return seen{id: b.SampleID, dataset: b.Dataset}, true, nil
	}
	sample, err := schemas.DecodeSample(rec.Value)
	if err != nil {
		return s, false, schemas.NewFault("undecodable", err)
	}
	return seen{sample.ID, sample.Dataset, &sample}, true, nil
}

// HandleBatch tells of the images of a batch that were drawn, and of those that people submitted what they made of them at first: who
// sees an image again knows more than who was to check it. Each by one call. It emits nothing. In its *schemas.WriteError bytes that
// cannot be decoded are a Fault, and erased samples schemas.ErrDropped; all others are durable then. After any other error none is
// known to be.
func (s *Step) HandleBatch(ctx context.Context, recs []schemas.Record) ([]schemas.Emit, error) {
	var (
		found  = map[int]seen{}
		ids    []schemas.SampleID
		failed = map[int]error{}
	)
	for i, rec := range recs {
		one, ok, err := look(rec)
		if err != nil {
			failed[i] = err
		}
		if ok {
			found[i], ids = one, append(ids, one.id)
		}
	}
	erased, err := stages.ErasedOf(ctx, s.blobs, ids)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	var drawn, rows []schemas.Audit
	var drawnFrom, from []int
	for i := range recs {
		one, ok := found[i]
		switch {
		case !ok:
			continue
		case erased[one.id]:
			failed[i] = schemas.ErrDropped
			s.log.Info("left out a record of an erased sample", "step", "audit", "sample", one.id, "topic", recs[i].Topic)
			continue
		case one.sample != nil && (one.sample.Rank < schemas.RankHuman || len(one.sample.Stamps) == 0):
			continue
		}
		a, ok, err := s.audit(ctx, one)
		if _, fault := schemas.AsFault(err); fault {
			failed[i] = err
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("audit: sample %s: %w", one.id, err)
		}
		if ok {
			drawn, drawnFrom = append(drawn, a), append(drawnFrom, i)
			if a.Answered() {
				rows, from = append(rows, a), append(from, i)
			}
		}
	}
	if len(drawn) > 0 {
		if err := s.store.PutDraws(ctx, stages.Token(recs, drawnFrom), drawn); err != nil {
			return nil, fmt.Errorf("audit: store %d draws: %w", len(drawn), err)
		}
	}
	if len(rows) > 0 {
		if err := s.store.PutAudits(ctx, stages.Token(recs, from), rows); err != nil {
			return nil, fmt.Errorf("audit: store %d: %w", len(rows), err)
		}
	}
	if len(failed) > 0 {
		return nil, &schemas.WriteError{Failed: failed}
	}
	return nil, nil
}

// audit is what is known of an image by a record; ok is false where it was not drawn.
func (s *Step) audit(ctx context.Context, one seen) (a schemas.Audit, ok bool, err error) {
	draw, ok, err := s.draw(ctx, one.id)
	if err != nil || !ok {
		return a, false, err
	}
	a = schemas.Audit{SampleID: one.id, Dataset: one.dataset, Confidence: draw.Confidence, Probability: draw.Probability, Routed: draw.Routed}
	if one.sample == nil {
		return a, true, nil
	}
	a.Revision, a.Actor, a.At = one.sample.Revision, one.sample.Actor, one.sample.Stamps[len(one.sample.Stamps)-1].At
	a.Wrong = Mended(draw.Objects, one.sample.Objects, one.sample.Image)
	value, err := json.Marshal(a)
	if err != nil {
		return a, false, schemas.NewFault("unencodable", err)
	}
	key := schemas.AuditKey(one.id)
	first, created, err := s.blobs.PutNew(ctx, key, value)
	if err != nil || created {
		return a, err == nil, err
	}
	a = schemas.Audit{}
	if err := json.Unmarshal(first, &a); err != nil {
		return a, false, schemas.NewFault("undecodable", fmt.Errorf("audit %s: %w", key, err))
	}
	return a, true, nil
}

// draw reads how a sample was drawn; ok is false where it was not.
func (s *Step) draw(ctx context.Context, id schemas.SampleID) (d schemas.Draw, ok bool, err error) {
	data, err := s.blobs.Get(ctx, schemas.DrawKey(id))
	if errors.Is(err, fs.ErrNotExist) {
		return d, false, nil
	}
	if err != nil {
		return d, false, err
	}
	if err = json.Unmarshal(data, &d); err == nil && d.SampleID != id {
		err = fmt.Errorf("it is of sample %s", d.SampleID)
	}
	if err != nil {
		return d, false, schemas.NewFault("undecodable", fmt.Errorf("draw %s: %w", schemas.DrawKey(id), err))
	}
	return d, true, nil
}
