// Package audit is the step that tells of images that were drawn at random whether people mended what would have been accepted: the
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
	PutAudits(ctx context.Context, token string, rows []schemas.Audit) error
}

// Step writes batches of audits to the store. It may be called from many goroutines.
type Step struct {
	store Store
	blobs stages.Blobs
	log   *slog.Logger
}

// New returns the step; nothing runs before HandleBatch.
func New(store Store, blobs stages.Blobs, log *slog.Logger) *Step {
	return &Step{store: store, blobs: blobs, log: log}
}

// HandleBatch audits the submitted samples of a batch that were drawn, and puts all audits by one call. It emits nothing. In its
// *schemas.WriteError bytes that cannot be decoded are a Fault, and erased samples schemas.ErrDropped; all others are durable
// then. After any other error none is known to be.
func (s *Step) HandleBatch(ctx context.Context, recs []schemas.Record) ([]schemas.Emit, error) {
	var (
		samples = make([]schemas.Sample, len(recs))
		ids     []schemas.SampleID
		failed  = map[int]error{}
	)
	for i, rec := range recs {
		var err error
		if samples[i], err = schemas.DecodeSample(rec.Value); err != nil {
			failed[i] = schemas.NewFault("undecodable", err)
			continue
		}
		ids = append(ids, samples[i].ID)
	}
	erased, err := stages.ErasedOf(ctx, s.blobs, ids)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	var rows []schemas.Audit
	var from []int
	for i := range samples {
		sample := &samples[i]
		switch {
		case failed[i] != nil:
			continue
		case erased[sample.ID]:
			failed[i] = schemas.ErrDropped
			s.log.Info("left out a record of an erased sample", "step", "audit", "sample", sample.ID, "topic", recs[i].Topic)
			continue
		case sample.Rank < schemas.RankHuman || len(sample.Stamps) == 0:
			continue
		}
		draw, ok, err := s.draw(ctx, sample.ID)
		if _, fault := schemas.AsFault(err); fault {
			failed[i] = err
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("audit: sample %s: %w", sample.ID, err)
		}
		if ok {
			rows, from = append(rows, schemas.Audit{
				SampleID: sample.ID, Dataset: sample.Dataset, Revision: sample.Revision, Confidence: draw.Confidence, Probability: draw.Probability,
				Wrong: Mended(draw.Objects, sample.Objects, sample.Image), Actor: sample.Actor, Routed: draw.Routed, At: sample.Stamps[len(sample.Stamps)-1].At,
			}), append(from, i)
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
