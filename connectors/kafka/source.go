package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"gleaner/schemas"
)

// SourceConfig says what a Source reads.
type SourceConfig struct {
	Group string        // the consumer group; its members share the topic's partitions
	Topic schemas.Topic // must exist

	// Linger is how long, after a fetch that gave few records, more may gather at the broker before the next one. A reader
	// that works on batches, and needs no record at once, saves most requests by it.
	Linger time.Duration
}

// Source reads a topic as a member of a consumer group, from the committed offsets on, or from the first records where
// there are none. It starts with the first Read. It may be used concurrently.
type Source struct {
	client *Client
	cfg    SourceConfig
	log    *slog.Logger
	out    chan schemas.Delivery

	start   sync.Once
	closing chan struct{} // closed by Close, or by a fatal error
	stop    sync.Once
	done    chan struct{} // closed when the member has left

	mu    sync.Mutex
	fatal error
}

// Source returns a source that has not joined its group yet. The caller closes it.
func (c *Client) Source(cfg SourceConfig) (*Source, error) {
	if cfg.Group == "" || cfg.Topic == "" {
		return nil, fmt.Errorf("kafka: a source needs a group and a topic, have %q and %q", cfg.Group, cfg.Topic)
	}
	return &Source{
		client:  c,
		cfg:     cfg,
		log:     c.log.With("group", cfg.Group, "topic", cfg.Topic),
		out:     make(chan schemas.Delivery),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
	}, nil
}

// Read returns the next records of some assigned partition. It blocks until there are any, the context ends, or the source
// ends: then it returns io.EOF after Close, or why the source cannot go on (an *OffsetError: the log was cut). Transient
// errors are retried inside.
func (s *Source) Read(ctx context.Context) (schemas.Delivery, error) {
	if err := s.ended(); err != nil {
		return schemas.Delivery{}, err
	}
	s.start.Do(func() { go s.run() })
	select {
	case d := <-s.out:
		return d, nil
	case <-ctx.Done():
		return schemas.Delivery{}, ctx.Err()
	case <-s.closing:
		return schemas.Delivery{}, s.ended()
	}
}

// ended returns why there is nothing more to read, or nil.
func (s *Source) ended() error {
	select {
	case <-s.closing:
	default:
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fatal != nil {
		return s.fatal
	}
	return io.EOF
}

// Close ends reading, waits up to the drain limit for what was handed out to be acknowledged, commits the acknowledged
// prefix and leaves the group. It returns the context's error if that is not over in time; it goes on nevertheless.
func (s *Source) Close(ctx context.Context) error {
	s.stop.Do(func() { close(s.closing) })
	s.start.Do(func() { close(s.done) }) // never started
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("kafka: close source of %s: %w", s.cfg.Topic, ctx.Err())
	}
}

// fail ends the source with an error that people have to see to.
func (s *Source) fail(err error) {
	s.mu.Lock()
	s.stop.Do(func() {
		s.fatal = err
		close(s.closing)
	})
	s.mu.Unlock()
}

// run takes part in the group until the source closes.
func (s *Source) run() {
	defer close(s.done)
	if err := s.awaitTopic(); err != nil {
		s.fail(err)
		return
	}
	cfg := s.client.cfg
	group, err := kafkago.NewConsumerGroup(kafkago.ConsumerGroupConfig{
		ID:                s.cfg.Group,
		Brokers:           cfg.Brokers,
		Dialer:            s.client.dialer,
		Topics:            []string{string(s.cfg.Topic)},
		HeartbeatInterval: cfg.Group.Heartbeat,
		SessionTimeout:    cfg.Group.SessionTimeout,
		RebalanceTimeout:  cfg.Group.RebalanceTimeout,
		JoinGroupBackoff:  cfg.Group.JoinBackoff,
		StartOffset:       kafkago.FirstOffset,
		Timeout:           cfg.DialTimeout,
	})
	if err != nil {
		s.fail(fmt.Errorf("kafka: join group %s: %w", s.cfg.Group, err))
		return
	}
	var closed sync.WaitGroup
	closed.Go(func() {
		<-s.closing
		_ = group.Close() // ends the generation and leaves
	})
	defer closed.Wait()
	for {
		generation, err := group.Next(context.Background())
		switch {
		case errors.Is(err, kafkago.ErrGroupClosed):
			return
		case errors.Is(err, kafkago.RebalanceInProgress): // another member joined meanwhile: the usual case when several start
		case err != nil: // tried again without end, after JoinBackoff
			s.log.Warn("joining the consumer group failed: trying again", "error", err)
		default:
			s.client.metrics.rebalances.WithLabelValues(s.cfg.Group, string(s.cfg.Topic)).Inc()
			over := make(chan struct{})
			// Exactly one function: the first that returns ends the generation.
			generation.Start(func(ctx context.Context) {
				defer close(over)
				s.own(ctx, generation)
			})
			<-over
		}
	}
}

