package humanlabel

// The step "publish": effective submissions on the desk's log become samples on the submitted topic.

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages"
)

// Publisher handles the records of the desk topic with a fold of its own. It wants them in order, one at a time: a record that
// is not the next makes it read the log up to there, from a snapshot when the record lies behind.
type Publisher struct {
	from    restorer
	version string

	mu    sync.Mutex
	state *State
	last  submission // what the last folded record submitted: a retry must yield it again
}

// submission is an effective submit.
type submission struct {
	offset int64
	task   *schemas.Task // nil: the record submitted nothing
	actor  string
	at     time.Time
	took   time.Duration // from the claim to the submission
}

// NewPublisher makes the handler; version is the binary's, for the stamp. Nothing is read before the first record.
func NewPublisher(log Log, blobs Blobs, version string, logger *slog.Logger) *Publisher {
	return &Publisher{from: restorer{log, blobs, logger}, version: version}
}

// Handle folds one record of the desk topic and emits what it submitted, if anything: a Sample of rank human whose Revision is
// the task's version, with the record's offset in the origin headers. The same record yields the same bytes every time. Records
// that submit nothing, and submissions of erased samples, yield nothing. A body or an annotation that is gone or unreadable is a Fault.
func (p *Publisher) Handle(ctx context.Context, rec schemas.Record) ([]schemas.Emit, error) {
	sub, err := p.fold(ctx, rec)
	if err != nil {
		return nil, fmt.Errorf("publish: offset %d: %w", rec.Offset, err)
	}
	if sub.task == nil {
		return nil, nil
	}
	emits, err := p.emit(ctx, sub, rec)
	if err != nil {
		return nil, fmt.Errorf("publish: offset %d: task %s: %w", rec.Offset, sub.task.ID, err)
	}
	return emits, nil
}

// fold brings the state to the record and says what it submitted.
func (p *Publisher) fold(ctx context.Context, rec schemas.Record) (submission, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if rec.Partition != partition {
		return submission{}, schemas.NewFault("partition", fmt.Errorf("the desk topic has one partition, this is %d", rec.Partition))
	}
	if p.state != nil && p.state.offset == rec.Offset && p.last.offset == rec.Offset {
		return p.last, nil
	}
	if p.state == nil || p.state.offset >= rec.Offset {
		state, err := p.from.restore(ctx, rec.Offset)
		if err != nil {
			return submission{}, err
		}
		p.state = state
	}
	if err := p.from.fold(ctx, p.state, rec.Offset); err != nil {
		return submission{}, err
	}
	o, err := p.state.Fold(rec.Offset, rec.Value)
	if err != nil {
		return submission{}, err
	}
	p.last = submission{offset: rec.Offset}
	var c schemas.Command
	if json.Unmarshal(rec.Value, &c) == nil && c.Kind == schemas.CommandSubmit && o.Verdict == schemas.Applied && o.Offset == rec.Offset {
		t := p.state.find(o.Task.ID)
		p.last.task, p.last.actor, p.last.at = o.Task, c.Actor, o.Task.Changed
		p.last.took = time.Duration(t.changed - t.claimed)
	}
	return p.last, nil
}

func (p *Publisher) emit(ctx context.Context, sub submission, rec schemas.Record) ([]schemas.Emit, error) {
	if gone, err := stages.Erased(ctx, p.from.blobs, sub.task.SampleID); gone || err != nil {
		return nil, err
	}
	body, err := p.get(ctx, sub.task.Body)
	if err != nil {
		return nil, err
	}
	sample, err := schemas.DecodeSample(body)
	if err != nil {
		return nil, schemas.NewFault("undecodable", fmt.Errorf("body %s: %w", sub.task.Body.Key, err))
	}
	if sample.ID != sub.task.SampleID {
		return nil, schemas.NewFault("wrong-body", fmt.Errorf("body %s is of sample %s", sub.task.Body.Key, sample.ID))
	}
	work, err := p.get(ctx, *sub.task.Result)
	if err != nil {
		return nil, err
	}
	var annotation schemas.Annotation
	if err := json.Unmarshal(work, &annotation); err != nil {
		return nil, schemas.NewFault("undecodable", fmt.Errorf("annotation %s: %w", sub.task.Result.Key, err))
	}
	sample = Submitted(sample, annotation, sub.actor)
	sample.Revision = sub.task.Version
	sample.Stamps = append(sample.Stamps, schemas.Stamp{
		Step: "desk", Version: p.version, At: sub.at.Truncate(time.Microsecond), Millis: float32(sub.took.Seconds() * 1000),
	})
	value, err := schemas.EncodeSample(&sample)
	if err != nil {
		return nil, schemas.NewFault("unencodable", err)
	}
	out := schemas.Record{
		Topic: schemas.Submitted, Key: []byte(sample.ID.String()), Value: value,
		Headers: []schemas.Header{
			{Key: schemas.HeaderDataset, Value: []byte(sample.Dataset)},
			{Key: schemas.HeaderOriginTopic, Value: []byte(schemas.Desk)},
			{Key: schemas.HeaderOriginPartition, Value: strconv.AppendInt(nil, int64(rec.Partition), 10)},
			{Key: schemas.HeaderOriginOffset, Value: strconv.AppendInt(nil, rec.Offset, 10)},
		},
	}
	if trace, ok := rec.Header(schemas.HeaderTrace); ok {
		out.Headers = append(out.Headers, schemas.Header{Key: schemas.HeaderTrace, Value: []byte(trace)})
	}
	return []schemas.Emit{{Topic: schemas.Submitted, Record: out}}, nil
}

