package clickhouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Epoch sums up what one epoch of a run presented, without what was doubled or superseded.
type Epoch struct {
	Epoch         uint32   `json:"epoch"`
	Presentations uint64   `json:"presentations"`
	MeanLoss      *float64 `json:"mean_loss"` // nats, over finite losses; nil when there are none
	Accuracy      float64  `json:"accuracy"`  // at presentation, [0,1]
	NaN           uint64   `json:"nan"`       // presentations whose loss is not finite
}

// RebuildEpochs computes the summaries of a run's epochs anew from its rows that stand, in one statement, and blocks until they can be
// read. Doubles and superseded attempts never count, since nothing is added to what was there. Epochs that retention has taken the
// rows of keep their summaries; a class or epoch that has no rows any more within what is there loses its own.
func (db *DB) RebuildEpochs(ctx context.Context, runID string) error {
	return db.retry(ctx, "summarize epochs of run "+runID, func(ctx context.Context) error {
		return db.conn.Exec(ctx, `INSERT INTO loss_epochs
SELECT run_id, epoch, lineage, any(dataset), countIf(live), countIf(live AND correct), countIf(live AND NOT isFinite(loss)), sumIf(loss, live AND isFinite(loss)), toUnixTimestamp64Micro(now64(6))::UInt64
FROM
(
    SELECT run_id::String AS run_id, epoch, lineage, dataset, correct, loss::Float64 AS loss, true AS live FROM loss_latest WHERE run_id = ?
    UNION ALL
    SELECT run_id, epoch, lineage, dataset, false, 0, false FROM loss_epochs FINAL
    WHERE run_id = ? AND epoch >= (SELECT min(epoch) FROM losses WHERE run_id = ? HAVING count() > 0)
)
GROUP BY run_id, epoch, lineage`, runID, runID, runID)
	})
}

// Epochs returns the summaries of a run's epochs, in order, as the last rebuild left them.
func (db *DB) Epochs(ctx context.Context, runID string) (epochs []Epoch, err error) {
	err = db.rows(ctx, "epochs of run "+runID, func() { epochs = nil }, func(rows driver.Rows) error {
		var e Epoch
		err := rows.Scan(&e.Epoch, &e.Presentations, &e.MeanLoss, &e.Accuracy, &e.NaN)
		epochs = append(epochs, e)
		return err
	}, "SELECT epoch, presentations, mean_loss, accuracy, nan_losses FROM epochs WHERE run_id = ? ORDER BY epoch", runID)
	return epochs, err
}

// StaleRuns returns the ids of runs with rows that came after the last rebuild of their epochs began.
func (db *DB) StaleRuns(ctx context.Context) (ids []string, err error) {
	err = db.rows(ctx, "find runs with new losses", func() { ids = nil }, func(rows driver.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, `SELECT run_id FROM (SELECT run_id, toUnixTimestamp64Micro(max(at)) AS last FROM loss_arrivals GROUP BY run_id) AS a
	LEFT JOIN (SELECT run_id, max(version) AS built FROM loss_epochs GROUP BY run_id) AS e USING (run_id) WHERE last >= built ORDER BY run_id`)
	return ids, err
}

// LossRuns returns the ids of all runs that losses have come of, the one that was heard of last first.
func (db *DB) LossRuns(ctx context.Context) (ids []string, err error) {
	err = db.rows(ctx, "list runs", func() { ids = nil }, func(rows driver.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, "SELECT run_id FROM (SELECT run_id, max(at) AS last FROM loss_arrivals GROUP BY run_id UNION ALL SELECT DISTINCT run_id::String, toDateTime64(0, 3, 'UTC') FROM losses) GROUP BY run_id ORDER BY max(last) DESC, run_id")
	if err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	return ids, nil
}
