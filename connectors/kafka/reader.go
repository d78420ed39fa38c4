package kafka

// Reading of the assigned partitions: one request at a time to each leader, for all partitions that have room.

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"gleaner/schemas"
)

// feed is an assigned partition on its way to its pump.
type feed struct {
	partition
	// in holds what fetches gave until the pump takes it. Only the reader sends, and it fetches no more of the partition while
	// there is no room: so a send never waits. There is room for two, since the next fetch goes out before the pump has run.
	in      chan []schemas.Record
	pending atomic.Int64 // bytes that were fetched and are in no delivery yet

	wait      backoff   // after failures of this partition
	notBefore time.Time // of the next fetch, after a failure
	apart     bool      // may be what spoils answers: is asked for by itself until there is an answer
}

// full tells whether the pump has enough to go on: pending may exceed the limit by one response.
func (f *feed) full(limit schemas.ByteSize) bool {
	return len(f.in) == cap(f.in) || f.pending.Load() >= int64(limit)
}

// pause leaves the feed out of fetches for a while from now on.
func (f *feed) pause(now time.Time) { f.notBefore = now.Add(f.wait.next()) }

// lasting tells that fetches have failed for a while.
func (f *feed) lasting() bool { return f.wait.now == f.wait.max }

// reader fetches for the feeds of one generation.
type reader struct {
	source *Source
	feeds  []*feed
	room   chan struct{} // has an element after a pump has taken what was fetched
}

// partWait is how long a fetch that leaves out partitions without room may wait: they may have room any moment.
const partWait = 100 * time.Millisecond

// run fetches until the context ends, or ends the source when a partition cannot be read further. Without partitions there is
// nothing to do.
func (r *reader) run(ctx context.Context) {
	for len(r.feeds) > 0 && ctx.Err() == nil {
		if err := r.turn(ctx); err != nil && ctx.Err() == nil {
			r.source.fail(err)
			return
		}
	}
}

