package wire

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"gleaner/schemas"
	"gleaner/stages/ingest"
)

// ReplayFilter picks dead letters or rejects; empty fields do not restrict.
type ReplayFilter struct {
	Step   string // that could not handle the record
	Reason string
	Key    string // the record's key: a sample id, or a unique id on raw
	Since  time.Time
	Limit  int // at most this many; 0: all
	DryRun bool
}

// Replayed is one record that went back to a step, or would.
type Replayed struct {
	Step   string        `json:"step"`
	Reason string        `json:"reason"`
	Error  string        `json:"error,omitempty"`
	Topic  schemas.Topic `json:"topic"` // where it came from and goes back to
	Key    string        `json:"key"`
	Name   string        `json:"name,omitempty"` // of a reject: dataset and unique id
	At     time.Time     `json:"at"`
	Stays  string        `json:"stays,omitempty"` // why it does not go back after all
}

// ours are the headers that a dead letter adds to the record it keeps. Its attempt stays on, so that the next death counts on.
var ours = []string{
	schemas.HeaderOriginTopic, schemas.HeaderOriginPartition, schemas.HeaderOriginOffset,
	schemas.HeaderStep, schemas.HeaderReason, schemas.HeaderError, schemas.HeaderReplayOf,
}

// superseded returns the dead letters, as HeaderReplayOf names them, whose records were replayed and have died again.
func (c *Connections) superseded(ctx context.Context) (map[string]bool, error) {
	old := map[string]bool{}
	err := c.Kafka.Scan(ctx, schemas.Dead, func(r schemas.Record) error {
		if of, ok := r.Header(schemas.HeaderReplayOf); ok {
			old[of] = true
		}
		return nil
	})
	return old, err
}

func letter(r schemas.Record) string { return fmt.Sprintf("%d/%d", r.Partition, r.Offset) }

// Replay sends dead letters back to the topic they came from, for the step that failed on them alone: the same bytes, with
// the replay-step header. Of a record that was replayed and died again, the newest letter is sent alone. each is called
// for every record, in the order they died within a partition.
func (c *Connections) Replay(ctx context.Context, f ReplayFilter, each func(Replayed)) error {
	old, err := c.superseded(ctx)
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	return c.replay(ctx, schemas.Dead, f, each, func(r schemas.Record) (Replayed, schemas.Record, error) {
		if old[letter(r)] {
			return Replayed{}, r, errSkip
		}
		get := func(name string) string { v, _ := r.Header(name); return v }
		found := Replayed{
			Step: get(schemas.HeaderStep), Reason: get(schemas.HeaderReason), Error: get(schemas.HeaderError),
			Topic: schemas.Topic(get(schemas.HeaderOriginTopic)), Key: string(r.Key), At: r.Time,
		}
		if _, ok := found.Topic.Spec(); !ok {
			c.Log.Warn("this dead letter stays: its origin is no topic of ours", "partition", r.Partition, "offset", r.Offset, "topic", found.Topic)
			return found, r, errSkip
		}
		back := schemas.Record{Topic: found.Topic, Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			if !slices.Contains(ours, h.Key) && h.Key != schemas.HeaderReplayStep {
				back.Headers = append(back.Headers, h)
			}
		}
		back.Headers = append(
			back.Headers,
			schemas.Header{Key: schemas.HeaderReplayStep, Value: []byte(found.Step)},
			schemas.Header{Key: schemas.HeaderReplayOf, Value: []byte(letter(r))},
		)
		return found, back, nil
	})
}

// TakeBack sends rejected images through ingest again, which this time accepts what its thresholds refused. Those that
// it would reject again, and those without bytes, stay.
func (c *Connections) TakeBack(ctx context.Context, f ReplayFilter, each func(Replayed)) error {
	return c.replay(ctx, schemas.Rejects, f, each, func(r schemas.Record) (Replayed, schemas.Record, error) {
		j, err := schemas.DecodeRejected(r.Value)
		if err != nil {
			c.Log.Warn("this reject stays: it cannot be read", "partition", r.Partition, "offset", r.Offset, "error", err)
			return Replayed{}, r, errSkip
		}
		found := Replayed{Step: "ingest", Reason: j.Reason, Error: j.Detail, Topic: schemas.Raw, Key: j.Sample.ID.String(), At: r.Time}
		found.Name = strings.TrimSuffix(j.Sample.Dataset+"/"+j.Sample.UniqueID, "/")
		if f.Reason != "" && j.Reason != f.Reason || f.Key != "" && f.Key != found.Key || f.Since.After(r.Time) {
			return found, r, nil // spare the blob
		}
		if ingest.Final(j.Reason) {
			found.Stays = "ingest would reject it again"
			return found, r, nil
		}
		image, err := c.Blobs.Get(ctx, schemas.ImageKey(j.Sample.Image.SHA256))
		if errors.Is(err, fs.ErrNotExist) {
			found.Stays = "its bytes were never kept, or are erased"
			return found, r, nil
		}
		if err != nil {
			return found, r, fmt.Errorf("image of sample %s: %w", j.Sample.ID, err)
		}
		back := schemas.Record{Topic: schemas.Raw, Key: []byte(j.Sample.UniqueID), Value: image}
		add := func(k, v string) {
			if v != "" {
				back.Headers = append(back.Headers, schemas.Header{Key: k, Value: []byte(v)})
			}
		}
		add(schemas.HeaderDataset, j.Sample.Dataset)
		add(schemas.HeaderUniqueID, j.Sample.UniqueID)
		add(schemas.HeaderMediaType, j.Sample.Image.MediaType)
		add(schemas.HeaderTask, j.Sample.Task)
		for k, v := range j.Sample.Slices {
			add(schemas.HeaderSlice+k, v)
		}
		add(schemas.HeaderAccept, strconv.FormatBool(true))
		add(schemas.HeaderReplayStep, "ingest")
		return found, back, nil
	})
}

// errSkip leaves one record out.
var errSkip = errors.New("skip")

func (c *Connections) replay(ctx context.Context, from schemas.Topic, f ReplayFilter, each func(Replayed), back func(schemas.Record) (Replayed, schemas.Record, error)) error {
	sink := c.Kafka.Sink()
	defer sink.Close(context.WithoutCancel(ctx))
	enough := errors.New("enough")
	n := 0
	err := c.Kafka.Scan(ctx, from, func(r schemas.Record) error {
		found, again, err := back(r)
		if errors.Is(err, errSkip) {
			return nil
		}
		if err != nil {
			return err
		}
		if f.Step != "" && f.Step != found.Step || f.Reason != "" && f.Reason != found.Reason ||
			f.Key != "" && f.Key != found.Key || f.Since.After(found.At) {
			return nil
		}
		if found.Stays != "" {
			each(found)
			return nil
		}
		if !f.DryRun {
			if err := sink.Write(ctx, []schemas.Record{again}); err != nil {
				return err
			}
		}
		each(found)
		if n++; n == f.Limit {
			return enough
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		return fmt.Errorf("replay %s: %w", from, err)
	}
	return nil
}
