package engine

// Retention of the embedded Kafka. The engine's own cleaner is kept off for two reasons, both found in its source: it may
// remove the last record of a partition, whose offsets then begin at zero again after a restart, below what groups have
// committed; and its compaction deletes a partition's files before it writes them anew, so that a kill -9 in between loses
// the topic. This cleaner keeps the last record always, and compacts nothing: compacted topics are small here.

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// retain removes expired records from time to time until the context ends.
func (k *Kafka) retain(ctx context.Context) error {
	admin, err := kgo.NewClient(kgo.SeedBrokers(k.addr), kgo.ClientID("gleaner-retention"))
	if err != nil {
		return err
	}
	defer admin.Close()
	tick := time.NewTicker(k.cfg.RetentionEvery)
	defer tick.Stop()
	for {
		if err := k.expire(ctx, admin, time.Now()); err != nil && ctx.Err() == nil {
			k.log.Warn("embedded kafka: removing expired records failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// expire removes the records of each topic that were older than its retention at the given time, but for the last record
// of each partition.
func (k *Kafka) expire(ctx context.Context, admin *kgo.Client, now time.Time) error {
	meta, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, admin)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	retentions, err := retentions(ctx, admin, meta.Topics)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range meta.Topics {
		retention, ok := retentions[*t.Topic]
		if !ok {
			continue
		}
		before, err := offsets(ctx, admin, t, now.Add(-retention).UnixMilli())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		ends, err := offsets(ctx, admin, t, latest)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		firsts, err := offsets(ctx, admin, t, earliest)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, deleteBefore(ctx, admin, *t.Topic, func(p int32) (int64, bool) {
			to := ends[p] - 1 // of the last record
			if at := before[p]; at >= 0 {
				to = min(to, at)
			}
			return to, to > firsts[p]
		}, t.Partitions))
	}
	return errors.Join(errs...)
}

// retentions returns how long those of the topics that expire keep their records.
func retentions(ctx context.Context, admin *kgo.Client, topics []kmsg.MetadataResponseTopic) (map[string]time.Duration, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	for _, t := range topics {
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType = kmsg.ConfigResourceTypeTopic
		r.ResourceName = *t.Topic
		req.Resources = append(req.Resources, r)
	}
	res, err := req.RequestWith(ctx, admin)
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	out := map[string]time.Duration{}
	for _, r := range res.Resources {
		policy, ms := "", int64(-1)
		for _, e := range r.Configs {
			if e.Value == nil {
				continue
			}
			switch e.Name {
			case "cleanup.policy":
				policy = *e.Value
			case "retention.ms":
				if ms, err = strconv.ParseInt(*e.Value, 10, 64); err != nil {
					return nil, fmt.Errorf("retention.ms of %s: %w", r.ResourceName, err)
				}
			}
		}
		if policy == "delete" && ms >= 0 {
			out[r.ResourceName] = time.Duration(ms) * time.Millisecond
		}
	}
	return out, nil
}

// Kafka's names for the bounds of a partition in place of a time.
const (
	latest   = -1
	earliest = -2
)

// offsets returns the first offset of each partition whose record is not older than the time (in milliseconds, or latest
// or earliest), or -1 where there is none.
func offsets(ctx context.Context, admin *kgo.Client, t kmsg.MetadataResponseTopic, at int64) (map[int32]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = *t.Topic
	for _, p := range t.Partitions {
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition = p.Partition
		rp.Timestamp = at
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	res, err := req.RequestWith(ctx, admin)
	if err != nil {
		return nil, fmt.Errorf("offsets of %s: %w", rt.Topic, err)
	}
	out := map[int32]int64{}
	for _, rt := range res.Topics {
		for _, p := range rt.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("offsets of %s/%d: %w", rt.Topic, p.Partition, err)
			}
			out[p.Partition] = p.Offset
		}
	}
	return out, nil
}

// deleteBefore removes the records of the partitions below the offset that target gives.
func deleteBefore(ctx context.Context, admin *kgo.Client, topic string, target func(int32) (int64, bool), partitions []kmsg.MetadataResponseTopicPartition) error {
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = topic
	for _, p := range partitions {
		if to, ok := target(p.Partition); ok {
			rp := kmsg.NewDeleteRecordsRequestTopicPartition()
			rp.Partition = p.Partition
			rp.Offset = to
			rt.Partitions = append(rt.Partitions, rp)
		}
	}
	if len(rt.Partitions) == 0 {
		return nil
	}
	req.Topics = append(req.Topics, rt)
	res, err := req.RequestWith(ctx, admin)
	if err != nil {
		return fmt.Errorf("delete records of %s: %w", topic, err)
	}
	var errs []error
	for _, rt := range res.Topics {
		for _, p := range rt.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				errs = append(errs, fmt.Errorf("delete records of %s/%d: %w", topic, p.Partition, err))
			}
		}
	}
	return errors.Join(errs...)
}
