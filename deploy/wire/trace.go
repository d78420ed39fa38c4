package wire

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"gleaner/schemas"
)

// Hop is one record that a sample left on a topic.
type Hop struct {
	Time      time.Time     `json:"time"`
	Topic     schemas.Topic `json:"topic"`
	Partition int           `json:"partition"`
	Offset    int64         `json:"offset"`
	What      string        `json:"what"` // one line for people
}

// Trace finds every record of a sample that the topics still hold, in the order of time. It reads all topics from their
// beginning, so it takes as long as that takes; topic is told which one is being read and may be nil.
func (c *Connections) Trace(ctx context.Context, id schemas.SampleID, topic func(schemas.Topic)) ([]Hop, error) {
	var hops []Hop
	var tomb schemas.Tombstone
	data, err := c.Blobs.Get(ctx, schemas.TombstoneKey(id))
	if err == nil {
		err = json.Unmarshal(data, &tomb)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("trace: tombstone: %w", err)
	}
	for _, spec := range schemas.TopicSpecs() {
		if topic != nil {
			topic(spec.Name)
		}
		err := c.Kafka.Scan(ctx, spec.Name, func(r schemas.Record) error {
			what := mention(r, id)
			if what != "" && r.Topic == schemas.Raw && !tomb.At.IsZero() && r.Time.After(tomb.At) {
				what += "; refused: the sample was erased before"
			}
			if what != "" {
				hops = append(hops, Hop{r.Time.UTC(), r.Topic, r.Partition, r.Offset, what})
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("trace: %s: %w", spec.Name, err)
		}
	}
	slices.SortStableFunc(hops, func(a, b Hop) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Offset, b.Offset)) })
	return hops, nil
}

// mention says what a record has to do with the sample, or "" if nothing.
func mention(r schemas.Record, id schemas.SampleID) string {
	name := id.String()
	switch r.Topic {
	case schemas.Raw:
		if rawID(r) == id {
			return fmt.Sprintf("received, %d bytes", len(r.Value))
		}
	case schemas.Samples, schemas.Prelabeled, schemas.Segmented, schemas.Linted, schemas.Submitted:
		if string(r.Key) != name {
			return ""
		}
		s, err := schemas.DecodeSample(r.Value)
		if err != nil {
			return "undecodable: " + err.Error()
		}
		return describe(s)
	case schemas.Rejects:
		if string(r.Key) != name {
			return ""
		}
		j, err := schemas.DecodeRejected(r.Value)
		if err != nil {
			return "undecodable: " + err.Error()
		}
		measured := ""
		if j.Measure != 0 || j.Threshold != 0 {
			measured = fmt.Sprintf(", measured %.4g against %.4g", j.Measure, j.Threshold)
		}
		return strings.TrimSuffix("rejected: "+j.Reason+measured+"; "+j.Detail, "; ")
	case schemas.Embedded:
		if string(r.Key) != name {
			return ""
		}
		e, err := schemas.DecodeEmbeddings(r.Value)
		if err != nil || e.Len() == 0 {
			return fmt.Sprintf("undecodable: %v", err)
		}
		return fmt.Sprintf("%d embeddings of %d numbers, layer %s of %s", e.Len(), e.Dim, e.Layer[0], e.Model[0])
	case schemas.Labels:
		if string(r.Key) != name {
			return ""
		}
		l, err := schemas.DecodeLabel(r.Value)
		if err != nil {
			return "undecodable: " + err.Error()
		}
		return fmt.Sprintf("label, %s, revision %d, by %s: %d objects", l.Rank, l.Revision, l.Actor, len(l.Objects))
	case schemas.Desk:
		if !bytes.Contains(r.Value, []byte(name)) {
			return ""
		}
		var command schemas.Command
		if err := json.Unmarshal(r.Value, &command); err != nil {
			return "undecodable: " + err.Error()
		}
		return fmt.Sprintf("desk: %s by %s", command.Kind, command.Actor)
	case schemas.Selections:
		if !bytes.Contains(r.Value, []byte(name)) {
			return ""
		}
		var s schemas.Selection
		if err := json.Unmarshal(r.Value, &s); err != nil {
			return "undecodable: " + err.Error()
		}
		for _, p := range s.Picks {
			if p.SampleID == id {
				return fmt.Sprintf("selected as %s: %s", s.Kind, p.Reason)
			}
		}
	case schemas.LossRows:
		if !bytes.Contains(r.Value, id[:]) {
			return ""
		}
		table, err := schemas.DecodeLosses(r.Value)
		if err != nil {
			return "" // an event, or not ours to judge
		}
		rows, sum := 0, 0.0
		for i, s := range table.SampleID {
			if s == id {
				rows++
				sum += float64(table.Loss[i])
			}
		}
		if rows > 0 {
			return fmt.Sprintf("%d losses of run %s, mean %.3f", rows, table.RunID[0], sum/float64(rows))
		}
	case schemas.Dead:
		if string(r.Key) == name || rawID(r) == id {
			step, _ := r.Header(schemas.HeaderStep)
			reason, _ := r.Header(schemas.HeaderReason)
			cause, _ := r.Header(schemas.HeaderError)
			return fmt.Sprintf("dead letter of %s: %s: %s", step, reason, cause)
		}
	}
	return ""
}

func describe(s schemas.Sample) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d objects", len(s.Objects))
	if s.Superpixels.Count > 0 {
		fmt.Fprintf(&b, ", %d superpixels", s.Superpixels.Count)
	}
	if len(s.Findings) > 0 {
		fmt.Fprintf(&b, ", %d findings, worst: %s %.2f", len(s.Findings), s.Findings[0].Type, s.Findings[0].Score)
	}
	if n := len(s.Stamps); n > 0 {
		step, millis := s.Stamps[n-1].Step, float32(0)
		var models []string
		for _, stamp := range slices.Backward(s.Stamps) {
			if stamp.Step != step {
				break
			}
			millis += stamp.Millis
			if stamp.Model != "" {
				models = append([]string{stamp.Model}, models...)
			}
		}
		fmt.Fprintf(&b, "; %s %.1f ms", step, millis)
		if len(models) > 0 {
			fmt.Fprintf(&b, " with %s", strings.Join(models, ", "))
		}
	}
	return b.String()
}

// rawID is the id of the sample that a raw record is, as ingest derives it.
func rawID(r schemas.Record) schemas.SampleID {
	dataset, _ := r.Header(schemas.HeaderDataset)
	unique, _ := r.Header(schemas.HeaderUniqueID)
	var content schemas.Hash
	if unique == "" {
		content = sha256.Sum256(r.Value)
		if media, _ := r.Header(schemas.HeaderMediaType); media == schemas.MediaTypeRef {
			var ref schemas.Ref
			if json.Unmarshal(r.Value, &ref) == nil {
				content = ref.SHA256
			}
		}
	}
	return schemas.NewSampleID(dataset, unique, content)
}

// ResolveSample reads a sample id, or derives the one that a unique id has within a dataset.
func (c *Connections) ResolveSample(dataset, name string) (schemas.SampleID, error) {
	if dataset != "" {
		return schemas.NewSampleID(dataset, name, schemas.Hash{}), nil
	}
	id, err := schemas.ParseSampleID(name)
	if err != nil {
		return id, fmt.Errorf("%w, or a unique id with its dataset (--dataset)", err)
	}
	return id, nil
}
