package clickhouse

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// Counts says what the tables hold of a dataset, each sample counted once.
type Counts struct {
	Samples  uint64                   `json:"samples"`  // that ingest accepted
	Stages   map[schemas.Stage]uint64 `json:"stages"`   // samples by the stage of their latest record
	Labels   map[schemas.Rank]uint64  `json:"labels"`   // samples by the rank of their best label
	Rejected map[string]uint64        `json:"rejected"` // samples of which ingest accepted no image, by the first reason
}

// Counts counts a dataset's samples, labels and rejects.
func (db *DB) Counts(ctx context.Context, dataset string) (Counts, error) {
	var c Counts
	reset := func() {
		c = Counts{Stages: map[schemas.Stage]uint64{}, Labels: map[schemas.Rank]uint64{}, Rejected: map[string]uint64{}}
	}
	err := db.rows(ctx, "count "+dataset, reset, func(rows driver.Rows) error {
		var kind, reason string
		var key uint8
		var n uint64
		if err := rows.Scan(&kind, &key, &reason, &n); err != nil {
			return err
		}
		switch kind {
		case "stage":
			c.Stages[schemas.Stage(key)] = n
			c.Samples += n
		case "rank":
			c.Labels[schemas.Rank(key)] = n
		case "reason":
			c.Rejected[reason] = n
		}
		return nil
	}, `SELECT 'stage', stage, '', count() FROM samples FINAL WHERE dataset = ? GROUP BY stage
UNION ALL SELECT 'rank', rank, '', count() FROM labels FINAL WHERE dataset = ? GROUP BY rank
UNION ALL SELECT 'reason', toUInt8(0), first, count() FROM (
	SELECT sample_id, argMin(toString(reason), (received, reason)) AS first FROM rejected
	WHERE dataset = ? AND sample_id NOT IN (SELECT sample_id FROM samples WHERE dataset = ?) GROUP BY sample_id) GROUP BY first`,
		dataset, dataset, dataset, dataset)
	return c, err
}