// turn fetches from every leader until one of them no longer leads what it did.
func (r *reader) turn(ctx context.Context) error {
	var brokers leaders
	if err := r.source.client.retry(ctx, func() (err error) {
		brokers, err = r.source.client.leaders(ctx, r.source.cfg.Topic)
		return err
	}); err != nil {
		return err
	}
	led := map[int][]*feed{}
	for _, f := range r.feeds {
		broker := brokers.of(f.id)
		led[broker] = append(led[broker], f)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var polls sync.WaitGroup
	for broker, feeds := range led {
		polls.Go(func() {
			if broker == noLeader {
				r.awaitLeader(ctx, feeds)
				stop(nil)
				return
			}
			stop(r.poll(ctx, broker, feeds))
		})
	}
	polls.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// awaitLeader returns when one of the feeds has a leader.
func (r *reader) awaitLeader(ctx context.Context, feeds []*feed) {
	wait := readBackoff()
	said := false
	for wait.sleep(ctx) && !r.moved(ctx, noLeader, feeds) {
		if wait.now == wait.max && !said { // an election is over sooner
			said = true
			r.source.log.Warn("partitions have no leader: waiting for one", "partitions", len(feeds), "first", feeds[0].id)
		}
	}
}

// poll fetches from one leader until it no longer leads all the feeds. An error ends the source.
func (r *reader) poll(ctx context.Context, broker int, feeds []*feed) error {
	for _, f := range feeds {
		if err := f.begin(ctx); err != nil {
			return err
		}
	}
	for turn := 0; ctx.Err() == nil; turn++ {
		asked, longest := r.choose(feeds, turn)
		if len(asked) == 0 {
			select {
			case <-r.room:
			case <-time.After(longest): // the room is another leader's, or this one's already
			case <-ctx.Done():
			}
			continue
		}
		from := make([]position, len(asked))
		for i, f := range asked {
			from[i] = position{f.id, f.next}
		}
		got, broken := r.source.client.fetch(ctx, r.source.cfg.Topic, from, longest)
		failed, bytes := true, 0
		var err error
		switch {
		case broken == nil:
			failed, bytes, err = r.take(ctx, asked, got)
		case ctx.Err() != nil:
			return nil
		case len(asked) > 1 && !transient(broken): // one of them spoils the answer for all
			for _, f := range asked {
				f.apart = true
			}
		default:
			_, err = asked[0].take(ctx, fetched{err: broken}, asked[0].lasting(), nil)
			now := time.Now() // the same for all, so that they are asked for together again
			for _, f := range asked {
				f.pause(now)
			}
		}
		if err != nil {
			return err
		}
		if failed && r.moved(ctx, broker, feeds) {
			return nil
		}
		r.linger(ctx, bytes)
	}
	return nil
}

// choose returns what to ask for in one fetch, first what is to be served first, and how long the fetch may wait for the sake
// of what is left out: partitions without room, and those that failed and have to wait.
func (r *reader) choose(feeds []*feed, turn int) (asked []*feed, longest time.Duration) {
	cfg := r.source.client.cfg.Consume
	now := time.Now()
	longest = cfg.FetchWait
	var apart *feed
	for i := range feeds {
		f := feeds[(turn+i)%len(feeds)]
		pause := f.notBefore.Sub(now)
		switch {
		case pause > 0:
			longest = min(longest, max(pause, time.Millisecond))
		case f.full(cfg.FetchBytes):
			longest = min(longest, partWait)
		case f.apart:
			apart = f
		default:
			asked = append(asked, f)
		}
	}
	if apart != nil {
		return []*feed{apart}, min(longest, partWait)
	}
	return asked, longest
}

// take hands what was fetched, of some of what was asked for, to the pumps. failed says that some partition failed and pauses, and bytes how much there was.
func (r *reader) take(ctx context.Context, asked []*feed, got []fetched) (failed bool, bytes int, err error) {
	for _, g := range got {
		f := asked[slices.IndexFunc(asked, func(f *feed) bool { return f.id == g.partition })]
		var records []schemas.Record
		size := 0
		bad, err := f.take(ctx, g, f.lasting(), func(r schemas.Record) error {
			records = append(records, r)
			size += r.Size()
			return nil
		})
		if len(records) > 0 {
			f.pending.Add(int64(size))
			f.in <- records
		}
		bytes += size
		if err != nil {
			return failed, bytes, err
		}
		f.apart = false
		if bad {
			failed = true
			f.pause(time.Now())
		} else {
			f.wait.reset()
		}
	}
	return failed, bytes, nil
}

// linger lets records gather at the broker after a fetch that gave some bytes, where the source may wait for them. After a
// full one there are more already.
func (r *reader) linger(ctx context.Context, bytes int) {
	if bytes == 0 || bytes >= int(r.source.client.cfg.Consume.FetchBytes)/2 || r.source.cfg.Linger == 0 {
		return
	}
	select {
	case <-time.After(r.source.cfg.Linger):
	case <-ctx.Done():
	}
}

// moved tells whether one of the feeds is known to have another leader now.
func (r *reader) moved(ctx context.Context, broker int, feeds []*feed) bool {
	brokers, err := r.source.client.leaders(ctx, r.source.cfg.Topic)
	return err == nil && slices.ContainsFunc(feeds, func(f *feed) bool { return brokers.of(f.id) != broker })
}

// newReader makes the reader of what a generation assigns.
func (s *Source) newReader(assigned []kafkago.PartitionAssignment) *reader {
	r := &reader{source: s, room: make(chan struct{}, 1)}
	for _, a := range assigned {
		r.feeds = append(r.feeds, &feed{
			partition: partition{client: s.client, topic: s.cfg.Topic, id: a.ID, next: a.Offset, end: -1, log: s.log, lost: s.alarm},
			in:        make(chan []schemas.Record, 2),
			wait:      readBackoff(),
		})
	}
	return r
}

// taken tells the reader that a feed may have room again.
func (r *reader) taken() {
	select {
	case r.room <- struct{}{}:
	default:
	}
}