// Submitted is the sample of a task with what an actor made of it as its labels, but for the revision and the desk's stamp. Its
// findings are those that the actor was shown.
func Submitted(sample schemas.Sample, work schemas.Annotation, actor string) schemas.Sample {
	sample.Overrides = settled(sample.Overrides, sample.Objects, work)
	sample.Objects = signed(sample.Objects, work.Objects, actor)
	sample.Actor, sample.Rank, sample.Stage = actor, schemas.RankHuman, schemas.StageSubmitted
	sample.Findings = shown(sample.Findings, work.Findings)
	return sample
}

// shown are the findings that a task came with and those that its submissions were answered with; of two that are the same the
// answer counts, since it is about the label as it was by then.
func shown(task, answers []schemas.Finding) []schemas.Finding {
	out := slices.Clone(answers)
	for _, f := range task {
		if !slices.ContainsFunc(answers, func(a schemas.Finding) bool { return a.Settle("").Covers(f) }) {
			out = append(out, f)
		}
	}
	return out
}

// get reads a blob that the log names; one that is gone will not come back.
func (p *Publisher) get(ctx context.Context, ref schemas.BlobRef) ([]byte, error) {
	data, err := p.from.blobs.Get(ctx, ref.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, schemas.NewFault("missing-blob", fmt.Errorf("blob %s: %w", ref.Key, err))
	}
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", ref.Key, err)
	}
	return data, nil
}

// settled returns the overrides of an annotation and those from before that still stand: the person saw them as settled. One
// about an object ends with any change of its class, box or attributes.
func settled(before []schemas.Override, was []schemas.Object, now schemas.Annotation) []schemas.Override {
	same := func(id string) bool {
		named := func(o schemas.Object) bool { return o.ID == id }
		a, b := slices.IndexFunc(was, named), slices.IndexFunc(now.Objects, named)
		return a >= 0 && b >= 0 && was[a].SameLabel(now.Objects[b])
	}
	out := slices.Clone(now.Overrides)
	for _, o := range before {
		again := slices.ContainsFunc(out, func(n schemas.Override) bool {
			return n.Covers(schemas.Finding{Type: o.Type, ObjectID: o.ObjectID, Class: o.Class, Box: o.Box, Why: cmp.Or(o.Why, o.Reason)})
		})
		if !again && (o.ObjectID == "" || same(o.ObjectID)) {
			out = append(out, o)
		}
	}
	return out
}

// simulated begins the names of actors that are programs standing in for people; sources keep it, so that nobody mistakes them.
const simulated = "simulated:"

// signed returns the objects as the labels of that actor, each with an id that is unique among them. How a class came to be is
// known from before, was, and holds for as long as the object has that class.
func signed(was, objects []schemas.Object, actor string) []schemas.Object {
	source := actor
	if !strings.HasPrefix(actor, simulated) {
		source = "person:" + actor
	}
	taken := map[string]bool{}
	for _, o := range objects {
		taken[o.ID] = true
	}
	out, used, n := make([]schemas.Object, len(objects)), map[string]bool{}, 0
	for i, o := range objects {
		for o.ID == "" || used[o.ID] {
			n++
			if id := "o" + strconv.Itoa(n); !taken[id] {
				o.ID = id
			}
		}
		used[o.ID] = true
		o.Score, o.RawScore, o.Source, o.Raw = 0, 0, source, geometry.Box{}
		o.Canonical, o.Lineage, o.Refine = "", "", false
		if at := slices.IndexFunc(was, func(b schemas.Object) bool { return b.ID == o.ID && b.Class == o.Class }); at >= 0 {
			o.Canonical, o.Lineage, o.Refine = was[at].Canonical, was[at].Lineage, was[at].Refine
		}
		out[i] = o
	}
	return out
}
