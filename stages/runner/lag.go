package runner

import (
	"context"
	"time"

	"gleaner/schemas"
)

// watchLag measures the lag until ctx is done and raises the retention alarm.
func (r *Runner) watchLag(ctx context.Context) {
	if r.deps.Lag == nil {
		return
	}
	tick := time.NewTicker(r.cfg.LagEvery)
	defer tick.Stop()
	alarmed := map[schemas.Topic]bool{}
	for {
		lags, err := r.deps.Lag(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.log.Warn("lag unknown", "error", err)
		default:
			r.weigh(lags, alarmed, time.Now())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// weigh records the lag and raises or ends the alarm of each topic: past half of the retention there is as much time left
// to catch up as was lost.
func (r *Runner) weigh(lags []Lag, alarmed map[schemas.Topic]bool, now time.Time) {
	var records int64
	var oldest time.Duration
	alarm := false
	for _, l := range lags {
		records += l.Records
		if l.Records == 0 {
			l.Oldest = time.Time{}
		} else if l.Oldest.IsZero() {
			l.Oldest = r.stats.readLast(l.Topic)
		}
		var age time.Duration
		if !l.Oldest.IsZero() {
			age = now.Sub(l.Oldest)
		}
		oldest = max(oldest, age)
		spec, _ := l.Topic.Spec()
		late := l.Gone > 0 || spec.Retention > 0 && age > spec.Retention/2
		alarm = alarm || late
		switch {
		case late && !alarmed[l.Topic]:
			r.log.Error("unread records are past half of their topic's retention and will be lost, or are gone: run more instances, or raise the retention",
				"topic", l.Topic, "records", l.Records, "gone", l.Gone, "age", age, "retention", spec.Retention)
		case !late && alarmed[l.Topic]:
			r.log.Info("lag is back under half of the topic's retention", "topic", l.Topic, "records", l.Records, "age", age)
		}
		alarmed[l.Topic] = late
	}
	r.stats.lagging(records, oldest, alarm)
}

// readLast is when the last record read of a topic was written: what is unread is younger.
func (r *recorder) readLast(t schemas.Topic) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lastRead[t]
}
