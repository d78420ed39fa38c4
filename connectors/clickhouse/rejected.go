package clickhouse

import (
	"context"
	"fmt"
	"time"

	"gleaner/schemas"
)

// PutRejected records rejects, one for each sample, reason and image.
func (db *DB) PutRejected(ctx context.Context, token string, rejected []schemas.Rejected) error {
	if len(rejected) == 0 {
		return nil
	}
	n := len(rejected)
	var (
		ids               = make([]schemas.SampleID, n)
		datasets, uniques = make([]string, n), make([]string, n)
		reasons, details  = make([]string, n), make([]string, n)
		measures, limits  = make([]float64, n), make([]float64, n)
		images, records   = make([][]byte, n), make([][]byte, n)
		received          = make([]time.Time, n)
	)
	for i := range rejected {
		r := rejected[i]
		r.Sample.Image.Inline = nil
		record, err := schemas.EncodeRejected(&r)
		if err != nil {
			return fmt.Errorf("clickhouse: rejected sample %s: %w", r.Sample.ID, err)
		}
		ids[i], datasets[i], uniques[i] = r.Sample.ID, r.Sample.Dataset, r.Sample.UniqueID
		reasons[i], details[i], measures[i], limits[i] = r.Reason, r.Detail, r.Measure, r.Threshold
		images[i], records[i], received[i] = rejected[i].Sample.Image.SHA256[:], record, instant(r.Sample.Received)
	}
	return db.insert(ctx, "rejected", batchToken(token, ids), []column{
		{"dataset", datasets},
		{"sample_id", idBytes(ids)},
		{"unique_id", uniques},
		{"reason", reasons},
		{"image_sha256", images},
		{"measure", measures},
		{"threshold", limits},
		{"detail", details},
		{"received", received},
		{"record", records},
	})
}
