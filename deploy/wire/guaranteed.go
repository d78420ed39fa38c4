package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"time"

	"gleaner/schemas"
	"gleaner/stages"
	"gleaner/stages/route"
	"gleaner/stages/route/guarantee"
)

// auditStore holds the audits, and knows what was accepted.
type auditStore interface {
	AuditState(ctx context.Context) (map[string]string, error)
	Audits(ctx context.Context, dataset string) iter.Seq2[schemas.Audit, error]
	Accepted(ctx context.Context, dataset string, from, to time.Time) ([]schemas.SampleID, error)
}

// recallStore remembers what was recalled (schemas.RecallKey).
type recallStore interface {
	Get(ctx context.Context, key string) ([]byte, error)
	PutNew(ctx context.Context, key string, data []byte) (existing []byte, created bool, err error)
}

// Audits are read every few seconds, the less often the longer it takes, so that this takes a share of one core here and at the server
// at most, unless nobody would know of them before all is stale.
const (
	guaranteeEvery = 3 * time.Second
	guaranteeShare = 0.05
	guaranteeAnew  = guarantee.Stale / 3
)

// guarantor keeps a book of guarantees up to the audits in the store.
type guarantor struct {
	book     *guarantee.Book
	from     auditStore
	datasets func() []string // those that want a guarantee
	through  progress
	recall   func(context.Context, schemas.Record) error // nil: what was accepted before a withdrawal is another process's to recall
	kept     recallStore
	log      *slog.Logger

	seen     map[string]string    // AuditState, as read
	recalled map[string]*recalled // by the ids of selections
}

// progress is a time such that a step has done all that came to it before: now, or when the oldest record was written that it has not
// done. Zero: unknown.
type progress func(ctx context.Context, step string) (time.Time, error)

// newGuarantor keeps an empty book of those datasets whose rules, asked for by name, state a target quality.
func newGuarantor(from auditStore, rules func(string) (schemas.DatasetRules, bool), datasets func() []string, through progress, cfg route.Config, log *slog.Logger) *guarantor {
	config := func(dataset string) (guarantee.Config, bool) {
		r, ok := rules(dataset)
		if !ok || r.TargetQuality == 0 {
			return guarantee.Config{}, false
		}
		c := guarantee.Config{Target: r.TargetQuality, Audit: r.AuditShare}
		if r.AcceptBeforeAudits {
			c.Provisional = cfg.Datasets[dataset].AcceptAbove
		}
		if c.Audit == 0 {
			c.Audit = guarantee.DefaultAudit(c.Target)
		}
		return c, true
	}
	wanted := func() []string {
		return slices.DeleteFunc(datasets(), func(name string) bool { _, ok := config(name); return !ok })
	}
	return &guarantor{
		book: guarantee.NewBook(config), from: from, datasets: wanted, through: through, log: log,
		seen: map[string]string{}, recalled: map[string]*recalled{},
	}
}

// run refreshes the book now and then until ctx ends. While the store does not answer, what is known stays for a while; then
// people see everything (guarantee.Book).
func (g *guarantor) run(ctx context.Context) {
	for {
		began := time.Now()
		if err := g.refresh(ctx); err != nil && ctx.Err() == nil {
			g.log.Warn("automatic acceptance rests on what is known: audits cannot be read", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause(time.Since(began))):
		}
	}
}

// pause is how long to wait after a refresh that took so long.
func pause(took time.Duration) time.Duration {
	return min(max(guaranteeEvery, time.Duration(float64(took)/guaranteeShare)), guaranteeAnew)
}

