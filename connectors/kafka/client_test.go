package kafka

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"gleaner/schemas"
)

// commit sets the group's offset of partition 0, from outside of the group.
func commit(t *testing.T, c *Client, group string, topic schemas.Topic, offset int64) {
	t.Helper()
	res, err := c.api.OffsetCommit(t.Context(), &kafkago.OffsetCommitRequest{
		GroupID: group, GenerationID: -1,
		Topics: map[string][]kafkago.OffsetCommit{string(topic): {{Partition: 0, Offset: offset}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range res.Topics[string(topic)] {
		if p.Error != nil {
			t.Fatal(p.Error)
		}
	}
}

// deleteRecords moves the first offset of partition 0. kafka-go cannot.
func deleteRecords(t *testing.T, c *Client, topic schemas.Topic, before int64) {
	t.Helper()
	admin, err := kgo.NewClient(kgo.SeedBrokers(c.cfg.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = string(topic)
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Offset = before
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	res, err := req.RequestWith(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	if code := res.Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatalf("delete records: error %d", code)
	}
}

func counter(t *testing.T, v *prometheus.CounterVec, labels ...string) float64 {
	t.Helper()
	var m dto.Metric
	if err := v.WithLabelValues(labels...).Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

func TestEnsureTopicsAtOnce(t *testing.T) {
	t.Parallel()
	addr := broker(t)
	var group sync.WaitGroup
	for range 4 { // as so many processes
		c := client(t, quickConfig(addr))
		group.Go(func() {
			if err := c.EnsureTopics(t.Context(), schemas.TopicSpecs()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	c := client(t, quickConfig(addr))
	for _, s := range schemas.TopicSpecs() {
		b, err := c.Bounds(t.Context(), s.Name)
		if err != nil || len(b) != s.Partitions {
			t.Errorf("%s: %d partitions, want %d; error %v", s.Name, len(b), s.Partitions, err)
		}
		if have := configOf(t, c, s.Name); have["max.message.bytes"] == "" {
			t.Errorf("%s: settings %v", s.Name, have)
		} else {
			for _, want := range topicConfig(s) {
				if have[want.name] != want.value {
					t.Errorf("%s: %s is %s, want %s", s.Name, want.name, have[want.name], want.value)
				}
			}
		}
	}
}

func configOf(t *testing.T, c *Client, topic schemas.Topic) map[string]string {
	t.Helper()
	res, err := c.api.DescribeConfigs(t.Context(), &kafkago.DescribeConfigsRequest{Resources: []kafkago.DescribeConfigRequestResource{
		{ResourceType: kafkago.ResourceTypeTopic, ResourceName: string(topic)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range res.Resources[0].ConfigEntries {
		out[e.ConfigName] = e.ConfigValue
	}
	return out
}

func TestEnsureTopicsThatDiffer(t *testing.T) {
	t.Parallel()
	c := client(t, quickConfig(broker(t)))
	ensure(t, c, topic("a", 2), topic("b", 1))
	other := topic("a", 2)
	other.Retention, other.MaxMessageBytes, other.Cleanup = time.Hour, 2<<20, schemas.Compact
	ensure(t, c, other, topic("b", 1))
	have := configOf(t, c, "a")
	if have["retention.ms"] != "3600000" || have["max.message.bytes"] != "2097152" || have["cleanup.policy"] != "compact" {
		t.Errorf("settings after the schema changed: %v", have)
	}
	err := c.EnsureTopics(t.Context(), []schemas.TopicSpec{topic("a", 2), topic("b", 4)})
	if err == nil || !strings.Contains(err.Error(), "topic b has 1 partitions, the schema says 4") || strings.Contains(err.Error(), "topic a ") {
		t.Errorf("another number of partitions: %v", err)
	}
}

func TestNoSuchTopic(t *testing.T) {
	t.Parallel()
	c := client(t, quickConfig(broker(t)))
	if _, err := c.Bounds(t.Context(), "none"); !errors.Is(err, ErrNoTopic) {
		t.Errorf("bounds: %v", err)
	}
	if err := c.Scan(t.Context(), "none", nil); !errors.Is(err, ErrNoTopic) {
		t.Errorf("scan: %v", err)
	}
}

func TestScanReadsWhatIsThere(t *testing.T) {
	t.Parallel()
	c := client(t, quickConfig(broker(t)))
	ensure(t, c, topic("work", 3))
	if err := c.Scan(t.Context(), "work", func(schemas.Record) error { t.Error("a record"); return nil }); err != nil {
		t.Fatal(err)
	}
	write(t, c, "work", 0, 1000)
	seen := map[string]bool{}
	if err := c.Scan(t.Context(), "work", func(r schemas.Record) error {
		if len(seen) == 10 { // what comes during the scan is left out
			write(t, c, "work", 1000, 100)
		}
		seen[string(r.Value)] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1000 {
		t.Errorf("%d records, want 1000", len(seen))
	}
	enough := errors.New("enough")
	if err := c.Scan(t.Context(), "work", func(schemas.Record) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the caller's error came back as: %v", err)
	}
}

// A transaction's mark takes an offset and is no record: it must keep neither Scan nor a source from going on.
func TestReadsPastTransactionMarks(t *testing.T) {
	t.Parallel()
	c := client(t, quickConfig(broker(t)))
	ensure(t, c, topic("work", 1))
	producer, err := kgo.NewClient(kgo.SeedBrokers(c.cfg.Brokers...), kgo.TransactionalID("tx"), kgo.DefaultProduceTopic("work"))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for range 3 {
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := producer.ProduceSync(t.Context(), kgo.StringRecord("x"), kgo.StringRecord("y")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := producer.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var offsets []int64
	if err := c.Scan(ctx, "work", func(r schemas.Record) error { offsets = append(offsets, r.Offset); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(offsets) != 6 || offsets[2] != 3 || offsets[5] != 7 { // marks at 2, 5 and 8
		t.Errorf("offsets: %v", offsets)
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	c := client(t, quickConfig(broker(t)))
	ensure(t, c, topic("desk", 1))
	write(t, c, "desk", 0, 10)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	next := int64(4)
	enough := errors.New("enough")
	err := c.Follow(ctx, "desk", 0, next, func(r schemas.Record) error {
		if r.Offset != next {
			t.Errorf("offset %d, want %d", r.Offset, next)
		}
		next++
		switch next {
		case 10: // the end: what is appended now comes next
			return c.Append(ctx, schemas.Record{Topic: "desk", Value: []byte("appended")})
		case 11:
			if string(r.Value) != "appended" {
				t.Errorf("value %q", r.Value)
			}
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("follow: %v", err)
	}
	var gone *OffsetError
	if err := c.Follow(ctx, "desk", 0, 12, nil); !errors.As(err, &gone) || gone.Bounds.End != 11 {
		t.Errorf("follow from beyond the end: %v", err)
	}
	deleteRecords(t, c, "desk", 5)
	if err := c.Follow(ctx, "desk", 0, 4, nil); !errors.As(err, &gone) || gone.Bounds.First != 5 {
		t.Errorf("follow from before the first record: %v", err)
	}
	stopped, stop := context.WithTimeout(ctx, 100*time.Millisecond)
	defer stop()
	if err := c.Follow(stopped, "desk", 0, 11, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("follow until the context ended: %v", err)
	}
}

func TestLag(t *testing.T) {
	t.Parallel()
	c := client(t, quickConfig(broker(t)))
	ensure(t, c, topic("work", 2))
	old := time.Now().Add(-40 * time.Minute).Truncate(time.Millisecond)
	sink := c.Sink()
	for _, r := range []schemas.Record{
		{Topic: "work", Key: []byte("a"), Value: []byte("old"), Time: old},
		{Topic: "work", Key: []byte("b"), Value: []byte("new")},
		{Topic: "work", Key: []byte("c"), Value: []byte("new")},
	} {
		if err := sink.Write(t.Context(), []schemas.Record{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := sink.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	lag, err := c.Lag(t.Context(), "g", "work")
	if err != nil || lag.Records != 3 || lag.Gone != 0 || !lag.Oldest.Equal(old) {
		t.Fatalf("lag: %+v, error %v", lag, err)
	}
}

// A record of the largest size goes through, whatever it holds, and one byte more is refused.
func TestLargestRecord(t *testing.T) {
	t.Parallel()
	for _, codec := range []string{"none", "lz4", "zstd"} {
		t.Run(codec, func(t *testing.T) {
			cfg := quickConfig(broker(t))
			cfg.Produce.Compression = codec
			c := client(t, cfg)
			spec := topic("work", 1)
			spec.MaxMessageBytes = 32 << 20
			ensure(t, c, spec)
			r := schemas.Record{Topic: "work", Key: []byte("k")}
			r.Value = make([]byte, batchLimit(spec, cfg.Produce.BatchRecords)-logSize(r))
			noise(r.Value)
			sink := c.Sink()
			if err := sink.Write(t.Context(), []schemas.Record{r}); err != nil {
				t.Fatal(err)
			}
			over := r
			over.Value = append([]byte{0}, r.Value...)
			if err := sink.Write(t.Context(), []schemas.Record{over}); !errors.Is(err, schemas.ErrTooLarge) {
				t.Errorf("one byte more: %v", err)
			}
			if err := sink.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			s, err := c.Source(SourceConfig{Group: "g", Topic: "work"})
			if err != nil {
				t.Fatal(err)
			}
			d, err := s.Read(t.Context())
			if err != nil || string(d.Records[0].Value) != string(r.Value) {
				t.Errorf("read %d records, error %v", len(d.Records), err)
			}
			d.Ack(0)
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A record that only the broker finds too large, because the topic was altered there, fails alone.
func TestTooLargeByTheBrokersSetting(t *testing.T) {
	t.Parallel()
	c := client(t, quickConfig(broker(t)))
	ensure(t, c, topic("work", 1))
	smaller := client(t, quickConfig(c.cfg.Brokers[0]))
	spec := topic("work", 1)
	spec.MaxMessageBytes = 100 << 10
	ensure(t, smaller, spec)
	big := make([]byte, 200<<10)
	noise(big)
	sink := c.Sink()
	defer sink.Close(t.Context())
	err := sink.Write(t.Context(), []schemas.Record{{Topic: "work", Value: []byte("a")}, {Topic: "work", Value: big}, {Topic: "work", Value: []byte("b")}})
	var failed *schemas.WriteError
	if !errors.As(err, &failed) || len(failed.Failed) != 1 || !errors.Is(failed.Failed[1], schemas.ErrTooLarge) {
		t.Errorf("write: %v", err)
	}
}
