package clickhouse

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// PutArrivals notes what a batch of losses brought; the same batch replaces itself.
func (db *DB) PutArrivals(ctx context.Context, batch string, arrivals []schemas.LossArrival) error {
	n := len(arrivals)
	if n == 0 {
		return nil
	}
	var (
		runs, batches, datasets = make([]string, n), make([]string, n), make([]string, n)
		attempts, epochs        = make([]uint32, n), make([]uint32, n)
		rows, late, nan         = make([]uint64, n), make([]uint64, n), make([]uint64, n)
	)
	for i, a := range arrivals {
		runs[i], batches[i], datasets[i], attempts[i], epochs[i] = a.RunID, batch, a.Dataset, a.Attempt, a.Epoch
		rows[i], late[i], nan[i] = a.Rows, a.Late, a.NaN
	}
	return db.insert(ctx, "loss_arrivals", "", []column{
		{"run_id", runs},
		{"batch", batches},
		{"dataset", datasets},
		{"attempt", attempts},
		{"epoch", epochs},
		{"loss_rows", rows},
		{"late", late},
		{"nan", nan},
	})
}

// RebuildArrivals counts the rows of a run that nobody noted as they came, such as those from before arrivals were noted or out of a
// backup, as one batch. It must not be called while rows of the run come: a batch that is not noted yet would count twice.
func (db *DB) RebuildArrivals(ctx context.Context, runID string) error {
	const unnoted = "before arrivals were noted" // as the migration that has counted whole runs calls it
	return db.exec(ctx, "count losses of run "+runID+" that were not noted", `INSERT INTO loss_arrivals (run_id, batch, dataset, attempt, epoch, loss_rows, late, nan, at)
WITH (SELECT (sum(a.loss_rows), sum(a.nan), sumIf(a.loss_rows, batch = ?), sumIf(a.nan, batch = ?)) FROM loss_arrivals AS a FINAL WHERE run_id = ?) AS noted
SELECT run_id, ?, any(dataset), max((attempt, epoch)).1, max((attempt, epoch)).2, count() - noted.1 + noted.3, 0,
	noted.4 + greatest(countIf(NOT isFinite(loss)), noted.2) - noted.2, min(arrived)
FROM losses WHERE run_id = ? GROUP BY run_id HAVING count() > noted.1`, unnoted, unnoted, runID, unnoted, runID)
}

// Progress returns the highest attempt of a run that losses have come of, its highest epoch, and when the first came; zeros when none have.
func (db *DB) Progress(ctx context.Context, runID string) (attempt, epoch uint32, first time.Time, err error) {
	err = db.rows(ctx, "progress of run "+runID, func() {}, func(rows driver.Rows) error {
		return rows.Scan(&attempt, &epoch, &first)
	}, "SELECT tupleElement(max((attempt, epoch)) AS last, 1), tupleElement(last, 2), min(at) FROM loss_arrivals WHERE run_id = ? HAVING count() > 0", runID)
	return attempt, epoch, first, err
}

// LossStats says what came of a run and what stands of it.
type LossStats struct {
	RunID        string    `json:"run_id"`
	Dataset      string    `json:"dataset"`
	Rows         uint64    `json:"rows"`       // that came
	Standing     uint64    `json:"standing"`   // that count: one for each sample, object and epoch
	Doubles      uint64    `json:"doubles"`    // sent again, by the same attempt or by one that came to the same epoch
	Superseded   uint64    `json:"superseded"` // of an attempt that a later one resumed before
	Late         uint64    `json:"late"`       // that came after rows of a later epoch or attempt
	NaN          uint64    `json:"nan"`        // whose loss is not finite
	Attempts     uint32    `json:"attempts"`
	Epochs       uint64    `json:"epochs"`
	RowsPerS     float64   `json:"rows_per_s"`    // over the last minute in which some came; 0: they came at once
	BytesPerRow  float64   `json:"bytes_per_row"` // on disk, of the partition that the run is in
	LastArrival  time.Time `json:"last_arrival"`
	EpochSummary []Epoch   `json:"epoch_summary,omitempty"`
}

// LossStats counts a run. It reads all rows of the run.
func (db *DB) LossStats(ctx context.Context, runID string) (s LossStats, err error) {
	s.RunID = runID
	var kept uint64
	err = db.rows(ctx, "losses of run "+runID, func() {}, func(rows driver.Rows) error {
		return rows.Scan(&s.Dataset, &s.Rows, &s.Late, &s.NaN, &s.Attempts, &s.LastArrival, &s.RowsPerS)
	}, `SELECT any(a.dataset), sum(a.loss_rows), sum(a.late), sum(a.nan), max(a.attempt), max(a.at) AS last,
	if(count() > 1, sumIf(a.loss_rows, a.at > r.since) / greatest(dateDiff('millisecond', min(greatest(a.at, r.since)), last) / 1000, 0.001), 0)
	FROM loss_arrivals AS a FINAL, (SELECT max(at) - INTERVAL 1 MINUTE AS since FROM loss_arrivals WHERE run_id = ?) AS r WHERE a.run_id = ?`, runID, runID)
	if err != nil {
		return s, err
	}
	err = db.rows(ctx, "losses of run "+runID, func() {}, func(rows driver.Rows) error {
		return rows.Scan(&s.Standing, &s.Epochs, &kept)
	}, "SELECT count(), uniqExact(epoch), (SELECT count() FROM losses FINAL WHERE run_id = ?) FROM loss_latest WHERE run_id = ?", runID, runID)
	if err != nil {
		return s, err
	}
	s.Superseded = kept - min(kept, s.Standing)
	s.Doubles = s.Rows - min(s.Rows, kept)
	err = db.rows(ctx, "size of run "+runID, func() {}, func(rows driver.Rows) error { return rows.Scan(&s.BytesPerRow) },
		`SELECT if(sum(rows) = 0, 0, sum(bytes_on_disk) / sum(rows)) FROM system.parts
	WHERE database = currentDatabase() AND table = 'losses' AND active AND partition = toString(sipHash64(?) % 16)`, runID)
	return s, err
}