// refresh folds anew the audits of each dataset of which some have come or gone, or that wants something else. What is known is as
// old as what the step audit has not done yet.
func (g *guarantor) refresh(ctx context.Context) error {
	at, err := g.through(ctx, "audit")
	if err != nil {
		return err
	}
	state, err := g.from.AuditState(ctx)
	if err != nil {
		return err
	}
	wanted := g.datasets()
	for _, dataset := range wanted {
		if before, known := g.seen[dataset]; known && before == state[dataset] && g.book.Current(dataset) {
			g.book.Confirm(dataset, at)
			continue
		}
		was, _ := g.book.State(dataset)
		if err := g.book.Read(dataset, g.from.Audits(ctx, dataset), at); err != nil {
			return fmt.Errorf("audits of %s: %w", dataset, err)
		}
		if is, _ := g.book.State(dataset); is.State != was.State {
			g.log.Info("automatic acceptance", "dataset", dataset, "state", is.State, "threshold", is.Threshold, "bound", is.Bound, "audits", is.Audits, "needed", is.Needed)
		}
		g.seen[dataset] = state[dataset]
	}
	if g.recall != nil {
		for _, dataset := range wanted {
			if err := g.recallAll(ctx, dataset); err != nil {
				return fmt.Errorf("recall of %s: %w", dataset, err)
			}
		}
	}
	maps.DeleteFunc(g.seen, func(dataset, _ string) bool {
		gone := !slices.Contains(wanted, dataset)
		if gone {
			g.book.Forget(dataset)
		}
		return gone
	})
	return nil
}

const (
	// recallFor is how long after a withdrawal was first read of an image may still be accepted by a process that has not.
	recallFor  = guarantee.Stale
	recallMost = 10_000 // picks of one selection
)

// recallAll sends what was accepted before each withdrawal, since the change may have come, back to people: by selections whose ids
// follow from the withdrawal and the samples, so that each task is opened once however often and by how many processes they are
// sent. A withdrawal counts from when a process first read of it, until which images were accepted. When all has been sent that was
// accepted until all processes have, that is kept, and the withdrawal is passed over from then on.
func (g *guarantor) recallAll(ctx context.Context, dataset string) error {
	for _, w := range g.book.Withdrawals(dataset) {
		id := fmt.Sprintf("%s/recall/%d", dataset, w.At.UnixMicro())
		r := g.recalled[id]
		if r == nil {
			var err error
			if r, err = g.startRecall(ctx, id); err != nil {
				return err
			}
			g.recalled[id] = r
		}
		if r.done {
			continue
		}
		cataloged, err := g.through(ctx, "catalog")
		if err != nil {
			return err
		}
		until := r.folded.Add(recallFor)
		samples, err := g.from.Accepted(ctx, dataset, w.Recall, until)
		if err != nil {
			return err
		}
		samples = slices.DeleteFunc(samples, func(s schemas.SampleID) bool { return r.samples[s] })
		for part := range slices.Chunk(samples, recallMost) {
			if err := g.send(ctx, dataset, id, part); err != nil {
				return err
			}
			for _, s := range part {
				r.samples[s] = true
			}
		}
		if len(samples) > 0 {
			g.log.Warn("automatic acceptance was withdrawn: what was accepted since goes back to people", "dataset", dataset, "since", w.Recall, "images", len(samples))
		}
		if cataloged.After(until) {
			if _, _, err := g.kept.PutNew(ctx, schemas.RecallKey(id, "done"), []byte("{}")); err != nil {
				return err
			}
			g.recalled[id] = &recalled{done: true}
		}
	}
	return nil
}

// send recalls some samples by one selection. Its key is its own: the topic is compacted.
func (g *guarantor) send(ctx context.Context, dataset, id string, samples []schemas.SampleID) error {
	s := schemas.Selection{ID: id, Dataset: dataset, Kind: schemas.SelectionDoubtful, Method: "recall", At: time.Now().UTC()}
	for _, sample := range samples {
		s.Picks = append(s.Picks, schemas.Pick{SampleID: sample, Weight: 1, Reason: "accepted automatically shortly before audits found more errors"})
	}
	value, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return g.recall(ctx, schemas.Record{Topic: schemas.Selections, Key: []byte(schemas.SelectionID(s.Picks, id)), Value: value})
}

