package clickhouse

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// ImageUsers returns the samples, accepted or rejected, whose image has this digest: an erasure keeps bytes that are others' too.
func (db *DB) ImageUsers(ctx context.Context, h schemas.Hash) ([]schemas.SampleID, error) {
	var ids []schemas.SampleID
	where := " WHERE image_sha256 = toFixedString(unhex('" + h.String() + "'), 32)"
	err := db.rows(ctx, "users of image "+h.String(), func() { ids = nil }, func(rows driver.Rows) error {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		id, err := schemas.ParseSampleID(name)
		ids = append(ids, id)
		return err
	}, "SELECT DISTINCT lower(hex(sample_id)) AS id FROM (SELECT sample_id FROM samples"+where+" UNION ALL SELECT sample_id FROM rejected"+where+") ORDER BY id")
	return ids, err
}
