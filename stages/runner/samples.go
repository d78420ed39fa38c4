package runner

import (
	"context"
	"fmt"

	"gleaner/schemas"
	"gleaner/stages"
)

// Samples makes a Handler of a Processor: it decodes a sample, processes it, and emits the results on the topic out, keyed
// by sample id. Bytes that are no sample are a fault.
func Samples(p stages.Processor, out schemas.Topic) Handler { return samples{p, out} }

type samples struct {
	p   stages.Processor
	out schemas.Topic
}

func (s samples) Handle(ctx context.Context, rec schemas.Record) ([]schemas.Emit, error) {
	in, err := schemas.DecodeSample(rec.Value)
	if err != nil {
		return nil, schemas.NewFault(ReasonUndecodable, err)
	}
	results, err := s.p.Process(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w", in.ID, err)
	}
	emits := make([]schemas.Emit, len(results))
	for i := range results {
		value, err := schemas.EncodeSample(&results[i])
		if err != nil {
			return nil, schemas.NewFault("unencodable", fmt.Errorf("sample %s: %w", results[i].ID, err))
		}
		emits[i] = schemas.Emit{Topic: s.out, Record: schemas.Record{Key: []byte(results[i].ID.String()), Value: value}}
	}
	return emits, nil
}
