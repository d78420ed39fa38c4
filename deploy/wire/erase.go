package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"gleaner/schemas"
)

// Erased says what an erasure removed from one place, and what it could not.
type Erased struct {
	Where  string `json:"where"`
	What   string `json:"what"`
	Count  uint64 `json:"count"`
	Remain bool   `json:"remain"` // true: these are left, for the reason that What gives
}

// settle is how long records in flight may take to reach the database behind a tombstone.
const settle = 3 * time.Second

// Erase removes a sample: first its tombstone, which every step obeys, then its task, its blobs and its rows. Topics
// keep what they hold until retention ends, and that is reported. Erasing again finishes what was interrupted.
func (c *Connections) Erase(ctx context.Context, id schemas.SampleID, actor, reason string, report func(Erased)) error {
	sample, known, err := c.DB.Sample(ctx, id)
	if err != nil {
		return fmt.Errorf("erase %s: %w", id, err)
	}
	tomb := schemas.Tombstone{SampleID: id, Dataset: sample.Dataset, Image: sample.Image.SHA256, Actor: actor, Reason: reason, At: time.Now().UTC()}
	before, again, err := c.tombstone(ctx, id)
	if err != nil {
		return fmt.Errorf("erase %s: %w", id, err)
	}
	if again && !known {
		tomb.Dataset, tomb.Image = before.Dataset, before.Image
	}
	if !again && !known {
		if sample, known, err = c.rejectedSample(ctx, id); err != nil {
			return fmt.Errorf("erase %s: %w", id, err)
		}
		if !known {
			return fmt.Errorf("erase %s: neither the catalog nor the rejects know this sample", id)
		}
		tomb.Dataset, tomb.Image = sample.Dataset, sample.Image.SHA256
	}
	value, err := json.Marshal(tomb)
	if err != nil {
		return err
	}
	if err := c.Blobs.Put(ctx, schemas.TombstoneKey(id), value); err != nil {
		return fmt.Errorf("erase %s: tombstone: %w", id, err)
	}
	report(Erased{Where: "blob store", What: "tombstone written: every step drops this sample from now on", Count: 1, Remain: true})

	if err := c.eraseTask(ctx, id, actor, report); err != nil {
		return fmt.Errorf("erase %s: desk: %w", id, err)
	}
	if err := c.eraseImage(ctx, id, tomb, report); err != nil {
		return fmt.Errorf("erase %s: image: %w", id, err)
	}
	removed := map[string]uint64{}
	for i := range 2 { // the second time for what was in flight
		if i > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(settle):
			}
		}
		rows, err := c.DB.Erase(ctx, id)
		if err != nil {
			return fmt.Errorf("erase %s: %w", id, err)
		}
		for table, n := range rows {
			removed[table] += n
		}
	}
	for _, table := range slices.Sorted(maps.Keys(removed)) {
		report(Erased{Where: "ClickHouse", What: "rows of " + table, Count: removed[table]})
	}
	return c.remains(ctx, id, report)
}

func (c *Connections) tombstone(ctx context.Context, id schemas.SampleID) (t schemas.Tombstone, ok bool, err error) {
	data, err := c.Blobs.Get(ctx, schemas.TombstoneKey(id))
	if errors.Is(err, fs.ErrNotExist) {
		return t, false, nil
	}
	if err != nil {
		return t, false, err
	}
	return t, true, json.Unmarshal(data, &t)
}

// rejectedSample finds a sample that never got past ingest.
func (c *Connections) rejectedSample(ctx context.Context, id schemas.SampleID) (found schemas.Sample, ok bool, err error) {
	err = c.Kafka.Scan(ctx, schemas.Rejects, func(r schemas.Record) error {
		if string(r.Key) != id.String() {
			return nil
		}
		j, err := schemas.DecodeRejected(r.Value)
		found, ok = j.Sample, err == nil
		return err
	})
	return found, ok, err
}

