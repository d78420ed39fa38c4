package wire

import (
	"context"
	"log/slog"
	"math/bits"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"gleaner/schemas"
	"gleaner/stages/lint/evidence"
)

// twinStore has the labels of near duplicates.
type twinStore interface {
	// LabelTwins returns the labels of the other samples of a sample's group, the best first, with their perceptual hashes.
	LabelTwins(ctx context.Context, of *schemas.Sample, most int) ([]schemas.Label, []uint64, error)
	// TwinGroups returns the groups that have labels of others than their first sample.
	TwinGroups(ctx context.Context, dataset string, most int) ([]schemas.SampleID, error)
}

const (
	// twinsWithin is how long a question for twins may take, which takes some ten milliseconds: people wait for lint's word.
	twinsWithin = 250 * time.Millisecond
	// twinsAtATime are asked for; others wait for a turn, at most as long, and go without. Nobody waits longer, but a question goes on until
	// twinsEnd: one that is broken off costs the database no less, and each a connection.
	twinsAtATime = 4
	twinsEnd     = 10 * time.Second
	// twinsPause is for how long none is asked after one that failed.
	twinsPause = time.Second

	mostTwinGroups = 1_000_000 // of a dataset are kept, some 40 bytes each
	// twinGroupsAnew is how often groups are read, at least, and twinGroupsShare the most of one core that it takes at the server, unless
	// twinGroupsAnew is too short for that.
	twinGroupsAnew  = time.Hour
	twinGroupsShare = 0.02
)

// twins asks for the labels of near-duplicate images, of those samples alone that can have any: a sample that is not the first of its
// group, and the first of a group of which another is labeled. It is safe for concurrent use.
type twins struct {
	perDataset[map[schemas.SampleID]bool] // groups of which another sample than the first is labeled
	from                                  twinStore
	count                                 func()       // is called with every failure
	until                                 atomic.Int64 // nothing is asked before, Unix nanoseconds
	turns                                 *semaphore.Weighted
}

func newTwins(from twinStore, log *slog.Logger, count func()) *twins {
	t := &twins{from: from, count: count, turns: semaphore.NewWeighted(twinsAtATime)}
	t.read, t.every, t.anew, t.share = t.groups, learnEvery, twinGroupsAnew, twinGroupsShare
	t.failed = func(dataset string, err error) {
		count()
		log.Warn("which samples have labeled near duplicates stays as it was known: labels cannot be read", "dataset", dataset, "error", err)
	}
	return t
}

func (t *twins) groups(ctx context.Context, dataset string, _ map[schemas.SampleID]bool) (map[schemas.SampleID]bool, error) {
	ids, err := t.from.TwinGroups(ctx, dataset, mostTwinGroups)
	groups := make(map[schemas.SampleID]bool, len(ids))
	for _, id := range ids {
		groups[id] = true
	}
	return groups, err
}

// Twins implements lint.Twins. What cannot be had soon is left out, and counted.
func (t *twins) Twins(ctx context.Context, s *schemas.Sample) []evidence.Twin {
	labeled := t.get(s.Dataset)
	if s.Group == (schemas.SampleID{}) || s.Group == s.ID && !labeled[s.Group] || time.Now().UnixNano() < t.until.Load() {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, twinsWithin)
	defer cancel()
	labels, phashes, err := t.ask(waiting, s)
	if err != nil {
		if ctx.Err() == nil {
			t.count()
			t.until.Store(time.Now().Add(twinsPause).UnixNano())
		}
		return nil
	}
	out := make([]evidence.Twin, len(labels))
	for i, l := range labels {
		out[i] = evidence.Twin{Label: l, Distance: bits.OnesCount64(s.PHash ^ phashes[i])}
	}
	return out
}

// ask asks the store, and waits for the answer until waiting ends.
func (t *twins) ask(waiting context.Context, s *schemas.Sample) ([]schemas.Label, []uint64, error) {
	if err := t.turns.Acquire(waiting, 1); err != nil {
		return nil, nil, err
	}
	type answer struct {
		labels  []schemas.Label
		phashes []uint64
		err     error
	}
	done := make(chan answer, 1)
	go func() {
		defer t.turns.Release(1)
		asking, cancel := context.WithTimeout(context.WithoutCancel(waiting), twinsEnd)
		defer cancel()
		var a answer
		a.labels, a.phashes, a.err = t.from.LabelTwins(asking, s, evidence.MaxTwins)
		done <- a
	}()
	select {
	case a := <-done:
		return a.labels, a.phashes, a.err
	case <-waiting.Done():
		return nil, nil, waiting.Err()
	}
}
