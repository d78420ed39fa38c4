package clickhouse

import (
	"context"
	"fmt"
	"iter"
	"sort"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// rowsPerPage bounds how many loss rows are in memory at a time, in expectation: some 50 bytes each.
const rowsPerPage = 100_000

// Curves yields what each object of a run showed from epoch to epoch, in the order of (sample id, object id). Doubled rows and
// superseded attempts are folded away (see the loss_latest view, which has the same rows). It reads page by page: memory is
// bounded and no connection is held between pages. The first error ends it.
func (db *DB) Curves(ctx context.Context, runID string) iter.Seq2[schemas.Curve, error] {
	return func(yield func(schemas.Curve, error) bool) {
		total, err := db.count(ctx, "SELECT count() FROM losses WHERE run_id = ?", runID)
		if err != nil {
			yield(schemas.Curve{}, err)
			return
		}
		standing, err := db.standing(ctx, runID)
		if err != nil {
			yield(schemas.Curve{}, err)
			return
		}
		for span := range idSpans(total, rowsPerPage) {
			var page []schemas.Curve
			err := db.rows(ctx, "read losses of run "+runID, func() { page = page[:0] }, func(rows driver.Rows) error {
				c := schemas.Curve{RunID: runID}
				var id []byte
				if err := rows.Scan(&id, &c.ObjectID, &c.Epochs, &c.Loss, &c.Margin, &c.PTrue, &c.Correct); err != nil {
					return err
				}
				copy(c.SampleID[:], id)
				if by := (byEpoch{&c}); !sort.IsSorted(by) {
					sort.Sort(by)
				}
				page = append(page, c)
				return nil
			}, "SELECT sample_id, object_id, groupArray(epoch), groupArray(loss), groupArray(margin), groupArray(p_true), groupArray(correct)"+
				" FROM losses FINAL WHERE run_id = ? AND "+span.where()+standing+
				" GROUP BY sample_id, object_id ORDER BY sample_id, object_id", runID)
			if err != nil {
				yield(schemas.Curve{}, err)
				return
			}
			for _, c := range page {
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

// standing is the condition that leaves out what a later attempt superseded: an attempt that resumes at some epoch and step goes
// on from the weights of that moment, so whatever an earlier attempt presented from there on never led to the final model.
func (db *DB) standing(ctx context.Context, runID string) (string, error) {
	var where strings.Builder
	err := db.rows(ctx, "read attempts of run "+runID, where.Reset, func(rows driver.Rows) error {
		var attempt, epoch uint32
		var step uint64
		if err := rows.Scan(&attempt, &epoch, &step); err != nil {
			return err
		}
		fmt.Fprintf(&where, " AND NOT (attempt < %d AND (epoch, step) >= (%d, %d))", attempt, epoch, step)
		return nil
	}, "SELECT attempt, tupleElement(min((epoch, step)) AS first, 1), tupleElement(first, 2) FROM losses WHERE run_id = ? AND attempt > 1 GROUP BY attempt ORDER BY attempt", runID)
	return where.String(), err
}

// byEpoch sorts a curve's presentations. The engine gathers arrays in its own order when it reads with several threads.
type byEpoch struct{ *schemas.Curve }

func (c byEpoch) Less(i, j int) bool { return c.Epochs[i] < c.Epochs[j] }

func (c byEpoch) Swap(i, j int) {
	c.Epochs[i], c.Epochs[j] = c.Epochs[j], c.Epochs[i]
	c.Loss[i], c.Loss[j] = c.Loss[j], c.Loss[i]
	c.Margin[i], c.Margin[j] = c.Margin[j], c.Margin[i]
	c.PTrue[i], c.PTrue[j] = c.PTrue[j], c.PTrue[i]
	c.Correct[i], c.Correct[j] = c.Correct[j], c.Correct[i]
}