// awaitTopic returns an error if the topic does not exist: the group would wait for it without end or word.
func (s *Source) awaitTopic() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-s.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	wait := backoff{min: 100 * time.Millisecond, max: time.Second}
	started := time.Now()
	for {
		_, err := s.client.partitions(ctx, s.cfg.Topic)
		// A broker that has just started may not know its topics yet.
		if !errors.Is(err, ErrNoTopic) || time.Since(started) > 10*time.Second || !wait.sleep(ctx) {
			return err
		}
	}
}

// own reads the partitions that one generation assigns, until it ends. Its return closes the connection that commits.
func (s *Source) own(ctx context.Context, generation *kafkago.Generation) {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	r := s.newReader(generation.Assignments[string(s.cfg.Topic)])
	o := &ownership{source: s, generation: generation, trackers: map[int]*tracker{}, lost: make(chan struct{})}
	var pumps sync.WaitGroup
	for _, f := range r.feeds {
		t := newTracker()
		o.trackers[f.id] = t
		pumps.Go(func() { s.pump(reading, r, f, t, o.lost) })
	}
	pumps.Go(func() { r.run(reading) })
	s.log.Info("partitions assigned", "generation", generation.ID, "partitions", len(r.feeds))

	tick := time.NewTicker(s.client.cfg.Group.CommitEvery)
	defer tick.Stop()
	var err error
	for ctx.Err() == nil && !fenced(err) {
		select {
		case <-ctx.Done():
		case <-tick.C:
			err = o.commit()
		}
	}
	stop()
	pumps.Wait() // nothing is read or handed out from here on
	if !fenced(err) {
		if err = o.commit(); err == nil { // else the group has gone on without this member
			o.drain(s.client.cfg.Group.Drain)
		}
	}
	for _, t := range o.trackers {
		t.seal()
	}
	close(o.lost)
	if !fenced(err) {
		err = o.commit()
	}
	if fenced(err) {
		s.client.metrics.fenced.WithLabelValues(s.cfg.Group, string(s.cfg.Topic)).Inc()
		s.log.Warn("removed from the consumer group: what was handed out will be read again by others", "generation", generation.ID, "error", err)
	}
}

// ownership is what a member has to settle for one generation.
type ownership struct {
	source     *Source
	generation *kafkago.Generation
	trackers   map[int]*tracker // by partition
	lost       chan struct{}
}

// commit commits the acknowledged prefixes under the generation: the coordinator refuses them once it has ended.
func (o *ownership) commit() error {
	offsets := map[int]int64{}
	for p, t := range o.trackers {
		if next, ok := t.dirty(); ok {
			offsets[p] = next
		}
	}
	if len(offsets) == 0 {
		return nil
	}
	topic := string(o.source.cfg.Topic)
	if err := o.generation.CommitOffsets(map[string]map[int]int64{topic: offsets}); err != nil {
		o.source.client.metrics.commits.WithLabelValues(o.source.cfg.Group, topic).Inc()
		return err // the next commit holds these too
	}
	for p, next := range offsets {
		o.trackers[p].setCommitted(next)
	}
	return nil
}

// drain waits until everything that was handed out is acknowledged, up to the limit.
func (o *ownership) drain(limit time.Duration) {
	timeout := time.After(limit)
	for _, t := range o.trackers {
		for t.unacked() > 0 {
			select {
			case <-t.moved:
			case <-timeout:
				return
			}
		}
	}
}

// fenced tells whether a commit was refused because this member is not, or no longer, of the generation.
func fenced(err error) bool {
	return errors.Is(err, kafkago.IllegalGeneration) || errors.Is(err, kafkago.UnknownMemberId) || errors.Is(err, kafkago.FencedInstanceID)
}
