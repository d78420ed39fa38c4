package prelabel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gleaner/schemas"
)

// Models gives the detectors that look at a sample.
type Models interface {
	// Take returns the detectors that serve the sample, none where no model does. They stay usable until release, which is
	// called once. The error says that models should serve it and do not yet: trying again later helps.
	Take(dataset string, id schemas.SampleID) (detectors []Detector, release func(), err error)
}

// Fixed are detectors that serve every sample.
type Fixed []Detector

// Take implements Models.
func (f Fixed) Take(string, schemas.SampleID) ([]Detector, func(), error) { return f, func() {}, nil }

// Loaded is a model in memory. Close frees it; it is called once, when nobody uses the model any more.
type Loaded interface {
	Detector
	Close() error
}

// Fleet holds the models that serve, as the registry says, and swaps them between two samples: a sample sees one set of models,
// complete and tried out, and a model is freed when the last sample that sees it is done. A set that cannot be loaded is
// refused, and what served before goes on. All methods but Update may be called by many goroutines at once.
type Fleet struct {
	load func(context.Context, schemas.Model) (Loaded, error)
	log  *slog.Logger

	mu      sync.Mutex
	lineups map[string]*lineup // by dataset
	members map[string]*member // by model id: what lineups and samples hold
	samples map[string]uint64  // by model id: how many have seen it
	failed  Failures
	begun   bool // the first Update is over
	closed  bool
}

// Failures are what went wrong since the fleet was made.
type Failures struct {
	Refused uint64    // sets of models that were not let in
	Last    error     // why models that should serve did not, last; nil: none failed yet
	At      time.Time // when that was
}

// lineup is what serves a dataset. One with neither members nor an error is none: the dataset has no models of its own.
type lineup struct {
	answers schemas.Serving    // the record that this comes of
	refused bool               // what it asks for will not serve, and another try does not help
	open    bool               // the answer is not final: another try may help
	set     schemas.ModelSet   // what was asked for, or what served before where that was refused
	members map[string]*member // of the set, by model id
	why     error              // why set is not what was asked for
	err     error              // why there are no members, where samples must wait for them
}

func (l *lineup) none() bool { return l == nil || l.members == nil && l.err == nil }

// member is a loaded model. uses counts the lineups and samples that hold it, under the fleet's lock.
type member struct {
	Loaded
	id   string
	uses int
}

// NewFleet makes a fleet of no models. load brings a registry entry's model into memory; its error is a schemas.Fault where
// another try would not help, as with a file that is corrupt or not the one that was registered.
func NewFleet(load func(context.Context, schemas.Model) (Loaded, error), log *slog.Logger) *Fleet {
	return &Fleet{load: load, log: log, lineups: map[string]*lineup{}, members: map[string]*member{}, samples: map[string]uint64{}}
}

// Take implements Models.
func (f *Fleet) Take(dataset string, id schemas.SampleID) ([]Detector, func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.lineups[dataset]
	if l.none() {
		l = f.lineups[schemas.AnyDataset]
	}
	switch {
	case f.closed:
		return nil, nil, errors.New("the models are closed")
	case l.none():
		return nil, func() {}, nil
	case l.err != nil:
		return nil, nil, errors.New("no model serves yet: " + l.err.Error()) // which may be a fault, and the sample has none
	}
	var detectors []Detector
	var held []*member
	for _, model := range l.set.For(id) {
		m := l.members[model]
		m.uses++
		f.samples[model]++
		detectors, held = append(detectors, m.Loaded), append(held, m)
	}
	return detectors, func() { f.release(held) }, nil
}

// Update makes the fleet serve what the registry says. It blocks while models are loaded and tried, beside which Take goes on,
// and is called by one goroutine at a time. What is refused for good is logged and counted, and tried again when the registry
// says something new of its dataset. The error is of what is worth another try at once.
func (f *Fleet) Update(ctx context.Context, r Registry) error {
	f.mu.Lock()
	datasets := slices.Collect(maps.Keys(f.lineups))
	f.mu.Unlock()
	datasets = slices.AppendSeq(datasets, maps.Keys(r.Serving))
	slices.Sort(datasets)
	var errs []error
	for _, dataset := range slices.Compact(datasets) {
		errs = append(errs, f.update(ctx, dataset, r))
	}
	f.mu.Lock()
	f.begun = true
	f.mu.Unlock()
	return errors.Join(errs...)
}

func (f *Fleet) update(ctx context.Context, dataset string, r Registry) error {
	want := r.Serving[dataset]
	f.mu.Lock()
	now, begun := f.lineups[dataset], f.begun
	f.mu.Unlock()
	known := now != nil && now.answers.At.Equal(want.At) && now.answers.Equal(want.ModelSet)
	if known && !now.open {
		return nil
	}
	next := &lineup{answers: want, set: want.ModelSet}
	if len(want.Models) == 0 {
		f.swap(dataset, next)
		return nil
	}
	var err error
	if next.members, err = f.gather(ctx, want.ModelSet, r); err == nil {
		f.swap(dataset, next)
		f.log.Info("models serve from the next sample on", "dataset", dataset, "models", want.Models, "canary", want.Canary, "share", want.Share)
		return nil
	}
	next.why = err
	_, next.refused = schemas.AsFault(err)
	err = f.note(want, err, next.refused && (!known || !now.refused))
	next.open = !next.refused
	switch waits := now == nil && !begun || now != nil && now.err != nil; {
	case waits:
		if before := f.fallBack(ctx, next, r, err); before != nil {
			next.open, err = true, before
		}
	case now != nil:
		next.set, next.members = now.set, f.hold(now.members)
	}
	f.swap(dataset, next)
	if next.open {
		return err
	}
	return nil
}

