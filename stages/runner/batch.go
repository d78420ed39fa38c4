package runner

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// batcher gathers the records of all sources into batches for a batch handler.
type batcher struct {
	r     *Runner
	in    chan *job // nil asks for a flush
	ended chan struct{}
}

// startBatcher runs until close; batches that are open when ctx is done are forgotten.
func startBatcher(ctx context.Context, r *Runner) *batcher {
	b := &batcher{r: r, in: make(chan *job), ended: make(chan struct{})}
	go b.run(ctx)
	return b
}

// add puts a job into the open batch, or flushes it when j is nil. It reports false when ctx is done.
func (b *batcher) add(ctx context.Context, j *job) bool {
	select {
	case b.in <- j:
		return true
	case <-ctx.Done():
		return false
	}
}

// close flushes what is open and waits for it to be taken.
func (b *batcher) close() {
	close(b.in)
	<-b.ended
}

func (b *batcher) run(ctx context.Context) {
	defer close(b.ended)
	var (
		open  *unit
		bytes int64
		due   = time.NewTimer(b.r.cfg.BatchWait)
	)
	defer due.Stop()
	flush := func() {
		if open == nil {
			return
		}
		slices.SortStableFunc(open.jobs, func(a, b job) int {
			return cmp.Or(cmp.Compare(a.rec.Topic, b.rec.Topic), cmp.Compare(a.rec.Partition, b.rec.Partition))
		})
		select {
		case b.r.work <- open:
		case <-ctx.Done():
			b.r.forget(open)
		}
		open, bytes = nil, 0
	}
	for {
		select {
		case j, ok := <-b.in:
			if !ok {
				flush()
				return
			}
			alone := j != nil && b.r.deps.Guard.suspect(j.rec)
			if j == nil || alone {
				flush()
			}
			if j == nil {
				continue
			}
			if open == nil {
				open = &unit{}
				due.Reset(b.r.cfg.BatchWait)
			}
			open.jobs = append(open.jobs, *j)
			bytes += j.size
			if alone || len(open.jobs) >= b.r.cfg.BatchRecords || bytes >= int64(b.r.cfg.BatchBytes) {
				flush()
			}
		case <-due.C:
			flush()
		}
	}
}
