package clickhouse

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// LastAttempt returns the highest attempt of a run whose losses have arrived, or 0 when none have. It is known of losses that have
// expired, too.
func (db *DB) LastAttempt(ctx context.Context, runID string) (last uint32, err error) {
	attempts, err := db.AttemptsOn(ctx, runID)
	for _, attempt := range attempts {
		last = max(last, attempt)
	}
	return last, err
}

// AttemptsOn returns the datasets that the losses of a run are of, each with the highest attempt whose losses have arrived.
func (db *DB) AttemptsOn(ctx context.Context, runID string) (map[string]uint32, error) {
	attempts := map[string]uint32{}
	err := db.rows(ctx, "datasets of run "+runID, func() { clear(attempts) }, func(rows driver.Rows) error {
		var dataset string
		var last uint32
		err := rows.Scan(&dataset, &last)
		attempts[dataset] = last
		return err
	}, "SELECT dataset, max(attempt) FROM (SELECT dataset, attempt FROM losses WHERE run_id = ? UNION ALL SELECT dataset, attempt FROM loss_arrivals WHERE run_id = ?) GROUP BY dataset", runID, runID)
	return attempts, err
}

// LastRunOn returns the run on a dataset version that has said last that it is over, by its id, attempt, model and dataset; false where
// none has.
func (db *DB) LastRunOn(ctx context.Context, datasetVersion string) (r schemas.Run, ok bool, err error) {
	r.DatasetVersion = datasetVersion
	err = db.rows(ctx, "last run on "+datasetVersion, func() { ok = false }, func(rows driver.Rows) error {
		ok = true
		return rows.Scan(&r.RunID, &r.Attempt, &r.Model, &r.Dataset)
	}, "SELECT run_id, attempt, model, dataset FROM runs WHERE dataset_version = ? ORDER BY finished DESC LIMIT 1", datasetVersion)
	return r, ok, err
}

// Forgetting counts the objects of a run by what the view forgetting says of them.
type Forgetting struct {
	Objects       uint64  `json:"objects"`
	NeverLearned  uint64  `json:"never_learned"`
	Unforgettable uint64  `json:"unforgettable"`
	Events        uint64  `json:"events"`
	PerLearned    float64 `json:"per_learned"` // forgetting events per object that was learned
}

// Forgetting asks the view of that name about one run.
func (db *DB) Forgetting(ctx context.Context, runID string) (Forgetting, error) {
	var f Forgetting
	err := db.rows(ctx, "forgetting of run "+runID, func() {}, func(rows driver.Rows) error {
		return rows.Scan(&f.Objects, &f.NeverLearned, &f.Unforgettable, &f.Events)
	}, "SELECT count(), countIf(NOT learned), countIf(unforgettable), toUInt64(sum(events)) FROM forgetting WHERE run_id = ?", runID)
	if learned := f.Objects - f.NeverLearned; learned > 0 {
		f.PerLearned = float64(f.Events) / float64(learned)
	}
	return f, err
}
