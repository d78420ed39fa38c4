package kafka

// Reading of the assigned partitions: one request at a time to each leader, for all partitions that have room.

import (
	"context"
	"errors"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"gleaner/schemas"
)

// feed is an assigned partition on its way to its pump.
type feed struct {
	partition
	// in holds what fetches gave until the pump takes it. Only the reader sends, and it fetches no more of the partition while
	// there is no room: so a send never waits. There is room for two, since the next fetch goes out before the pump has run.
	in chan []schemas.Record
}

// reader fetches for the feeds of one generation.
type reader struct {
	source *Source
	feeds  []*feed
	room   chan struct{} // has an element after a pump has taken what was fetched
}

// partWait is how long a fetch that leaves out partitions without room may wait: they may have room any moment.
const partWait = 100 * time.Millisecond

// run fetches until the context ends, or ends the source when a partition cannot be read further.
func (r *reader) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.turn(ctx); err != nil && ctx.Err() == nil {
			r.source.fail(err)
			return
		}
	}
}

// turn fetches from every leader until one of them no longer leads what it did.
func (r *reader) turn(ctx context.Context) error {
	leaders, err := r.source.client.leaders(ctx, r.source.cfg.Topic)
	if err != nil {
		return err
	}
	led := map[int][]*feed{}
	for _, f := range r.feeds {
		if err := f.begin(ctx); err != nil {
			return err
		}
		broker := leaders[f.id]
		led[broker] = append(led[broker], f)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var polls sync.WaitGroup
	for broker, feeds := range led {
		polls.Go(func() { stop(r.poll(ctx, broker, feeds)) })
	}
	polls.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// poll fetches from one leader until it no longer leads all the feeds. An error ends the source.
func (r *reader) poll(ctx context.Context, broker int, feeds []*feed) error {
	wait := readBackoff()
	alone := 0 // fetches still to be made of one partition each, to find the one that spoils the answer for all
	for turn := 0; ctx.Err() == nil; turn++ {
		var asked []*feed
		var from []position
		for i := range feeds {
			f := feeds[(turn+i)%len(feeds)]
			if len(f.in) < cap(f.in) && (alone == 0 || len(asked) == 0) {
				asked = append(asked, f)
				from = append(from, position{f.id, f.next})
			}
		}
		if len(asked) == 0 {
			select {
			case <-r.room:
			case <-time.After(partWait): // the room is another leader's, or this one's already
			case <-ctx.Done():
			}
			continue
		}
		longest := r.source.client.cfg.Consume.FetchWait
		if len(asked) < len(feeds) {
			longest = min(longest, partWait)
		}
		got, broken := r.source.client.fetch(ctx, r.source.cfg.Topic, from, longest)
		if broken != nil {
			got = []fetched{{partition: asked[0].id, err: broken}}
		}
		failed, bytes, err := r.take(ctx, asked, got, wait.now == wait.max)
		switch {
		case err != nil:
			return err
		case broken != nil && !transient(broken):
			alone = len(feeds)
		case alone > 0:
			alone--
		}
		if !failed {
			wait.reset()
			r.linger(ctx, bytes)
			continue
		}
		if !wait.sleep(ctx) {
			return nil
		}
		if moved, err := r.moved(ctx, broker, feeds); moved || err != nil {
			return err
		}
	}
	return nil
}

// take hands what was fetched to the pumps. failed says that a pause is due, and bytes how much there was.
func (r *reader) take(ctx context.Context, asked []*feed, got []fetched, lasting bool) (failed bool, bytes int, err error) {
	for _, g := range got {
		for _, f := range asked {
			if f.id != g.partition {
				continue
			}
			var records []schemas.Record
			bad, err := f.take(ctx, g, lasting, func(r schemas.Record) error {
				records = append(records, r)
				bytes += r.Size()
				return nil
			})
			if len(records) > 0 {
				f.in <- records
			}
			if err != nil {
				return failed, bytes, err
			}
			failed = failed || bad
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

// moved tells whether one of the feeds has another leader now.
func (r *reader) moved(ctx context.Context, broker int, feeds []*feed) (bool, error) {
	leaders, err := r.source.client.leaders(ctx, r.source.cfg.Topic)
	if err != nil {
		return false, err
	}
	for _, f := range feeds {
		if leaders[f.id] != broker {
			return true, nil
		}
	}
	return false, nil
}

// newReader makes the reader of what a generation assigns.
func (s *Source) newReader(assigned []kafkago.PartitionAssignment) *reader {
	r := &reader{source: s, room: make(chan struct{}, 1)}
	for _, a := range assigned {
		r.feeds = append(r.feeds, &feed{
			partition: partition{client: s.client, topic: s.cfg.Topic, id: a.ID, next: a.Offset, end: -1, log: s.log, lost: s.alarm},
			in:        make(chan []schemas.Record, 2),
		})
	}
	return r
}

// taken tells the reader that a feed has room again.
func (r *reader) taken() {
	select {
	case r.room <- struct{}{}:
	default:
	}
}
