// Package route decides what becomes of a sample that lint has looked at: a label, or a task for people. It also sends the
// labels that analysis doubts back to people.
package route

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"gleaner/schemas"
	"gleaner/stages"
	"gleaner/stages/route/guarantee"
)

// Blobs is the blob store. PutNew stores nothing where there is something already. Get's error for a key that is not there wraps fs.ErrNotExist.
type Blobs interface {
	Put(ctx context.Context, key string, data []byte) error
	PutNew(ctx context.Context, key string, data []byte) (existing []byte, created bool, err error)
	Get(ctx context.Context, key string) ([]byte, error)
}

// Catalog finds samples and labels at any age, without inline pixels.
type Catalog interface {
	Sample(ctx context.Context, id schemas.SampleID) (schemas.Sample, bool, error) // the latest record
	Label(ctx context.Context, id schemas.SampleID) (schemas.Label, bool, error)   // the best
}

// Guarantees decide about the images of datasets that state a target quality (guarantee.Book).
type Guarantees interface {
	Decide(dataset string, id schemas.SampleID, confidence float64) (d guarantee.Decision, covered bool)
}

// Rules keeps the proposals that a dataset's rules let in; without rules all. It fails only when ctx has ended.
type Rules interface {
	Keep(ctx context.Context, s *schemas.Sample, proposals []schemas.Object) ([]schemas.Object, error)
}

// Route handles the records of the topics linted and selections. It may be called concurrently.
type Route struct {
	cfg        Config
	blobs      Blobs
	catalog    Catalog
	guarantees Guarantees
	rules      Rules
	version    string
	logger     *slog.Logger
}

// New checks the configuration; version is the binary's, for the stamp.
func New(cfg Config, blobs Blobs, catalog Catalog, guarantees Guarantees, rules Rules, version string, logger *slog.Logger) (*Route, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("route: %w", err)
	}
	return &Route{cfg: cfg, blobs: blobs, catalog: catalog, guarantees: guarantees, rules: rules, version: version, logger: logger}, nil
}

// Handle emits a Label, or the desk's create commands; nothing for the samples that were erased, and for selections that
// nobody is to look at. One that people are to look at is taken back by a record of its key without a value. A command's id is
// derived from what caused it, so that a redelivered record asks for nothing new. An undecodable record is a Fault.
func (r *Route) Handle(ctx context.Context, rec schemas.Record) ([]schemas.Emit, error) {
	switch rec.Topic {
	case schemas.Linted:
		return r.linted(ctx, rec)
	case schemas.Selections:
		return r.selection(ctx, rec)
	}
	return nil, schemas.NewFault("topic", fmt.Errorf("route: %s is neither %s nor %s", rec.Topic, schemas.Linted, schemas.Selections))
}

func (r *Route) linted(ctx context.Context, rec schemas.Record) ([]schemas.Emit, error) {
	started := time.Now()
	s, err := schemas.DecodeSample(rec.Value)
	if err != nil {
		return nil, schemas.NewFault("undecodable", fmt.Errorf("route: %w", err))
	}
	switch gone, err := stages.Erased(ctx, r.blobs, s.ID); {
	case err != nil:
		return nil, fmt.Errorf("route: %w", err)
	case gone:
		return nil, nil
	}
	rule := r.cfg.Datasets[s.Dataset]
	if s.Rank >= schemas.RankHuman {
		return r.label(&s, s.Rank, s.Actor, started, rec)
	}
	var wanted []schemas.Object
	if len(s.Objects) == 0 { // else they do not count
		if wanted, err = r.rules.Keep(ctx, &s, s.Proposals); err != nil {
			return nil, fmt.Errorf("route: sample %s: %w", s.ID, err)
		}
	}
	confidence := Confidence(&s, wanted)
	accept := rule.AcceptAbove > 0 && float32(confidence) >= float32(rule.AcceptAbove) // scores have that precision
	priority := doubt(&s, wanted)
	decision, covered := r.guarantees.Decide(s.Dataset, s.ID, confidence)
	if covered {
		accept = decision.Accept && confidence > 0
		if !accept && decision.Probability > 0 && confidence > 0 {
			if err := r.draw(ctx, &s, confidence, decision.Probability); err != nil {
				return nil, err
			}
		}
		priority = inTurn
	}
	if accept {
		return r.label(&s, schemas.RankAutomatic, "route", started, rec)
	}
	return r.task(ctx, &s, schemas.CreateBody{
		Priority: rule.Priority + priority, Reason: reason(&s, !covered),
	}, fmt.Sprintf("route/%s/%d/%d", s.ID, s.Stage, s.Revision), rec)
}

