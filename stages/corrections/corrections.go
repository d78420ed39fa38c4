// Package corrections is the step that records how the models' proposals, and lint's findings, fared with people: what conventions,
// calibration and the scores of findings are learned from.
package corrections

import (
	"context"
	"fmt"
	"log/slog"

	"gleaner/schemas"
	"gleaner/stages"
)

// Store keeps corrections and judgments, durably when it returns nil. The same token with the same rows is one put; doubles beyond
// that, and corrections of an earlier revision of a sample, the store folds.
type Store interface {
	PutCorrections(ctx context.Context, token string, rows []schemas.Correction) error
	PutJudgments(ctx context.Context, token string, rows []schemas.Judgment) error
}

// Rules keeps the proposals that a dataset's rules let in; without rules all. It fails only when ctx has ended.
type Rules interface {
	Keep(ctx context.Context, s *schemas.Sample, proposals []schemas.Object) ([]schemas.Object, error)
}

// Step writes batches of submissions to the store. It may be called from many goroutines.
type Step struct {
	store Store
	blobs stages.Blobs
	path  Path
	rules Rules
	log   *slog.Logger
}

// New returns the step; nothing runs before HandleBatch. path may be nil, where there is no taxonomy.
func New(store Store, blobs stages.Blobs, path Path, rules Rules, log *slog.Logger) *Step {
	return &Step{store: store, blobs: blobs, path: path, rules: rules, log: log}
}

// HandleBatch judges the submitted samples of a batch and puts their corrections by one call. Proposals that the rules do not let
// in are not judged: they were never put before people, who are not to label such things. What became of findings is put by a
// second call. It emits nothing. In its
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
		return nil, fmt.Errorf("corrections: %w", err)
	}
	var rows []schemas.Correction
	var judgments []schemas.Judgment
	var from []int
	for i := range samples {
		switch id := samples[i].ID; {
		case failed[i] != nil:
		case erased[id]:
			failed[i] = schemas.ErrDropped
			s.log.Info("left out a record of an erased sample", "step", "corrections", "sample", id, "topic", recs[i].Topic)
		default:
			if samples[i].Proposals, err = s.rules.Keep(ctx, &samples[i], samples[i].Proposals); err != nil {
				return nil, fmt.Errorf("corrections: sample %s: %w", id, err)
			}
			rows, from = append(rows, Judge(&samples[i], s.path)...), append(from, i)
			judgments = append(judgments, JudgeFindings(&samples[i], s.path)...)
		}
	}
	if len(rows) > 0 {
		if err := s.store.PutCorrections(ctx, stages.Token(recs, from), rows); err != nil {
			return nil, fmt.Errorf("corrections: store %d of %d samples: %w", len(rows), len(from), err)
		}
	}
	if len(judgments) > 0 {
		if err := s.store.PutJudgments(ctx, stages.Token(recs, from), judgments); err != nil {
			return nil, fmt.Errorf("corrections: store judgments of findings of %d samples: %w", len(from), err)
		}
	}
	if len(failed) > 0 {
		return nil, &schemas.WriteError{Failed: failed}
	}
	return nil, nil
}
