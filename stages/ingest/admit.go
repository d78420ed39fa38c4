package ingest

// Which of the samples that are good enough come in: exact duplicates, conflicts and near duplicates stay out.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"gleaner/schemas"
	"gleaner/stages"
)

// admit decides about duplicates and finds the sample's near-duplicate group. It is reached by samples that are good enough
// only, and one that it keeps out claims nothing, so that a unique id may come again with other bytes until it is let in.
//
// A sample that is let in owns its bytes. Once it does, every retry ends as the first time did, whatever twins have come
// since: it is in, and in the same group, since the split of the data hangs on it.
func (s *Ingest) admit(ctx context.Context, in *incoming, t Thresholds) (*reject, error) {
	sample := &in.sample
	owner, err := s.owner(ctx, sample)
	if err != nil {
		return nil, err
	}
	var why *reject
	switch {
	case owner == sample.ID.String():
		var group string
		if group, err = s.get(ctx, schemas.GroupKey(sample.ID)); err == nil && group != "" {
			sample.Group, err = schemas.ParseSampleID(group)
		}
	case owner != "" && !in.takenBack:
		why = duplicate(owner)
	default:
		if why, err = s.compare(ctx, in, t); why == nil && err == nil {
			why, err = s.claim(ctx, in)
		}
	}
	if err != nil {
		return nil, err
	}
	if why != nil {
		return s.conflictOr(ctx, in, why)
	}
	if s.deps.Twins != nil && max(t.GroupBits, t.RejectBits) >= 0 {
		s.deps.Twins.Add(sample.Dataset, sample.ID, sample.Group, sample.PHash)
	}
	return nil, nil
}

// compare looks for the nearest twin. One that is too near keeps the sample out; else its group becomes the sample's, and
// is written down before the sample can own its bytes.
func (s *Ingest) compare(ctx context.Context, in *incoming, t Thresholds) (*reject, error) {
	within := max(t.GroupBits, t.RejectBits)
	if s.deps.Twins == nil || within < 0 {
		return nil, nil
	}
	sample := &in.sample
	twin, found, err := s.near(ctx, sample, within)
	if err != nil || !found {
		return nil, err
	}
	if twin.Distance <= t.RejectBits && !in.takenBack {
		return &reject{
			reason: NearDuplicate, measure: float64(twin.Distance), threshold: float64(t.RejectBits),
			detail: fmt.Sprintf("looks like sample %s: %d of 64 bits differ", twin.ID, twin.Distance),
		}, nil
	}
	if twin.Distance > t.GroupBits || twin.Group == sample.ID {
		return nil, nil
	}
	group, _, err := s.deps.Blobs.PutNew(ctx, schemas.GroupKey(sample.ID), []byte(twin.Group.String()))
	if err != nil {
		return nil, err
	}
	if sample.Group = twin.Group; len(group) > 0 { // written by a try that was cut short
		sample.Group, err = schemas.ParseSampleID(string(group))
	}
	return nil, err
}

// near returns the sample's nearest twin that was not erased.
func (s *Ingest) near(ctx context.Context, sample *schemas.Sample, within int) (twin schemas.Neighbor, found bool, err error) {
	for {
		twin, found, err = s.deps.Twins.Near(ctx, sample.Dataset, sample.PHash, within, sample.ID)
		if err != nil || !found {
			return twin, found, err
		}
		erased, err := stages.Erased(ctx, s.deps.Blobs, twin.ID)
		if err != nil || !erased {
			return twin, true, err
		}
		s.deps.Twins.Remove(sample.Dataset, twin.ID)
	}
}

// claim makes the unique id and the bytes this sample's, unless another took one of them just now.
func (s *Ingest) claim(ctx context.Context, in *incoming) (*reject, error) {
	sum, id := in.sample.Image.SHA256, in.sample.ID
	keys := []string{schemas.ContentKey(id), schemas.OwnerKey(in.sample.Dataset, sum)}
	if in.sample.UniqueID == "" { // the id follows from the bytes
		keys = keys[1:]
	}
	for len(keys) > 0 {
		n, existing, err := s.deps.Blobs.PutNewEach(ctx, []byte(schemas.NewClaim(sum, id)), keys...)
		if err != nil || n == len(keys) {
			return nil, err
		}
		have := schemas.Claim(existing)
		if keys = keys[n+1:]; len(keys) > 0 { // it is the unique id's
			if have.Image() != sum.String() {
				return conflict(in.sample.UniqueID, have), nil
			}
		} else if have.Sample() != id.String() && !in.takenBack {
			return duplicate(have.Sample()), nil
		}
	}
	return nil, nil
}

// conflictOr returns why, unless the unique id is that of other bytes: that is what its producer has to know.
func (s *Ingest) conflictOr(ctx context.Context, in *incoming, why *reject) (*reject, error) {
	if in.sample.UniqueID == "" {
		return why, nil
	}
	value, err := s.get(ctx, schemas.ContentKey(in.sample.ID))
	if err != nil {
		return nil, err
	}
	if have := schemas.Claim(value); have != "" && have.Image() != in.sample.Image.SHA256.String() {
		return conflict(in.sample.UniqueID, have), nil
	}
	return why, nil
}

// owner returns the hex id of the sample of the dataset that owns the sample's bytes, empty where none does.
func (s *Ingest) owner(ctx context.Context, sample *schemas.Sample) (string, error) {
	value, err := s.get(ctx, schemas.OwnerKey(sample.Dataset, sample.Image.SHA256))
	return schemas.Claim(value).Sample(), err
}

// get reads a small value, empty where there is none.
func (s *Ingest) get(ctx context.Context, key string) (string, error) {
	value, err := s.deps.Blobs.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(value), err
}

func duplicate(owner string) *reject {
	return &reject{reason: Duplicate, detail: fmt.Sprintf("the same bytes as sample %s", owner)}
}

func conflict(uniqueID string, have schemas.Claim) *reject {
	return &reject{reason: Conflict, detail: fmt.Sprintf("unique id %q came before with other bytes, of SHA-256 %s", uniqueID, have.Image())}
}
