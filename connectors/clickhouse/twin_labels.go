package clickhouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// LabelTwins returns the best labels of the other samples of a sample's near-duplicate group, with the perceptual hash of each: at most
// so many, those of the highest rank first, and of one rank the most alike.
func (db *DB) LabelTwins(ctx context.Context, of *schemas.Sample, most int) (labels []schemas.Label, phashes []uint64, err error) {
	others := "dataset = " + stringLiteral(of.Dataset) + " AND group_id = " + idLiteral(of.Group) + " AND sample_id != " + idLiteral(of.ID)
	err = db.rows(ctx, "labels of near duplicates of "+of.ID.String(), func() { labels, phashes = nil, nil }, func(rows driver.Rows) error {
		var record []byte
		var phash uint64
		if err := rows.Scan(&record, &phash); err != nil {
			return err
		}
		l, err := schemas.DecodeLabel(record)
		if err != nil {
			return fmt.Errorf("label of a near duplicate of %s: %w", of.ID, err)
		}
		labels, phashes = append(labels, l), append(phashes, phash)
		return nil
	}, fmt.Sprintf(`SELECT l.record, s.phash
FROM (SELECT sample_id, record, rank FROM labels WHERE %[1]s ORDER BY position DESC LIMIT 1 BY sample_id) AS l
ANY INNER JOIN (SELECT sample_id, phash FROM samples WHERE dataset = %[3]s AND sample_id IN (SELECT sample_id FROM labels WHERE %[1]s)) AS s USING (sample_id)
ORDER BY l.rank DESC, bitCount(bitXor(s.phash, toUInt64(%[4]d))), sample_id
LIMIT %[2]d
SETTINGS max_threads = 1`, others, most, stringLiteral(of.Dataset), of.PHash))
	return labels, phashes, err
}

// TwinGroups returns the near-duplicate groups of a dataset, at most so many, that have a label of another sample than their first, by
// whose id they go.
func (db *DB) TwinGroups(ctx context.Context, dataset string, most int) (groups []schemas.SampleID, err error) {
	err = db.rows(ctx, "near-duplicate groups with labels of "+dataset, func() { groups = nil }, func(rows driver.Rows) error {
		var id []byte
		err := rows.Scan(&id)
		groups = append(groups, schemas.SampleID(id))
		return err
	}, "SELECT DISTINCT group_id FROM labels WHERE dataset = ? AND group_id != sample_id LIMIT ?", dataset, most)
	return groups, err
}
