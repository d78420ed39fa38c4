package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// objectColumns are the arrays that analysts ask for: element i of each is one object.
type objectColumns struct {
	ids, classes, sources [][]string
	scores                [][]float32
	boxes                 [][]boxTuple
}

// boxTuple is x1,y1,x2,y2 in pixels of the upright image, x2 and y2 exclusive.
type boxTuple struct {
	X1 float32 `ch:"x1"`
	Y1 float32 `ch:"y1"`
	X2 float32 `ch:"x2"`
	Y2 float32 `ch:"y2"`
}

func (c *objectColumns) append(objects []schemas.Object) {
	n := len(objects)
	ids, classes, sources := make([]string, n), make([]string, n), make([]string, n)
	scores, boxes := make([]float32, n), make([]boxTuple, n)
	for i, o := range objects {
		ids[i], classes[i], sources[i], scores[i] = o.ID, o.Class, o.Source, o.Score
		boxes[i] = boxTuple{o.Box.X1, o.Box.Y1, o.Box.X2, o.Box.Y2}
	}
	c.ids, c.classes, c.sources = append(c.ids, ids), append(c.classes, classes), append(c.sources, sources)
	c.scores, c.boxes = append(c.scores, scores), append(c.boxes, boxes)
}

func (c *objectColumns) columns() []column {
	return []column{
		{"object_ids", c.ids}, {"classes", c.classes}, {"sources", c.sources}, {"scores", c.scores}, {"boxes", c.boxes},
	}
}

// instant maps the zero time, which lies before the range of DateTime64, to the epoch.
func instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0)
	}
	return t
}

// samplePosition orders the records of one sample: by revision, then by stage. Once people have submitted, lint comes after
// the submission that it looks at.
func samplePosition(s *schemas.Sample) uint64 {
	stage := uint64(s.Stage)
	if s.Stage == schemas.StageLinted && s.Rank >= schemas.RankHuman {
		stage = uint64(schemas.StageSubmitted) + 1
	}
	return s.Revision<<8 | stage
}

// latest returns of each sample the one record that the others of a batch would be folded into, in the batch's order.
func latest(samples []schemas.Sample) []*schemas.Sample {
	last := make(map[schemas.SampleID]int, len(samples))
	for i := range samples {
		if j, seen := last[samples[i].ID]; !seen || samplePosition(&samples[i]) >= samplePosition(&samples[j]) {
			last[samples[i].ID] = i
		}
	}
	kept := make([]*schemas.Sample, 0, len(last))
	for i := range samples {
		if last[samples[i].ID] == i {
			kept = append(kept, &samples[i])
		}
	}
	return kept
}

// PutSamples records samples in the catalog, which keeps the latest of each by revision and stage. Inline pixels are left
// out.
func (db *DB) PutSamples(ctx context.Context, token string, samples []schemas.Sample) error {
	if len(samples) == 0 {
		return nil
	}
	rows := latest(samples)
	n := len(rows)
	var (
		ids, groups            = make([]schemas.SampleID, n), make([]schemas.SampleID, n)
		datasets, uniques      = make([]string, n), make([]string, n)
		tasks, medias, actors  = make([]string, n), make([]string, n), make([]string, n)
		images                 = make([][]byte, n)
		sizes, phashes         = make([]uint64, n), make([]uint64, n)
		revisions, positions   = make([]uint64, n), make([]uint64, n)
		widths, heights        = make([]uint32, n), make([]uint32, n)
		proposals, superpixels = make([]uint32, n), make([]uint32, n)
		slices                 = make([]map[string]string, n)
		received               = make([]time.Time, n)
		stages, ranks          = make([]uint8, n), make([]uint8, n)
		doubts                 = make([]float32, n)
		findings               = make([][]string, n)
		records                = make([][]byte, n)
		objects                objectColumns
	)
	for i, row := range rows {
		s := *row
		s.Image.Inline = nil
		record, err := schemas.EncodeSample(&s)
		if err != nil {
			return fmt.Errorf("clickhouse: sample %s: %w", s.ID, err)
		}
		ids[i], groups[i], datasets[i], uniques[i] = s.ID, s.Group, s.Dataset, s.UniqueID
		tasks[i], medias[i], actors[i] = s.Task, s.Image.MediaType, s.Actor
		images[i], sizes[i], phashes[i] = row.Image.SHA256[:], uint64(max(s.Image.Size, 0)), s.PHash
		revisions[i], positions[i] = s.Revision, samplePosition(&s)
		widths[i], heights[i] = uint32(max(s.Image.W, 0)), uint32(max(s.Image.H, 0))
		proposals[i], superpixels[i] = uint32(len(s.Proposals)), uint32(max(s.Superpixels.Count, 0))
		slices[i], received[i] = s.Slices, instant(s.Received)
		stages[i], ranks[i], records[i] = uint8(s.Stage), uint8(s.Rank), record
		findings[i] = make([]string, len(s.Findings))
		for j, f := range s.Findings {
			findings[i][j] = string(f.Type)
			doubts[i] = max(doubts[i], f.Score)
		}
		objects.append(s.Objects)
	}
	return db.insert(ctx, "samples", batchToken(token, ids), append([]column{
		{"dataset", datasets},
		{"sample_id", idBytes(ids)},
		{"unique_id", uniques},
		{"task", tasks},
		{"image_sha256", images},
		{"size", sizes},
		{"media_type", medias},
		{"w", widths},
		{"h", heights},
		{"slices", slices},
		{"phash", phashes},
		{"group_id", idBytes(groups)},
		{"received", received},
		{"stage", stages},
		{"revision", revisions},
		{"rank", ranks},
		{"position", positions},
		{"proposals", proposals},
		{"superpixels", superpixels},
		{"findings", findings},
		{"doubt", doubts},
		{"actor", actors},
		{"record", records},
	}, objects.columns()...))
}

// Sample returns the latest record of a sample, without inline pixels, and whether the catalog has it.
func (db *DB) Sample(ctx context.Context, id schemas.SampleID) (schemas.Sample, bool, error) {
	var record []byte
	found := false
	err := db.rows(ctx, "read sample "+id.String(), func() { found = false }, func(rows driver.Rows) error {
		found = true
		return rows.Scan(&record)
	}, "SELECT record FROM samples WHERE sample_id = "+idLiteral(id)+" ORDER BY position DESC LIMIT 1")
	if err != nil || !found {
		return schemas.Sample{}, false, err
	}
	s, err := schemas.DecodeSample(record)
	if err != nil {
		return schemas.Sample{}, false, fmt.Errorf("clickhouse: sample %s: %w", id, err)
	}
	return s, true, nil
}

// idLiteral writes an id as an SQL expression. Raw bytes in a query's text may hold a zero, which ends it.
func idLiteral(id schemas.SampleID) string {
	return "toFixedString(unhex('" + id.String() + "'), 16)"
}