// fallBack chooses what serves where a process begins with a set that cannot be loaded: the set before, or where a dataset had
// none of its own that of every dataset. Where the set before cannot be loaded either, or there is none at all, samples wait
// rather than pass unlabeled. The error is of a set before for which another try may help.
func (f *Fleet) fallBack(ctx context.Context, next *lineup, r Registry, why error) (err error) {
	before := next.answers.Previous
	if before == nil || len(before.Models) == 0 {
		if next.answers.Dataset == schemas.AnyDataset || len(r.Serving[schemas.AnyDataset].Models) == 0 {
			next.err = why
		}
		return nil
	}
	if next.members, err = f.gather(ctx, *before, r); err == nil {
		next.set = *before
		return nil
	}
	next.err = why
	if _, final := schemas.AsFault(err); final {
		return nil
	}
	return fmt.Errorf("%w; models %s, which served before: %w", why, strings.Join(before.All(), ", "), err)
}

// note remembers why models that should serve do not.
func (f *Fleet) note(s schemas.Serving, err error, final bool) error {
	err = fmt.Errorf("models %s of dataset %s: %w", strings.Join(s.All(), ", "), s.Dataset, err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed.Last, f.failed.At = err, time.Now()
	if final {
		f.failed.Refused++
		f.log.Error("models are refused: what served before goes on", "error", err)
	}
	return err
}

// gather holds every model of a set, and loads those that nobody holds.
func (f *Fleet) gather(ctx context.Context, set schemas.ModelSet, r Registry) (map[string]*member, error) {
	got := map[string]*member{}
	for _, id := range set.All() {
		m, err := f.member(ctx, id, r)
		if err != nil {
			f.release(slices.Collect(maps.Values(got)))
			return nil, err
		}
		got[id] = m
	}
	return got, nil
}

func (f *Fleet) member(ctx context.Context, id string, r Registry) (*member, error) {
	entry, ok := r.Models[id]
	if !ok {
		return nil, schemas.NewFault("unknown-model", fmt.Errorf("model %s is not registered", id))
	}
	if _, removed := r.Removed[id]; removed {
		return nil, schemas.NewFault("removed-model", fmt.Errorf("model %s was removed", id))
	}
	f.mu.Lock()
	m, ok := f.members[id]
	if ok {
		m.uses++
	}
	f.mu.Unlock()
	if ok {
		return m, nil
	}
	loaded, err := Try(ctx, f.load, entry)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", id, err)
	}
	m = &member{Loaded: loaded, id: id, uses: 1}
	f.mu.Lock()
	f.members[id] = m
	f.mu.Unlock()
	return m, nil
}

// hold takes every member once more.
func (f *Fleet) hold(members map[string]*member) map[string]*member {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range members {
		m.uses++
	}
	return members
}

// release gives members back and closes those that nobody holds any more.
func (f *Fleet) release(members []*member) {
	var idle []*member
	f.mu.Lock()
	for _, m := range members {
		if m.uses--; m.uses == 0 {
			delete(f.members, m.id)
			idle = append(idle, m)
		}
	}
	f.mu.Unlock()
	for _, m := range idle {
		if err := m.Close(); err != nil {
			f.log.Warn("a model that no longer serves was not freed", "model", m.id, "error", err)
		}
	}
}

// swap puts a lineup in the place of a dataset's last one; nil takes that away.
func (f *Fleet) swap(dataset string, next *lineup) {
	f.mu.Lock()
	last := f.lineups[dataset]
	if next == nil {
		delete(f.lineups, dataset)
	} else {
		f.lineups[dataset] = next
	}
	f.mu.Unlock()
	if last != nil {
		f.release(slices.Collect(maps.Values(last.members)))
	}
}

// Close lets no more samples in; no Update may follow. Models are freed when the last sample that sees them is done.
func (f *Fleet) Close() {
	f.mu.Lock()
	f.closed = true
	datasets := slices.Collect(maps.Keys(f.lineups))
	f.mu.Unlock()
	for _, d := range datasets {
		f.swap(d, nil)
	}
}

// Failures returns what went wrong.
func (f *Fleet) Failures() Failures {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// Serving returns what is in force, by dataset.
func (f *Fleet) Serving() map[string]schemas.InForce {
	f.mu.Lock()
	defer f.mu.Unlock()
	sets := map[string]schemas.InForce{}
	for dataset, l := range f.lineups {
		in := schemas.InForce{Asked: l.answers.At, Refused: l.refused, Waits: l.err != nil}
		if l.members != nil {
			in.ModelSet = l.set
		}
		if l.why != nil {
			in.Why = l.why.Error()
		}
		sets[dataset] = in
	}
	return sets
}
