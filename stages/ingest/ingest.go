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
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"gleaner/schemas"
	"gleaner/stages/pixels"
)

// Blobs is where images, and the objects that decide who was first, lie. Puts return when the value is durable. PutNew creates
// atomically among all processes and else returns what exists; PutNewEach does so for one key after the other, up to the first,
// the n-th, that has another value. Get's error is fs.ErrNotExist for no value, and Delete's nil.
type Blobs interface {
	Put(ctx context.Context, key string, data []byte) error
	PutNew(ctx context.Context, key string, data []byte) (existing []byte, created bool, err error)
	PutNewEach(ctx context.Context, data []byte, keys ...string) (n int, existing []byte, err error)
	Get(ctx context.Context, key string) ([]byte, error)
	Delete(ctx context.Context, key string) error
}

// Users tells which samples, of any dataset, accepted or rejected, have an image: its bytes are stored once for all.
type Users interface {
	ImageUsers(ctx context.Context, image schemas.Hash) ([]schemas.SampleID, error)
}

// Fetcher reads what a claim check names. What no retry mends is a schemas.Fault.
type Fetcher interface {
	Fetch(ctx context.Context, url string) ([]byte, error)
}

// Twins finds near duplicates by perceptual hash.
type Twins interface {
	// Near returns the sample of the dataset other than not whose hash is nearest, within maxBits differing bits.
	Near(ctx context.Context, dataset string, phash uint64, maxBits int, not schemas.SampleID) (schemas.Neighbor, bool, error)
	// Add makes a sample that is in findable.
	Add(dataset string, id, group schemas.SampleID, phash uint64)
	// Remove makes one that was erased findable no more.
	Remove(dataset string, id schemas.SampleID)
}

// Deps are what the step works with.
type Deps struct {
	Blobs   Blobs
	Fetcher Fetcher       // nil: claim checks are faults
	Twins   Twins         // nil: every sample is its own near-duplicate group
	Users   Users         // nil: an image that was stored while its sample was erased stays
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
// point and whatever has come since; only which near-duplicate group it joins may differ where instances race.
func (s *Ingest) Handle(ctx context.Context, rec schemas.Record) ([]schemas.Emit, error) {
	start := time.Now()
	in, err := s.receive(ctx, rec)
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	if erased, err := s.erased(ctx, in); erased || err != nil {
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
	// Of an erasure that begins from here on both passes come after all that was stored.
	if erased, err := s.erased(ctx, in); erased || err != nil {
		return nil, err
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
	m := Measure(img)
	in.sample.PHash = m.PHash
	if !in.takenBack {
		if why := quality(img, info, m, t); why != nil {
			return why, nil
		}
	}
	if why, err := s.admit(ctx, in, t); why != nil || err != nil {
		return why, err
	}
	if s.deps.Images != nil {
		s.deps.Images.Put(ctx, in.sample.Image.SHA256, img)
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

// emit makes the record of a sample that is let in (why nil) or of its rejection.
func emit(sample schemas.Sample, why *reject) ([]schemas.Emit, error) {
	topic, encode := schemas.Samples, func() ([]byte, error) { return schemas.EncodeSample(&sample) }
	if why != nil {
		sample.Image.Inline = nil // rejects are kept for weeks, and an erasure shall not have to wait for that
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
