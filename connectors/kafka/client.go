package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"sync"
	"syscall"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"gleaner/schemas"
)

// Client is a connection to one Kafka cluster. It may be used concurrently. New connects to nothing; every call that asks
// the brokers retries transient errors until its context ends.
type Client struct {
	cfg       Config
	log       *slog.Logger
	dialer    *kafkago.Dialer
	transport *kafkago.Transport
	api       *kafkago.Client
	codec     kafkago.Compression
	metrics   *metrics

	mu        sync.Mutex
	specs     map[schemas.Topic]schemas.TopicSpec // what EnsureTopics was given beyond the schema
	counts    map[schemas.Topic]int               // partitions of the topics seen so far: fixed for the life of a topic
	append    *Sink                               // of Append; made on first use
	appends   []appending                         // waiting for the write after the one under way
	appending bool                                // drainAppends runs
}

// New returns a Client of the cluster that cfg names. The caller closes it.
func New(cfg Config, log *slog.Logger) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("kafka: configuration: %w", err)
	}
	codec, err := cfg.Produce.codec()
	if err != nil {
		return nil, fmt.Errorf("kafka: configuration: %w", err)
	}
	tlsConfig, err := cfg.TLS.load()
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	mechanism, err := cfg.SASL.load()
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	transport := &kafkago.Transport{
		DialTimeout: cfg.DialTimeout,
		ClientID:    cfg.ClientID,
		TLS:         tlsConfig,
		SASL:        mechanism,
		MetadataTTL: 2 * time.Second, // how soon a topic that another process made is seen
	}
	addr := kafkago.TCP(cfg.Brokers...)
	return &Client{
		cfg:       cfg,
		log:       log,
		dialer:    &kafkago.Dialer{Timeout: cfg.DialTimeout, ClientID: cfg.ClientID, TLS: tlsConfig, SASLMechanism: mechanism, DualStack: true},
		transport: transport,
		api:       &kafkago.Client{Addr: addr, Transport: transport, Timeout: 30 * time.Second},
		codec:     codec,
		metrics:   newMetrics(),
		specs:     map[schemas.Topic]schemas.TopicSpec{},
		counts:    map[schemas.Topic]int{},
	}, nil
}

// Close ends what Append holds and drops idle connections. Sources and Sinks are closed by who made them, before.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	appender := c.append
	c.append = nil
	c.mu.Unlock()
	var err error
	if appender != nil {
		err = appender.Close(ctx)
	}
	c.transport.CloseIdleConnections()
	return err
}

