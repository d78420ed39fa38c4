package wire

import (
	"bytes"
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

// settle is how long a step that had not seen the tombstone may go on with the sample.
const settle = 3 * time.Second

// Erase removes a sample: first its tombstone, which every step and the page obey, then its task, its blobs and its rows. Topics
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
			return fmt.Errorf("erase %s: neither the catalog nor the rejects know this sample: of one that has just come the catalog knows within seconds", id)
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
	report(Erased{Where: "blob store", What: "tombstone written: every step and the page refuse this sample from now on", Count: 1, Remain: true})
	report(Erased{Where: "memory of prelabel", What: "boxes that corrections were learned from: gone within an hour, or when it starts again", Remain: true})

	tasks, err := c.desk(ctx, id)
	if err != nil {
		return fmt.Errorf("erase %s: desk: %w", id, err)
	}
	if err := c.eraseTask(ctx, id, actor); err != nil {
		return fmt.Errorf("erase %s: desk: %w", id, err)
	}
	report(Erased{Where: "desk", What: "task removed, by a command on its log", Count: tasks.standing})
	done := swept{rows: map[string]uint64{}, shared: map[schemas.Hash]schemas.SampleID{}}
	err = c.sweep(ctx, id, tomb, &done)
	report(Erased{Where: "blob store", What: "bodies of the task: what labelers saw, drafts and submissions", Count: done.bodies})
	report(Erased{Where: "blob store", What: "the image and what names its owner", Count: done.files})
	for _, other := range done.shared {
		report(Erased{Where: "blob store", What: fmt.Sprintf("an image whose bytes are other samples' too, such as %s's: erase them as well", other), Count: 1, Remain: true})
	}
	for _, table := range slices.Sorted(maps.Keys(done.rows)) {
		report(Erased{Where: "ClickHouse", What: "rows of " + table, Count: done.rows[table]})
	}
	if err != nil {
		return fmt.Errorf("erase %s: %w", id, err)
	}
	return c.remains(ctx, id, report)
}

// swept is what was removed of a sample.
type swept struct {
	bodies, files uint64
	rows          map[string]uint64 // by table
	shared        map[schemas.Hash]schemas.SampleID
}

// sweep removes the sample's blobs and rows, twice: the second time for what was in flight. done has what is removed, also when not all is.
func (c *Connections) sweep(ctx context.Context, id schemas.SampleID, tomb schemas.Tombstone, done *swept) error {
	for i := range 2 {
		if i > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(settle):
			}
		}
		tasks, err := c.desk(ctx, id)
		if err != nil {
			return fmt.Errorf("desk: %w", err)
		}
		n, err := c.remove(ctx, slices.Collect(maps.Keys(tasks.bodies)))
		if done.bodies += n; err != nil {
			return fmt.Errorf("desk: %w", err)
		}
		n, err = c.eraseImages(ctx, id, tomb, done.shared)
		if done.files += n; err != nil {
			return fmt.Errorf("image: %w", err)
		}
		rows, err := c.DB.Erase(ctx, id)
		for table, n := range rows {
			done.rows[table] += n
		}
		if err != nil {
			return err
		}
	}
	return nil
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
	err = c.rejects(ctx, id, func(j schemas.Rejected) { found, ok = j.Sample, true })
	return found, ok, err
}

// rejects calls fn with what the rejected topic still holds of a sample.
func (c *Connections) rejects(ctx context.Context, id schemas.SampleID, fn func(schemas.Rejected)) error {
	return c.Kafka.Scan(ctx, schemas.Rejects, func(r schemas.Record) error {
		if string(r.Key) != id.String() {
			return nil
		}
		j, err := schemas.DecodeRejected(r.Value)
		if err == nil {
			fn(j)
		}
		return err
	})
}

// onDesk is what the desk's log has about a sample.
type onDesk struct {
	standing uint64          // 1 if it has a task, else 0
	bodies   map[string]bool // keys of the blobs that commands name: what labelers saw, drafts, submissions
}