// recalled is what was sent for one withdrawal.
type recalled struct {
	folded  time.Time // when a process first read of it
	samples map[schemas.SampleID]bool
	done    bool // nothing more can come
}

// startRecall is where a recall stands that may have been begun before.
func (g *guarantor) startRecall(ctx context.Context, id string) (*recalled, error) {
	_, err := g.kept.Get(ctx, schemas.RecallKey(id, "done"))
	if err == nil {
		return &recalled{done: true}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	r := &recalled{folded: time.Now().UTC(), samples: map[schemas.SampleID]bool{}}
	value, err := r.folded.MarshalText()
	if err != nil {
		return nil, err
	}
	existing, created, err := g.kept.PutNew(ctx, schemas.RecallKey(id, "folded"), value)
	if err != nil || created {
		return r, err
	}
	if err := r.folded.UnmarshalText(existing); err != nil {
		return nil, fmt.Errorf("when %s began: %w", id, err)
	}
	return r, nil
}

// newGuarantor makes the guarantor of a running process; with recalls, it also recalls what has to be.
func (c *Connections) newGuarantor(s *shared, recalls bool) *guarantor {
	g := newGuarantor(c.DB, s.rules.Rules, s.rules.Datasets, c.through(), c.Config.Route, c.Log)
	if recalls {
		g.recall, g.kept = c.Kafka.Append, c.Blobs
	}
	return g
}

const lagEvery = guarantee.Stale / 4 // asking costs a read of each partition

// through asks the broker now and then how far steps are; it is not safe for concurrent use.
func (c *Connections) through() progress {
	type answer struct{ asked, through time.Time }
	known := map[string]answer{}
	return func(ctx context.Context, name string) (time.Time, error) {
		now := time.Now()
		if a, ok := known[name]; ok && now.Sub(a.asked) < lagEvery {
			return a.through, nil
		}
		step, _ := stages.Find(stages.Flow(), name)
		lags, err := c.lag(ctx, step)
		if err != nil {
			return time.Time{}, err
		}
		a := answer{now, now}
		for _, l := range lags {
			if l.Records > 0 && l.Oldest.Before(a.through) {
				a.through = l.Oldest
			}
		}
		known[name] = a
		return a.through, nil
	}
}

// upToNow takes every step to have done everything, for those who only look.
func upToNow(context.Context, string) (time.Time, error) { return time.Now(), nil }

// Acceptance describes the automatic acceptance of a dataset as its audits are now; ok is false where it states no target quality.
func (c *Connections) Acceptance(ctx context.Context, dataset string) (a schemas.Acceptance, ok bool, err error) {
	rules, err := c.RulesInForce(ctx, dataset)
	if err != nil || rules.TargetQuality == 0 {
		return a, false, err
	}
	g := newGuarantor(c.DB, func(string) (schemas.DatasetRules, bool) { return rules, true }, func() []string { return []string{dataset} }, upToNow, c.Config.Route, c.Log)
	if err := g.refresh(ctx); err != nil {
		return a, false, err
	}
	all, err := g.acceptance(ctx, c.DB)
	if err != nil || len(all) == 0 {
		return a, false, err
	}
	return all[0], true, nil
}

// labelCounts counts the labels that stand of a dataset.
type labelCounts interface {
	LabelCounts(ctx context.Context, dataset string) (automatic, people uint64, err error)
}

// acceptance describes all datasets that want a guarantee, in the order of their names.
func (g *guarantor) acceptance(ctx context.Context, counts labelCounts) ([]schemas.Acceptance, error) {
	out := []schemas.Acceptance{}
	for _, dataset := range g.datasets() {
		a, ok := g.book.State(dataset)
		if !ok {
			continue
		}
		var err error
		if a.Automatic, a.People, err = counts.LabelCounts(ctx, dataset); err != nil {
			return nil, fmt.Errorf("labels of %s: %w", dataset, err)
		}
		out = append(out, a)
	}
	return out, nil
}
