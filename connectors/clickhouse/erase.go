package clickhouse

import (
	"context"

	"gleaner/schemas"
)

// tablesBySample lists every table with rows about single samples; all name the sample in the column sample_id.
var tablesBySample = []string{"samples", "labels", "rejected", "losses", "loss_blocks", "picks", "corrections", "judgments", "embeddings", "draws", "audits", "decisions"}

// Erase deletes every row about a sample and returns how many were removed from each table. It blocks until the parts that held
// them have been rewritten. Rows that arrive afterwards are the writers' to refuse; they know the tombstone.
func (db *DB) Erase(ctx context.Context, id schemas.SampleID) (map[string]uint64, error) {
	removed := make(map[string]uint64, len(tablesBySample))
	for _, table := range tablesBySample {
		where := " WHERE sample_id = " + idLiteral(id)
		n, err := db.count(ctx, "SELECT count() FROM "+table+where)
		if err != nil {
			return removed, err
		}
		if n > 0 {
			if err := db.exec(ctx, "erase sample "+id.String(), "ALTER TABLE "+table+" DELETE"+where+" SETTINGS mutations_sync = 2"); err != nil {
				return removed, err
			}
		}
		removed[table] = n
	}
	return removed, nil
}