func (c *Connections) desk(ctx context.Context, id schemas.SampleID) (onDesk, error) {
	found := onDesk{bodies: map[string]bool{}}
	gone := false
	err := c.Kafka.Scan(ctx, schemas.Desk, func(r schemas.Record) error {
		if mention(r, id) == "" {
			return nil
		}
		var command schemas.Command
		var body struct{ Body, Draft, Annotation *schemas.BlobRef }
		if json.Unmarshal(r.Value, &command) != nil || json.Unmarshal(command.Body, &body) != nil {
			return nil // a counted no-op of the fold: it names no bodies
		}
		switch command.Kind {
		case schemas.CommandCreate:
			if !gone {
				found.standing = 1
			}
		case schemas.CommandErase: // which refuses every later one
			found.standing, gone = 0, true
		}
		for _, ref := range []*schemas.BlobRef{body.Body, body.Draft, body.Annotation} {
			if ref != nil {
				found.bodies[ref.Key] = true
			}
		}
		return nil
	})
	return found, err
}

// eraseTask takes the sample from the desk for good.
func (c *Connections) eraseTask(ctx context.Context, id schemas.SampleID, actor string) error {
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
	return c.Kafka.Append(ctx, command)
}

// eraseImages deletes the bytes of all images that came under the sample's id, those of conflicts too, and what remembers
// whose they are. Bytes that are another sample's too stay: shared gets them, with one of the others.
func (c *Connections) eraseImages(ctx context.Context, id schemas.SampleID, tomb schemas.Tombstone, shared map[schemas.Hash]schemas.SampleID) (uint64, error) {
	images, err := c.DB.Images(ctx, id)
	if err != nil {
		return 0, err
	}
	found := map[schemas.Hash]bool{tomb.Image: true}
	for _, image := range images {
		found[image] = true
	}
	err = c.rejects(ctx, id, func(j schemas.Rejected) { found[j.Sample.Image.SHA256] = true })
	if err != nil {
		return 0, err
	}
	keys := []string{schemas.ContentKey(id), schemas.GroupKey(id), schemas.DrawKey(id), schemas.AuditKey(id), schemas.AnsweredKey(id)}
	for image := range found {
		owner, err := c.Blobs.Get(ctx, schemas.OwnerKey(tomb.Dataset, image))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		if schemas.Claim(owner).Sample() == id.String() {
			keys = append(keys, schemas.OwnerKey(tomb.Dataset, image))
		}
		users, err := c.DB.ImageUsers(ctx, image)
		if err != nil {
			return 0, err
		}
		if i := slices.IndexFunc(users, func(u schemas.SampleID) bool { return u != id }); i >= 0 {
			shared[image] = users[i]
			continue
		}
		keys = append(keys, schemas.ImageKey(image))
	}
	return c.remove(ctx, keys)
}

// remove deletes blobs and returns how many there were.
func (c *Connections) remove(ctx context.Context, keys []string) (n uint64, err error) {
	for _, key := range keys {
		_, err := c.Blobs.Get(ctx, key)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = c.Blobs.Delete(ctx, key)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// withPixels are the topics whose records may hold the image itself: superpixel, and ingest of a reject, leave it out.
var withPixels = []schemas.Topic{schemas.Raw, schemas.Samples, schemas.Prelabeled, schemas.Dead}

// remains counts what the topics and the dataset versions still hold.
func (c *Connections) remains(ctx context.Context, id schemas.SampleID, report func(Erased)) error {
	versions, err := c.Versions(ctx, "")
	if err != nil {
		return fmt.Errorf("erase %s: %w", id, err)
	}
	for _, v := range versions {
		members, err := c.Blobs.Get(ctx, v.Members.Key)
		if err != nil {
			return fmt.Errorf("erase %s: members of %s: %w", id, v.ID, err)
		}
		if bytes.Contains(members, []byte(id.String())) {
			report(Erased{Where: "dataset version", What: v.ID + " is immutable and names the sample, its unique id and its image's digest", Count: 1, Remain: true})
		}
	}
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
			holds := ""
			if slices.Contains(withPixels, spec.Name) {
				holds = ", pixels among them,"
			}
			why = fmt.Sprintf("records%s until their retention of %d days ends; Kafka cannot remove them before", holds, int(spec.Retention.Hours()/24))
		case spec.Name == schemas.Labels:
			why = "labels without end: Kafka cannot remove them; readers must ask for the tombstone"
		}
		report(Erased{Where: string(spec.Name), What: why, Count: n, Remain: true})
	}
	return nil
}