// draw keeps that a sample was drawn for an audit, with the labels that it is about. The first time counts.
func (r *Route) draw(ctx context.Context, s *schemas.Sample, confidence, probability float64) error {
	value, err := json.Marshal(schemas.Draw{
		SampleID: s.ID, Confidence: confidence, Probability: probability, Routed: labeled(s, time.Now().UTC()), Objects: s.Objects,
	})
	if err != nil {
		return schemas.NewFault("unencodable", fmt.Errorf("route: draw of sample %s: %w", s.ID, err))
	}
	if _, _, err := r.blobs.PutNew(ctx, schemas.DrawKey(s.ID), value); err != nil {
		return fmt.Errorf("route: sample %s: keep that it was drawn: %w", s.ID, err)
	}
	return nil
}

// inTurn is the doubt by which the samples of a dataset with a guarantee have their places in the queue: people see them in the order
// in which they came. By the true one they would come to the surest last, and audits in an order that depends on what they are to
// show; and one that was drawn could be told from one that was not.
const inTurn = .5

// label emits the sample's objects as its label of that rank.
func (r *Route) label(s *schemas.Sample, rank schemas.Rank, actor string, started time.Time, rec schemas.Record) ([]schemas.Emit, error) {
	now := time.Now().UTC()
	image := s.Image
	image.Inline = nil // labels are kept forever, pixels must stay erasable
	l := schemas.Label{
		SampleID: s.ID, Dataset: s.Dataset, UniqueID: s.UniqueID, Task: s.Task, Image: image, Group: s.Group, Slices: s.Slices,
		Rank: rank, Revision: s.Revision, Objects: s.Objects, Overrides: s.Overrides, Actor: actor, At: labeled(s, now),
		Stamps: append(s.Stamps[:len(s.Stamps):len(s.Stamps)], schemas.Stamp{
			Step: "route", Version: r.version, At: now.Truncate(time.Microsecond), Millis: float32(now.Sub(started).Seconds() * 1000),
		}),
	}
	value, err := schemas.EncodeLabel(&l)
	if err != nil {
		return nil, schemas.NewFault("unencodable", fmt.Errorf("route: label of sample %s: %w", s.ID, err))
	}
	return []schemas.Emit{{Topic: schemas.Labels, Record: schemas.Record{
		Topic: schemas.Labels, Key: []byte(s.ID.String()), Value: value,
		Headers: traced(rec, schemas.Header{Key: schemas.HeaderDataset, Value: []byte(s.Dataset)}),
	}}}, nil
}

// labeled is when the label came to be: for people's when they submitted it, however often its record was delivered since, and
// else the time of the last stamp.
func labeled(s *schemas.Sample, now time.Time) time.Time {
	if s.Rank >= schemas.RankHuman {
		for _, stamp := range slices.Backward(s.Stamps) {
			if stamp.Step == "desk" {
				return stamp.At
			}
		}
	}
	if n := len(s.Stamps); n > 0 {
		return s.Stamps[n-1].At
	}
	return now
}

// task stores the sample as the labeler shall see it and emits the command that opens its task.
func (r *Route) task(ctx context.Context, s *schemas.Sample, b schemas.CreateBody, id string, rec schemas.Record) ([]schemas.Emit, error) {
	s.Image.Inline = nil
	body, err := schemas.EncodeSample(s)
	if err != nil {
		return nil, schemas.NewFault("unencodable", fmt.Errorf("route: sample %s: %w", s.ID, err))
	}
	key := schemas.BodyKey(sha256.Sum256(body))
	if err := r.blobs.Put(ctx, key, body); err != nil {
		return nil, fmt.Errorf("route: sample %s: store its body %s: %w", s.ID, key, err)
	}
	b.SampleID, b.Dataset, b.UniqueID, b.Task = s.ID, s.Dataset, s.UniqueID, s.Task
	b.Body = schemas.BlobRef{Key: key, Size: int64(len(body))}
	if b.Queue = r.cfg.Datasets[s.Dataset].Queue; b.Queue == "" {
		b.Queue = s.Dataset
	}
	raw, err := json.Marshal(b)
	if err != nil {
		return nil, schemas.NewFault("unencodable", fmt.Errorf("route: sample %s: %w", s.ID, err))
	}
	// It has no not_after: a task that waits in a slow log must not be lost, and creating it twice does nothing.
	out, err := schemas.Command{ID: id, Actor: "route", At: time.Now().UTC(), Kind: schemas.CommandCreate, Body: raw}.Record()
	if err != nil {
		return nil, schemas.NewFault("unencodable", fmt.Errorf("route: sample %s: %w", s.ID, err))
	}
	out.Headers = traced(rec)
	return []schemas.Emit{{Topic: schemas.Desk, Record: out}}, nil
}

// traced adds the trace header of the record that caused the output.
func traced(rec schemas.Record, headers ...schemas.Header) []schemas.Header {
	if trace, ok := rec.Header(schemas.HeaderTrace); ok {
		headers = append(headers, schemas.Header{Key: schemas.HeaderTrace, Value: []byte(trace)})
	}
	return headers
}
