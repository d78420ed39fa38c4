package clickhouse

import (
	"context"
	"fmt"
	"iter"
	"sort"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// rowsPerPage bounds how many loss rows are in memory at a time, in expectation: some 60 bytes each.
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
		attempts, err := db.attempts(ctx, runID, ever)
		if err != nil {
			yield(schemas.Curve{}, err)
			return
		}
		for span := range idSpans(total, rowsPerPage) {
			var page []schemas.Curve
			err := db.rows(ctx, "read losses of run "+runID, func() { page = page[:0] }, func(rows driver.Rows) error {
				c := schemas.Curve{RunID: runID}
				var id []byte
				if err := rows.Scan(&id, &c.ObjectID, &c.Epochs, &c.Loss, &c.Margin, &c.PTrue, &c.Correct, &c.EL2N, &c.EmbNorm); err != nil {
					return err
				}
				copy(c.SampleID[:], id)
				if by := (byEpoch{&c}); !sort.IsSorted(by) {
					sort.Sort(by)
				}
				page = append(page, c)
				return nil
			}, "SELECT sample_id, object_id, groupArray(epoch), groupArray(loss), groupArray(margin), groupArray(p_true), groupArray(correct), groupArray(el2n), groupArray(emb_norm)"+
				" FROM losses FINAL WHERE run_id = ? AND "+span.where()+standing(attempts)+
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

// attempt is one that resumed a run at some moment.
type attempt struct {
	number  uint32
	epoch   uint32 // with step, the moment of its first presentation
	step    uint64
	earlier bool // than was known before the instant that attempts was asked about
}

// attempts returns the attempts that resumed a run, and whether rows that arrived from since on have changed where.
func (db *DB) attempts(ctx context.Context, runID string, since time.Time) (out []attempt, err error) {
	err = db.rows(ctx, "read attempts of run "+runID, func() { out = nil }, func(rows driver.Rows) error {
		var a attempt
		err := rows.Scan(&a.number, &a.epoch, &a.step, &a.earlier)
		out = append(out, a)
		return err
	}, "SELECT attempt, (min((epoch, step)) AS first).1, first.2, (countIf(arrived < "+secondLiteral(since)+") = 0 OR first < minIf((epoch, step), arrived < "+secondLiteral(since)+"))::Bool"+
		" FROM losses WHERE run_id = ? AND attempt > 1 GROUP BY attempt ORDER BY attempt", runID)
	return out, err
}

// standing is the condition that leaves out what a later attempt superseded: an attempt that resumes at some epoch and step goes
// on from the weights of that moment, so whatever an earlier attempt presented from there on never led to the final model.
func standing(attempts []attempt) string {
	var where strings.Builder
	for _, a := range attempts {
		fmt.Fprintf(&where, " AND NOT (attempt < %d AND (epoch, step) >= (%d, %d))", a.number, a.epoch, a.step)
	}
	return where.String()
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
	c.EL2N[i], c.EL2N[j] = c.EL2N[j], c.EL2N[i]
	c.EmbNorm[i], c.EmbNorm[j] = c.EmbNorm[j], c.EmbNorm[i]
}
