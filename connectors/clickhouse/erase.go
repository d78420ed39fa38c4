package clickhouse

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// tablesBySample lists every table with rows about single samples; all name the sample in the column sample_id. What is derived from
// a table comes after it.
var tablesBySample = []string{"samples", "labels", "rejected", "losses", "loss_blocks", "picks", "corrections", "judgments", "embeddings", "draws", "audits", "decisions", "discovered_slices"}

// Erase deletes every row about a sample and returns how many were removed from each table. It blocks until the parts that held
// them have been rewritten. Rows that arrive afterwards are the writers' to refuse; they know the tombstone.
func (db *DB) Erase(ctx context.Context, id schemas.SampleID) (map[string]uint64, error) {
	removed := make(map[string]uint64, len(tablesBySample))
	for _, table := range tablesBySample {
		removed[table] = 0
	}
	for _, table := range tablesBySample {
		for again := true; again; {
			again = table == "loss_blocks" // of which a fold writes again what it has read before
			if again {
				if err := db.awaitFolds(ctx); err != nil {
					return removed, err
				}
			}
			where := " WHERE sample_id = " + idLiteral(id)
			n, err := db.count(ctx, "SELECT count() FROM "+table+where)
			if err != nil {
				return removed, err
			}
			if n == 0 {
				break
			}
			if err := db.exec(ctx, "erase sample "+id.String(), "ALTER TABLE "+table+" DELETE"+where+" SETTINGS mutations_sync = 2"); err != nil {
				return removed, err
			}
			removed[table] += n
		}
	}
	return removed, nil
}

// awaitFolds blocks until the folds that go on now have ended, whichever process they are of.
func (db *DB) awaitFolds(ctx context.Context) error {
	const folds = "FROM system.processes WHERE query_kind = 'Insert' AND current_database = currentDatabase() AND startsWith(query, '" + foldPrefix + "')"
	var ids []string
	err := db.rows(ctx, "list folds", func() { ids = nil }, func(rows driver.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, "SELECT query_id "+folds)
	for err == nil && len(ids) > 0 {
		var n uint64
		if n, err = db.count(ctx, "SELECT count() "+folds+" AND query_id IN (?)", ids); n == 0 {
			break
		}
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(firstPause):
		}
	}
	return withGrant(err, db.cfg.Username)
}
