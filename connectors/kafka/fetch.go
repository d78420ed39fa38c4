package kafka

// Fetching from any number of a topic's partitions with one request. kafka-go's Client.Fetch asks for one, which costs a
// consumer of eight partitions eight requests where one is enough.

import (
	"context"
	"fmt"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/fetch"

	"gleaner/schemas"
)

// position is where reading a partition goes on.
type position struct {
	partition int
	offset    int64
}

// fetched is what a fetch gave of one partition: records, which may be none, or why there are none.
type fetched struct {
	partition int
	records   kafkago.RecordReader
	err       error
}

// fetch returns what the leader of the partitions, which must be one broker, has from the positions on, up to FetchBytes in
// all or one batch that is larger. Where it has nothing it waits for a first record, but no longer than given. The
// partitions named first are served first: what is returned begins with the first one and keeps the order, but a full answer
// may leave out others.
func (c *Client) fetch(ctx context.Context, topic schemas.Topic, from []position, wait time.Duration) ([]fetched, error) {
	partitions := make([]fetch.RequestPartition, len(from))
	for i, p := range from {
		partitions[i] = fetch.RequestPartition{
			Partition: int32(p.partition), CurrentLeaderEpoch: -1, FetchOffset: p.offset, LogStartOffset: -1,
			PartitionMaxBytes: int32(c.cfg.Consume.FetchBytes),
		}
	}
	ctx, cancel := context.WithTimeout(ctx, wait+c.api.Timeout)
	defer cancel()
	answer, err := c.api.Transport.RoundTrip(ctx, c.api.Addr, &fetch.Request{
		ReplicaID: -1, MaxWaitTime: int32(wait.Milliseconds()), MinBytes: 1, MaxBytes: int32(c.cfg.Consume.FetchBytes),
		SessionID: -1, SessionEpoch: -1,
		Topics: []fetch.RequestTopic{{Topic: string(topic), Partitions: partitions}},
	})
	if err != nil {
		return nil, err
	}
	res, ok := answer.(*fetch.Response)
	if !ok {
		return nil, fmt.Errorf("a fetch was answered with %T", answer)
	}
	if res.ErrorCode != 0 {
		return nil, kafkago.Error(res.ErrorCode)
	}
	answered := map[int]fetched{}
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			f := fetched{partition: int(p.Partition), records: p.RecordSet.Records}
			if f.records == nil {
				f.records = kafkago.NewRecordReader()
			}
			if p.ErrorCode != 0 {
				f.err = kafkago.Error(p.ErrorCode)
			}
			answered[f.partition] = f
		}
	}
	out := make([]fetched, 0, len(from))
	for i, p := range from {
		f, ok := answered[p.partition]
		switch {
		case ok:
			out = append(out, f)
		case i == 0:
			out = append(out, fetched{partition: p.partition, err: fmt.Errorf("the answer lacks partition %d", p.partition)})
		}
	}
	return out, nil
}

// leaders are the brokers that lead a topic's partitions, by partition, as far as they are known.
type leaders map[int]int

const noLeader = -1

func (l leaders) of(partition int) int {
	if broker, ok := l[partition]; ok {
		return broker
	}
	return noLeader
}

// leaders asks once, and is answered from what the transport knows, which is seconds old at most.
func (c *Client) leaders(ctx context.Context, topic schemas.Topic) (leaders, error) {
	res, err := c.api.Metadata(ctx, &kafkago.MetadataRequest{Topics: []string{string(topic)}})
	if err != nil {
		return nil, fmt.Errorf("kafka: leaders of %s: %w", topic, err)
	}
	out := leaders{}
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			// A partition without a leader has the zero Broker here, whose ID is that of a real one.
			if p.Leader.Host != "" && p.Error == nil {
				out[p.ID] = p.Leader.ID
			}
		}
	}
	return out, nil
}
