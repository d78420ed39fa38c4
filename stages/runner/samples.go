package runner

import (
	"context"
	"fmt"

	"gleaner/schemas"
	"gleaner/stages"
)

// Samples makes a Handler of a Processor: it decodes a sample, processes it, and emits the results on the topic out, keyed
// by sample id. Bytes that are no sample are a fault. A sample that has a tombstone in blobs by then is filtered out, however
// its processing ended: its pixels get on no further topic, nor into the dead letters.
func Samples(p stages.Processor, out schemas.Topic, blobs stages.Blobs) Handler {
	return SamplesAnd(func(ctx context.Context, in schemas.Sample) ([]schemas.Sample, []schemas.Emit, error) {
		results, err := p.Process(ctx, in)
		return results, nil, err
	}, out, blobs)
}

// SamplesAnd is Samples for a step that has more to say about a sample than a sample holds: process, which is like a
// Processor's Process, also gives records for other topics.
func SamplesAnd(process func(context.Context, schemas.Sample) ([]schemas.Sample, []schemas.Emit, error), out schemas.Topic, blobs stages.Blobs) Handler {
	return samples{process, out, blobs}
}

type samples struct {
	process func(context.Context, schemas.Sample) ([]schemas.Sample, []schemas.Emit, error)
	out     schemas.Topic
	blobs   stages.Blobs
}

func (s samples) Handle(ctx context.Context, rec schemas.Record) ([]schemas.Emit, error) {
	in, err := schemas.DecodeSample(rec.Value)
	if err != nil {
		return nil, schemas.NewFault(ReasonUndecodable, err)
	}
	results, emits, err := s.process(ctx, in)
	erased, asked := stages.Erased(ctx, s.blobs, in.ID)
	switch {
	case erased:
		return nil, nil
	case asked != nil: // before the other error, which may be a fault and go to the dead letters
		return nil, asked
	case err != nil:
		return nil, fmt.Errorf("sample %s: %w", in.ID, err)
	}
	for i := range results {
		value, err := schemas.EncodeSample(&results[i])
		if err != nil {
			return nil, schemas.NewFault("unencodable", fmt.Errorf("sample %s: %w", results[i].ID, err))
		}
		emits = append(emits, schemas.Emit{Topic: s.out, Record: schemas.Record{Key: []byte(results[i].ID.String()), Value: value}})
	}
	return emits, nil
}
