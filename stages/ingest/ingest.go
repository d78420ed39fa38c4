// Package ingest is the first step: it stores a producer's image, decodes it once, measures it, and lets it into the flow
// as a Sample or keeps it out as a Rejected.
//
// A reject is a decision about the image and is no error; it keeps the bytes, can be replayed, and can be taken back with
// the header accept-rejected. A record that cannot be understood at all (no dataset, a claim check that leads nowhere) is
// a schemas.Fault and goes to the dead letters.
package ingest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"gleaner/schemas"
	"gleaner/stages/pixels"
)

// Blobs is where images, and the objects that decide who was first, lie. Put and PutNew return when the value is durable;
// PutNew creates atomically among all processes and else returns what exists; Get's error is fs.ErrNotExist for no value.
type Blobs interface {
	Put(ctx context.Context, key string, data []byte) error
	PutNew(ctx context.Context, key string, data []byte) (existing []byte, created bool, err error)
	Get(ctx context.Context, key string) ([]byte, error)
}

// Fetcher reads what a claim check names. What no retry mends is a schemas.Fault.
type Fetcher interface {
	Fetch(ctx context.Context, url string) ([]byte, error)
}

// Twins finds near duplicates by perceptual hash: the nearest sample of the dataset other than not, within maxBits.
type Twins interface {
	Near(ctx context.Context, dataset string, phash uint64, maxBits int, not schemas.SampleID) (schemas.Neighbor, bool, error)
	PutHash(ctx context.Context, dataset string, id, group schemas.SampleID, phash uint64) error
}

// Deps are what the step works with.
type Deps struct {
	Blobs   Blobs
	Fetcher Fetcher       // nil: claim checks are faults
	Twins   Twins         // nil: every sample is its own near-duplicate group
	Images  *pixels.Cache // takes the decoded images, for the steps after; nil: none are kept
	Version string        // of the binary, for provenance
}

// Ingest is the step. It is safe for concurrent use.
type Ingest struct {
	cfg  Config
	deps Deps
}

// New makes the step.
func New(cfg Config, deps Deps) (*Ingest, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	if deps.Blobs == nil {
		return nil, errors.New("ingest: no blob store")
	}
	return &Ingest{cfg: cfg, deps: deps}, nil
}

// Handle takes one record of the raw topic and emits a Sample on samples or a Rejected on rejected; nothing if the sample
// was erased. It blocks on the stores. Doing it again with the same record decides the same, also after a crash at any
// point; only the near-duplicate group may differ where instances raced.
func (s *Ingest) Handle(ctx context.Context, rec schemas.Record) ([]schemas.Emit, error) {
	start := time.Now()
	in, err := s.receive(ctx, rec)
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	erased, err := s.erased(ctx, in.sample.ID)
	if err != nil || erased {
		return nil, err
	}

	// The image is written while it is decoded. Either way it is durable before anything is emitted.
	stored, putCtx := errgroup.WithContext(ctx)
	if len(in.data) > 0 {
		stored.Go(func() error { return s.deps.Blobs.Put(putCtx, schemas.ImageKey(in.sample.Image.SHA256), in.data) })
	}
	why, err := s.judge(ctx, in)
	if e := stored.Wait(); e != nil { // waited for in any case
		err = errors.Join(e, err)
	}
	if err != nil {
		return nil, fmt.Errorf("ingest: sample %s: %w", in.sample.ID, err)
	}
	in.sample.Stamps = []schemas.Stamp{{
		Step: "ingest", Version: s.deps.Version, At: time.Now().UTC().Truncate(time.Microsecond),
		Millis: float32(time.Since(start).Seconds() * 1e3),
	}}
	return emit(in.sample, why)
}

// judge decodes, measures and compares, in the order of cost. It fills the sample in as far as it comes, and returns why
// it is rejected, nil if it is not.
func (s *Ingest) judge(ctx context.Context, in *incoming) (*reject, error) {
	t := s.cfg.For(in.sample.Dataset)
	img, info, err := pixels.Decode(in.data, s.cfg.Limits)
	in.describe(info)
	if err != nil {
		return undecodable(err)
	}
	m := measure(img)
	in.sample.PHash = m.phash
	if !in.takenBack {
		if why := quality(img, info, m, t); why != nil {
			return why, nil
		}
	}
	first, why, err := s.claim(ctx, in)
	if why != nil || err != nil {
		return why, err
	}
	if why, err := s.compare(ctx, in, t, first); why != nil || err != nil {
		return why, err
	}
	if s.deps.Images != nil {
		s.deps.Images.Put(in.sample.Image.SHA256, img)
	}
	return nil, nil
}

