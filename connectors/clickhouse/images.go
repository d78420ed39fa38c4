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

// Images returns the digests of all images that came under a sample's id, whether they were accepted or rejected.
func (db *DB) Images(ctx context.Context, id schemas.SampleID) ([]schemas.Hash, error) {
	var images []schemas.Hash
	where := " WHERE sample_id = " + idLiteral(id)
	err := db.rows(ctx, "images of sample "+id.String(), func() { images = nil }, func(rows driver.Rows) error {
		var digest []byte
		if err := rows.Scan(&digest); err != nil {
			return err
		}
		var h schemas.Hash
		copy(h[:], digest)
		images = append(images, h)
		return nil
	}, "SELECT DISTINCT image_sha256 FROM (SELECT image_sha256 FROM samples"+where+" UNION ALL SELECT image_sha256 FROM rejected"+where+")")
	return images, err
}