// eraseTask takes the sample from the desk and deletes the bodies that its commands named: the labels that people drew.
func (c *Connections) eraseTask(ctx context.Context, id schemas.SampleID, actor string, report func(Erased)) error {
	bodies := map[string]bool{}
	err := c.Kafka.Scan(ctx, schemas.Desk, func(r schemas.Record) error {
		if mention(r, id) == "" {
			return nil
		}
		var command schemas.Command
		var body struct{ Body, Draft, Annotation *schemas.BlobRef }
		if json.Unmarshal(r.Value, &command) != nil || json.Unmarshal(command.Body, &body) != nil {
			return nil // a counted no-op of the fold: it names no bodies
		}
		for _, ref := range []*schemas.BlobRef{body.Body, body.Draft, body.Annotation} {
			if ref != nil {
				bodies[ref.Key] = true
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	body, err := json.Marshal(schemas.EraseBody{SampleID: id})
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	command, err := schemas.Command{
		ID: fmt.Sprintf("erase-%s-%d", id, now.UnixNano()), Actor: actor, At: now, NotAfter: now.Add(time.Minute),
		Kind: schemas.CommandErase, Body: body,
	}.Record()
	if err != nil {
		return err
	}
	if err := c.Kafka.Append(ctx, command); err != nil {
		return err
	}
	report(Erased{Where: "desk", What: "task removed, by a command on its log", Count: 1})
	n := uint64(0)
	for key := range bodies {
		if err := c.Blobs.Delete(ctx, key); err != nil {
			return err
		}
		n++
	}
	report(Erased{Where: "blob store", What: "bodies of the task: what labelers saw, drafts and submissions", Count: n})
	return nil
}

// eraseImage deletes the bytes, unless they are another sample's too, and what remembers whose they are.
func (c *Connections) eraseImage(ctx context.Context, id schemas.SampleID, tomb schemas.Tombstone, report func(Erased)) error {
	owner, err := c.Blobs.Get(ctx, schemas.OwnerKey(tomb.Dataset, tomb.Image))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	keys := []string{schemas.ContentKey(id)}
	if string(owner) == id.String() {
		keys = append(keys, schemas.OwnerKey(tomb.Dataset, tomb.Image))
	}
	users, err := c.DB.ImageUsers(ctx, tomb.Image)
	if err != nil {
		return err
	}
	users = slices.DeleteFunc(users, func(u schemas.SampleID) bool { return u == id })
	if len(users) > 0 {
		report(Erased{Where: "blob store", What: fmt.Sprintf("the image's bytes are those of other samples too, such as %s: erase them as well", users[0]), Count: uint64(len(users)), Remain: true})
	} else {
		keys = append(keys, schemas.ImageKey(tomb.Image))
	}
	n := uint64(0)
	for _, key := range keys {
		_, err := c.Blobs.Get(ctx, key)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = c.Blobs.Delete(ctx, key)
		}
		if err != nil {
			return err
		}
		n++
	}
	report(Erased{Where: "blob store", What: "the image and what names its owner", Count: n})
	return nil
}

// remains counts what the topics still hold.
func (c *Connections) remains(ctx context.Context, id schemas.SampleID, report func(Erased)) error {
	for _, spec := range schemas.TopicSpecs() {
		n := uint64(0)
		err := c.Kafka.Scan(ctx, spec.Name, func(r schemas.Record) error {
			if mention(r, id) != "" {
				n++
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("erase %s: %w", id, err)
		}
		if n == 0 {
			continue
		}
		why := "records without end: Kafka cannot remove them; they name the sample and hold no pixels"
		switch {
		case spec.Retention != schemas.Forever:
			why = fmt.Sprintf("records until their retention of %d days ends; Kafka cannot remove them before", int(spec.Retention.Hours()/24))
		case spec.Name == schemas.Labels:
			why = "labels without end: Kafka cannot remove them; readers must ask for the tombstone"
		}
		report(Erased{Where: string(spec.Name), What: why, Count: n, Remain: true})
	}
	return nil
}