func undecodable(err error) (*reject, error) {
	var e *pixels.Error
	if !errors.As(err, &e) {
		return nil, err
	}
	return &reject{reason: e.Reason, measure: e.Measure, threshold: e.Threshold, detail: e.Err.Error()}, nil
}

func (s *Ingest) erased(ctx context.Context, id schemas.SampleID) (bool, error) {
	_, err := s.deps.Blobs.Get(ctx, schemas.TombstoneKey(id))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, fmt.Errorf("ingest: sample %s: look for its tombstone: %w", id, err)
}

// claim decides exact duplicates. It is reached by samples that are good enough only, so that a unique id whose first
// bytes were rejected may come again with better ones. first tells that this sample has just become the bytes' owner.
func (s *Ingest) claim(ctx context.Context, in *incoming) (first bool, why *reject, err error) {
	sum, id := in.sample.Image.SHA256, in.sample.ID
	if in.sample.UniqueID != "" { // else the id follows from the bytes
		have, created, err := s.deps.Blobs.PutNew(ctx, schemas.ContentKey(id), []byte(sum.String()))
		if err != nil {
			return false, nil, err
		}
		if !created && string(have) != sum.String() {
			return false, &reject{reason: Conflict, detail: fmt.Sprintf(
				"unique id %q came before with other bytes, of SHA-256 %s", in.sample.UniqueID, have)}, nil
		}
	}
	owner, first, err := s.deps.Blobs.PutNew(ctx, schemas.OwnerKey(in.sample.Dataset, sum), []byte(id.String()))
	if err != nil {
		return false, nil, err
	}
	if !first && string(owner) != id.String() && !in.takenBack {
		return false, &reject{reason: Duplicate, detail: fmt.Sprintf("the same bytes as sample %s", owner)}, nil
	}
	return first, nil, nil
}

// compare finds the sample's near-duplicate group. A sample that was let in before (it is not first) is never rejected
// for a twin that has come since.
func (s *Ingest) compare(ctx context.Context, in *incoming, t Thresholds, first bool) (*reject, error) {
	within := max(t.GroupBits, t.RejectBits)
	if s.deps.Twins == nil || within < 0 {
		return nil, nil
	}
	sample := &in.sample
	twin, found, err := s.deps.Twins.Near(ctx, sample.Dataset, sample.PHash, within, sample.ID)
	if err != nil {
		return nil, err
	}
	if found && twin.Distance <= t.RejectBits && first && !in.takenBack {
		return &reject{
			reason: NearDuplicate, measure: float64(twin.Distance), threshold: float64(t.RejectBits),
			detail: fmt.Sprintf("looks like sample %s: %d of 64 bits differ", twin.ID, twin.Distance),
		}, nil
	}
	if found && twin.Distance <= t.GroupBits {
		sample.Group = twin.Group
	}
	return nil, s.deps.Twins.PutHash(ctx, sample.Dataset, sample.ID, sample.Group, sample.PHash)
}

// emit makes the record of a sample that is let in (why nil) or of its rejection.
func emit(sample schemas.Sample, why *reject) ([]schemas.Emit, error) {
	topic, encode := schemas.Samples, func() ([]byte, error) { return schemas.EncodeSample(&sample) }
	if why != nil {
		topic, encode = schemas.Rejects, func() ([]byte, error) {
			return schemas.EncodeRejected(&schemas.Rejected{
				Sample: sample, Reason: why.reason, Measure: why.measure, Threshold: why.threshold, Detail: why.detail,
			})
		}
	}
	value, err := encode()
	if err != nil {
		return nil, schemas.NewFault("unencodable", fmt.Errorf("ingest: sample %s: %w", sample.ID, err))
	}
	return []schemas.Emit{{Topic: topic, Record: schemas.Record{Key: []byte(sample.ID.String()), Value: value}}}, nil
}

func digest(data []byte) schemas.Hash { return sha256.Sum256(data) }

// accepts tells whether a record asks to take its rejection back.
func accepts(rec schemas.Record) bool {
	v, ok := rec.Header(schemas.HeaderAccept)
	return ok && !strings.EqualFold(v, "false")
}
