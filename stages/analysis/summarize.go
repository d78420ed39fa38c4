package analysis

import (
	"context"
	"errors"
	"time"
)

const (
	summarizeEvery = 2 * time.Second
	// summarizeShare keeps summaries from taking more than a tenth of a processor, however long a run has become.
	summarizeShare = 10
	// summarizeIdly is how often the store is asked when no losses came here: another process may have stored some and died.
	summarizeIdly = 10 * time.Second
)

// Summarize keeps scores and the summaries of epochs behind the rows, within seconds or ten times what a rebuild takes, until ctx ends. What is to
// be done it asks the store for, so nothing is lost by a restart and several processes may do it.
func (s *Step) Summarize(ctx context.Context) {
	for {
		began := time.Now()
		if err := s.summarize(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("scores and summaries of epochs stay as they are, and are tried again", "step", "analysis", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(summarizeEvery, summarizeShare*time.Since(began))):
		}
		select {
		case <-ctx.Done():
			return
		case <-s.fresh:
		case <-time.After(summarizeIdly):
		}
	}
}

func (s *Step) summarize(ctx context.Context) error {
	_, folding := s.store.FoldLosses(ctx)
	stale, err := s.store.StaleRuns(ctx)
	if err != nil {
		return errors.Join(folding, err)
	}
	for _, run := range stale {
		if err := s.store.RebuildEpochs(ctx, run); err != nil {
			return errors.Join(folding, err)
		}
	}
	return folding
}
