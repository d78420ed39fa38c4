package clickhouse

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// labelPosition orders the labels of one sample as schemas.Label.Better does.
func labelPosition(l *schemas.Label) uint64 { return uint64(l.Rank)<<56 | l.Revision&(1<<56-1) }

// PutLabels records labels; the best of each sample is kept.
func (db *DB) PutLabels(ctx context.Context, token string, labels []schemas.Label) error {
	if len(labels) == 0 {
		return nil
	}
	n := len(labels)
	var (
		ids, groups          = make([]schemas.SampleID, n), make([]schemas.SampleID, n)
		datasets, uniques    = make([]string, n), make([]string, n)
		tasks, actors        = make([]string, n), make([]string, n)
		images               = make([][]byte, n)
		widths, heights      = make([]uint32, n), make([]uint32, n)
		slices               = make([]map[string]string, n)
		at                   = make([]time.Time, n)
		ranks                = make([]uint8, n)
		revisions, positions = make([]uint64, n), make([]uint64, n)
		records              = make([][]byte, n)
		objects              objectColumns
	)
	for i := range labels {
		l := labels[i]
		l.Image.Inline = nil
		record, err := schemas.EncodeLabel(&l)
		if err != nil {
			return fmt.Errorf("clickhouse: label of sample %s: %w", l.SampleID, err)
		}
		ids[i], groups[i], datasets[i], uniques[i] = l.SampleID, l.Group, l.Dataset, l.UniqueID
		tasks[i], actors[i], images[i] = l.Task, l.Actor, labels[i].Image.SHA256[:]
		widths[i], heights[i] = uint32(max(l.Image.W, 0)), uint32(max(l.Image.H, 0))
		slices[i], at[i], ranks[i] = l.Slices, instant(l.At), uint8(l.Rank)
		revisions[i], positions[i], records[i] = l.Revision, labelPosition(&l), record
		objects.append(l.Objects)
	}
	return db.insert(ctx, "labels", batchToken(token, ids), append([]column{
		{"dataset", datasets},
		{"sample_id", idBytes(ids)},
		{"unique_id", uniques},
		{"task", tasks},
		{"image_sha256", images},
		{"w", widths},
		{"h", heights},
		{"slices", slices},
		{"group_id", idBytes(groups)},
		{"rank", ranks},
		{"revision", revisions},
		{"position", positions},
		{"actor", actors},
		{"at", at},
		{"record", records},
	}, objects.columns()...))
}

// Label returns the best label of a sample, and whether it has one.
func (db *DB) Label(ctx context.Context, id schemas.SampleID) (schemas.Label, bool, error) {
	var record []byte
	found := false
	err := db.rows(ctx, "read label of "+id.String(), func() { found = false }, func(rows driver.Rows) error {
		found = true
		return rows.Scan(&record)
	}, "SELECT record FROM labels WHERE sample_id = "+idLiteral(id)+" ORDER BY position DESC LIMIT 1")
	if err != nil || !found {
		return schemas.Label{}, false, err
	}
	l, err := schemas.DecodeLabel(record)
	if err != nil {
		return schemas.Label{}, false, fmt.Errorf("clickhouse: label of sample %s: %w", id, err)
	}
	return l, true, nil
}

// labelsPerPage bounds how many labels are in memory at a time, in expectation.
const labelsPerPage = 500

// Labels yields the best label of each sample of a dataset in the order of sample ids. It reads page by page: memory is
// bounded, no connection is held between pages, and a label that changes meanwhile is seen old or new. The first error ends it.
func (db *DB) Labels(ctx context.Context, dataset string) iter.Seq2[schemas.Label, error] {
	return func(yield func(schemas.Label, error) bool) {
		total, err := db.count(ctx, "SELECT count() FROM labels WHERE dataset = ?", dataset)
		if err != nil {
			yield(schemas.Label{}, err)
			return
		}
		for span := range idSpans(total, labelsPerPage) {
			var page []schemas.Label
			err := db.rows(ctx, "read labels of "+dataset, func() { page = page[:0] }, func(rows driver.Rows) error {
				var record []byte
				if err := rows.Scan(&record); err != nil {
					return err
				}
				l, err := schemas.DecodeLabel(record)
				page = append(page, l)
				return err
			}, "SELECT record FROM labels FINAL WHERE dataset = ? AND "+span.where()+" ORDER BY sample_id", dataset)
			if err != nil {
				yield(schemas.Label{}, err)
				return
			}
			for _, l := range page {
				if !yield(l, nil) {
					return
				}
			}
		}
	}
}
