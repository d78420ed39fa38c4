package kafka

// Creation of topics with the settings of their schema.

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"gleaner/schemas"
)

// EnsureTopics creates the topics that do not exist, and sets retention, cleanup policy and record size of those that do
// where they differ, with a warning for each. Any number of processes may do so at once. A topic that exists with another
// number of partitions is an error that names it: keys would move, so nobody but people can decide what to do. Topics
// outside the schema are remembered, so that their sinks and sources know their limits.
func (c *Client) EnsureTopics(ctx context.Context, specs []schemas.TopicSpec) error {
	names := make([]schemas.Topic, len(specs))
	c.mu.Lock()
	for i, s := range specs {
		names[i] = s.Name
		c.specs[s.Name] = s
	}
	c.mu.Unlock()

	found, err := c.describe(ctx, names)
	if err != nil {
		return err
	}
	var missing []schemas.TopicSpec
	for _, s := range specs {
		if _, ok := found[s.Name]; !ok {
			missing = append(missing, s)
		}
	}
	if len(missing) > 0 {
		if err := c.create(ctx, missing); err != nil {
			return err
		}
		if found, err = c.awaitTopics(ctx, names); err != nil {
			return err
		}
	}
	var errs []error
	for _, s := range specs {
		if n := found[s.Name]; n != s.Partitions {
			errs = append(errs, fmt.Errorf("kafka: topic %s has %d partitions, the schema says %d: keys would move to other partitions; "+
				"delete the topic if its records may go, or use a cluster of its own", s.Name, n, s.Partitions))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return c.alignConfigs(ctx, specs)
}

func (c *Client) create(ctx context.Context, specs []schemas.TopicSpec) error {
	req := &kafkago.CreateTopicsRequest{}
	for _, s := range specs {
		t := kafkago.TopicConfig{Topic: string(s.Name), NumPartitions: s.Partitions, ReplicationFactor: c.cfg.ReplicationFactor}
		for _, e := range topicConfig(s) {
			t.ConfigEntries = append(t.ConfigEntries, kafkago.ConfigEntry{ConfigName: e.name, ConfigValue: e.value})
		}
		req.Topics = append(req.Topics, t)
	}
	err := c.retry(ctx, func() error {
		res, err := c.api.CreateTopics(ctx, req)
		if err != nil {
			return err
		}
		var errs []error
		for name, err := range res.Errors {
			if err != nil && !errors.Is(err, kafkago.TopicAlreadyExists) {
				errs = append(errs, fmt.Errorf("topic %s: %w", name, err))
			}
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return fmt.Errorf("kafka: create topics: %w", err)
	}
	for _, s := range specs {
		c.log.Info("created topic", "topic", s.Name, "partitions", s.Partitions)
	}
	return nil
}

// awaitTopics waits until every broker asked knows the topics: creation is asynchronous.
func (c *Client) awaitTopics(ctx context.Context, names []schemas.Topic) (map[schemas.Topic]int, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	wait := backoff{min: 20 * time.Millisecond, max: time.Second}
	for {
		found, err := c.describe(ctx, names)
		if err != nil || len(found) == len(names) {
			return found, err
		}
		if !wait.sleep(ctx) {
			return nil, fmt.Errorf("kafka: created topics are not visible: have %d of %d: %w", len(found), len(names), ctx.Err())
		}
	}
}

// alignConfigs sets the settings that differ from the schema's.
func (c *Client) alignConfigs(ctx context.Context, specs []schemas.TopicSpec) error {
	req := &kafkago.DescribeConfigsRequest{}
	want := map[string][]setting{}
	for _, s := range specs {
		want[string(s.Name)] = topicConfig(s)
		req.Resources = append(req.Resources, kafkago.DescribeConfigRequestResource{
			ResourceType: kafkago.ResourceTypeTopic,
			ResourceName: string(s.Name),
			ConfigNames:  []string{"retention.ms", "cleanup.policy", "max.message.bytes"},
		})
	}
	var alter []kafkago.IncrementalAlterConfigsRequestResource
	err := c.retry(ctx, func() error {
		alter = nil
		res, err := c.api.DescribeConfigs(ctx, req)
		if err != nil {
			return err
		}
		for _, r := range res.Resources {
			if r.Error != nil {
				return fmt.Errorf("settings of topic %s: %w", r.ResourceName, r.Error)
			}
			have := map[string]string{}
			for _, e := range r.ConfigEntries {
				have[e.ConfigName] = e.ConfigValue
			}
			change := kafkago.IncrementalAlterConfigsRequestResource{ResourceType: kafkago.ResourceTypeTopic, ResourceName: r.ResourceName}
			var said []string
			for _, s := range want[r.ResourceName] {
				if have[s.name] != s.value {
					change.Configs = append(change.Configs, kafkago.IncrementalAlterConfigsRequestConfig{
						Name: s.name, Value: s.value, ConfigOperation: kafkago.ConfigOperationSet,
					})
					said = append(said, fmt.Sprintf("%s %s to %s", s.name, have[s.name], s.value))
				}
			}
			if len(said) > 0 {
				c.log.Warn("topic differs from its schema: altering it", "topic", r.ResourceName, "change", strings.Join(said, ", "))
				alter = append(alter, change)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("kafka: compare topics with their schema: %w", err)
	}
	if len(alter) == 0 {
		return nil
	}
	err = c.retry(ctx, func() error {
		res, err := c.api.IncrementalAlterConfigs(ctx, &kafkago.IncrementalAlterConfigsRequest{Resources: alter})
		if err != nil {
			return err
		}
		var errs []error
		for _, r := range res.Resources {
			if r.Error != nil {
				errs = append(errs, fmt.Errorf("topic %s: %w", r.ResourceName, r.Error))
			}
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return fmt.Errorf("kafka: alter topics to their schema: %w", err)
	}
	return nil
}

type setting struct{ name, value string }

// topicConfig returns the settings of the schema under Kafka's names.
func topicConfig(s schemas.TopicSpec) []setting {
	retention := "-1"
	if s.Retention != schemas.Forever {
		retention = strconv.FormatInt(s.Retention.Milliseconds(), 10)
	}
	return []setting{
		{"retention.ms", retention},
		{"cleanup.policy", string(s.Cleanup)},
		{"max.message.bytes", strconv.Itoa(s.MaxMessageBytes)},
	}
}