// spec returns the settings of a topic: the schema's, else what EnsureTopics was given, else Kafka's own defaults.
func (c *Client) spec(topic schemas.Topic) schemas.TopicSpec {
	if s, ok := topic.Spec(); ok {
		return s
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.specs[topic]; ok {
		return s
	}
	return schemas.TopicSpec{Name: topic, Retention: schemas.Forever, Cleanup: schemas.Delete, MaxMessageBytes: 1 << 20}
}

// Bounds are the first offset of a partition and the one that its next record will get.
type Bounds = schemas.Bounds

// Bounds returns the bounds of every partition of the topic.
func (c *Client) Bounds(ctx context.Context, topic schemas.Topic) (map[int]Bounds, error) {
	partitions, err := c.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	requests := make([]kafkago.OffsetRequest, 0, 2*len(partitions))
	for _, p := range partitions {
		requests = append(requests, kafkago.FirstOffsetOf(p), kafkago.LastOffsetOf(p))
	}
	out := make(map[int]Bounds, len(partitions))
	err = c.retry(ctx, func() error {
		clear(out)
		res, err := c.api.ListOffsets(ctx, &kafkago.ListOffsetsRequest{Topics: map[string][]kafkago.OffsetRequest{string(topic): requests}})
		if err != nil {
			return err
		}
		for _, p := range res.Topics[string(topic)] {
			if p.Error != nil {
				return fmt.Errorf("partition %d: %w", p.Partition, p.Error)
			}
			out[p.Partition] = Bounds{First: p.FirstOffset, End: p.LastOffset}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("kafka: bounds of %s: %w", topic, err)
	}
	return out, nil
}

// bounds returns the bounds of one partition.
func (c *Client) bounds(ctx context.Context, topic schemas.Topic, partition int) (Bounds, error) {
	var out Bounds
	err := c.retry(ctx, func() error {
		res, err := c.api.ListOffsets(ctx, &kafkago.ListOffsetsRequest{Topics: map[string][]kafkago.OffsetRequest{
			string(topic): {kafkago.FirstOffsetOf(partition), kafkago.LastOffsetOf(partition)},
		}})
		if err != nil {
			return err
		}
		for _, p := range res.Topics[string(topic)] {
			if p.Partition == partition {
				out = Bounds{First: p.FirstOffset, End: p.LastOffset}
				return p.Error
			}
		}
		return kafkago.UnknownTopicOrPartition
	})
	if err != nil {
		return Bounds{}, fmt.Errorf("kafka: bounds of %s/%d: %w", topic, partition, err)
	}
	return out, nil
}

// Committed returns the offset that the group has committed for every partition of the topic, or -1 where there is none.
// An offset is the one of the next record to read.
func (c *Client) Committed(ctx context.Context, group string, topic schemas.Topic) (map[int]int64, error) {
	partitions, err := c.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make(map[int]int64, len(partitions))
	err = c.retry(ctx, func() error {
		clear(out)
		res, err := c.api.OffsetFetch(ctx, &kafkago.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{string(topic): partitions}})
		if err != nil {
			return err
		}
		for _, p := range partitions {
			out[p] = -1
		}
		if errors.Is(res.Error, kafkago.GroupIdNotFound) { // nobody has joined it yet
			return nil
		}
		if res.Error != nil {
			return res.Error
		}
		for _, p := range res.Topics[string(topic)] {
			if p.Error != nil {
				return fmt.Errorf("partition %d: %w", p.Partition, p.Error)
			}
			out[p.Partition] = p.CommittedOffset
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("kafka: committed offsets of group %s on %s: %w", group, topic, err)
	}
	return out, nil
}

// partitions returns the partitions of a topic, ascending. It asks the brokers once.
func (c *Client) partitions(ctx context.Context, topic schemas.Topic) ([]int, error) {
	c.mu.Lock()
	n, ok := c.counts[topic]
	c.mu.Unlock()
	if !ok {
		found, err := c.describe(ctx, []schemas.Topic{topic})
		if err != nil {
			return nil, err
		}
		if n, ok = found[topic]; !ok {
			return nil, fmt.Errorf("kafka: topic %s: %w", topic, ErrNoTopic)
		}
		c.mu.Lock()
		c.counts[topic] = n
		c.mu.Unlock()
	}
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out, nil
}

// describe returns the partition count of those of the topics that exist.
func (c *Client) describe(ctx context.Context, topics []schemas.Topic) (map[schemas.Topic]int, error) {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = string(t)
	}
	out := map[schemas.Topic]int{}
	err := c.retry(ctx, func() error {
		clear(out)
		// The transport answers metadata from its cache, which may be older than the topic: ask a broker instead.
		conn, err := c.dial(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // a silent broker must not outlast the context
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		for _, name := range names {
			found, err := conn.ReadPartitions(name)
			if errors.Is(err, kafkago.UnknownTopicOrPartition) {
				continue
			}
			if err != nil {
				return err
			}
			out[schemas.Topic(name)] = len(found)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("kafka: describe topics: %w", err)
	}
	return maps.Clone(out), nil
}

// ClusterID returns the name that the cluster gives itself, which tells it from others; it is empty where the brokers do not
// say.
func (c *Client) ClusterID(ctx context.Context) (string, error) {
	id := ""
	err := c.retry(ctx, func() error {
		res, err := c.api.Metadata(ctx, &kafkago.MetadataRequest{})
		if err == nil {
			id = res.ClusterID
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("kafka: ask for the cluster's id: %w", err)
	}
	return id, nil
}

// dial connects to the first broker that answers.
func (c *Client) dial(ctx context.Context) (*kafkago.Conn, error) {
	var errs []error
	for _, b := range c.cfg.Brokers {
		conn, err := c.dialer.DialContext(ctx, "tcp", b)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", b, err))
	}
	return nil, errors.Join(errs...)
}

// ErrNoTopic is in the chain of the error when a topic does not exist, or is hidden from this user.
var ErrNoTopic = errors.New("no such topic, or no permission to see it: create it with its settings (gleaner up and gleaner run create them at start) or grant DESCRIBE")

// retry calls fn until it succeeds, fails for good, or the context ends: then the last error is in the chain.
func (c *Client) retry(ctx context.Context, fn func() error) error {
	wait := backoff{min: 50 * time.Millisecond, max: time.Second}
	var said time.Time
	for {
		err := fn()
		if err == nil || !transient(err) {
			return err
		}
		// A connection that a broker's restart left behind fails once; only what lasts is worth a line.
		if wait.now == wait.max && time.Since(said) > 10*time.Second && ctx.Err() == nil {
			said = time.Now()
			c.log.Warn("kafka does not answer: trying again", "brokers", c.cfg.Brokers, "error", err)
		}
		if !wait.sleep(ctx) {
			return fmt.Errorf("%w; last error: %w", context.Cause(ctx), err)
		}
	}
}

// transient tells whether trying again may help: the broker says so, or the network failed.
func transient(err error) bool {
	var broker kafkago.Error
	if errors.As(err, &broker) { // is a net.Error too, whatever it says
		// Unknown is what kafka-go makes of a connection that broke while it listed offsets, and what brokers say when
		// their disk is full. BrokerNotAvailable is what it says while its view of the cluster is older than a restart.
		return broker.Temporary() || broker == kafkago.Unknown || broker == kafkago.BrokerNotAvailable
	}
	var network net.Error
	return errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// backoff doubles its wait from min to max.
type backoff struct{ min, max, now time.Duration }

// next returns the next interval.
func (b *backoff) next() time.Duration {
	b.now = min(max(b.min, 2*b.now), b.max)
	return b.now
}

// sleep waits for the next interval; it returns false when the context ended before.
func (b *backoff) sleep(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(b.next()):
		return true
	}
}

func (b *backoff) reset() { b.now = 0 }
