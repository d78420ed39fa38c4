package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// PutRun records what a training run saw and what came out; a later attempt replaces an earlier one.
func (db *DB) PutRun(ctx context.Context, r schemas.Run) error {
	metrics := r.Metrics
	if metrics == nil {
		metrics = map[string]float64{}
	}
	return db.insert(ctx, "runs", "", []column{
		{"run_id", []string{r.RunID}},
		{"attempt", []uint32{r.Attempt}},
		{"model", []string{r.Model}},
		{"dataset", []string{r.Dataset}},
		{"dataset_version", []string{r.DatasetVersion}},
		{"epochs", []uint32{r.Epochs}},
		{"loss_rows", []uint64{r.Rows}},
		{"seed", []int64{r.Seed}},
		{"metrics", []map[string]float64{metrics}},
		{"started", []time.Time{instant(r.Started)}},
		{"finished", []time.Time{instant(r.Finished)}},
	})
}

// Run returns what is known of a run that has finished, and whether it has. With an empty id it is the one of the dataset that
// finished last.
func (db *DB) Run(ctx context.Context, dataset, runID string) (r schemas.Run, ok bool, err error) {
	err = db.rows(ctx, "read run "+runID+" of "+dataset, func() { ok = false }, func(rows driver.Rows) error {
		ok = true
		return rows.Scan(&r.RunID, &r.Attempt, &r.Model, &r.Dataset, &r.DatasetVersion, &r.Epochs, &r.Rows, &r.Seed, &r.Metrics, &r.Started, &r.Finished)
	}, "SELECT run_id, attempt, model, dataset, dataset_version, epochs, loss_rows, seed, metrics, started, finished FROM runs FINAL"+
		" WHERE dataset = ? AND (? = '' OR run_id = ?) ORDER BY finished DESC LIMIT 1", dataset, runID, runID)
	return r, ok, err
}

// PutSelection records a selection and its picks. Picks that lie in the blob store must have been read back into Picks; those
// written are one row each, and a selection written again replaces itself.
func (db *DB) PutSelection(ctx context.Context, s schemas.Selection) error {
	n := len(s.Picks)
	if n > 0 {
		var (
			selections, objects, reasons = make([]string, n), make([]string, n), make([]string, n)
			ids                          = make([]schemas.SampleID, n)
			scores, weights              = make([]float64, n), make([]float64, n)
			at                           = make([]time.Time, n)
		)
		for i, p := range s.Picks {
			selections[i], ids[i], objects[i] = s.ID, p.SampleID, p.ObjectID
			scores[i], weights[i], reasons[i], at[i] = p.Score, p.Weight, p.Reason, instant(s.At)
		}
		if err := db.insert(ctx, "picks", "", []column{
			{"selection_id", selections},
			{"sample_id", idBytes(ids)},
			{"object_id", objects},
			{"score", scores},
			{"weight", weights},
			{"reason", reasons},
			{"at", at},
		}); err != nil {
			return fmt.Errorf("selection %s: %w", s.ID, err)
		}
	}
	// The selection comes after its picks: whoever finds it finds them.
	return db.insert(ctx, "selections", "", []column{
		{"selection_id", []string{s.ID}},
		{"dataset", []string{s.Dataset}},
		{"dataset_version", []string{s.DatasetVersion}},
		{"kind", []string{s.Kind}},
		{"method", []string{s.Method}},
		{"run_id", []string{s.RunID}},
		{"seed", []int64{s.Seed}},
		{"picks", []uint64{uint64(n)}},
		{"at", []time.Time{instant(s.At)}},
	})
}
