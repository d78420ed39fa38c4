package clickhouse

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

const (
	// scoresPerPage bounds how many scores are in memory at a time, in expectation: some 400 bytes each. The view compares the objects
	// of a run with each other for some of its columns, which each page costs anew.
	scoresPerPage = 200_000
	// statesPerPage does so for states of decisions, of as many bytes.
	statesPerPage = 50_000
)

// Scored yields what a run has shown of each object so far, from the view scores, with what the catalog knows of it, in the order of
// (sample id, object id). It reads page by page: memory is bounded, no connection is held between pages, and rows that come meanwhile
// are seen or not. The first error ends it.
func (db *DB) Scored(ctx context.Context, dataset, runID string) iter.Seq2[schemas.Scored, error] {
	values := schemas.ScoreNames()
	for i, name := range values {
		values[i] = "ifNull(toFloat64(s." + name + "), nan)"
	}
	return func(yield func(schemas.Scored, error) bool) {
		var total uint64
		var last uint32
		err := db.rows(ctx, "epochs of run "+runID, func() {}, func(rows driver.Rows) error { return rows.Scan(&total, &last) },
			"SELECT (SELECT uniq(sample_id, object_id) FROM loss_blocks WHERE run_id = ?), max(epoch) FROM"+
				" (SELECT epoch FROM losses WHERE run_id = ? UNION ALL SELECT epoch FROM loss_arrivals WHERE run_id = ?)", runID, runID, runID)
		if err != nil {
			yield(schemas.Scored{}, err)
			return
		}
		for span := range idSpans(total, scoresPerPage) {
			var page []schemas.Scored
			err := db.rows(ctx, "read scores of run "+runID, func() { page = page[:0] }, func(rows driver.Rows) error {
				s := schemas.Scored{Dataset: dataset, Epochs: last + 1}
				var id []byte
				if err := rows.Scan(&id, &s.ObjectID, &s.Class, &s.Lineage, &s.Kind, &s.Slices, &s.Bytes, &s.Seen, &s.Values); err != nil {
					return err
				}
				copy(s.SampleID[:], id)
				page = append(page, s)
				return nil
			}, fmt.Sprintf(`SELECT s.sample_id, s.object_id, s.class, l.lineage, s.kind, c.slices, c.size, toUInt32(s.presentations), [%s] AS values
FROM (SELECT * FROM scores WHERE run_id = ? AND %[2]s) AS s
LEFT JOIN (SELECT sample_id, object_id, any(lineage) AS lineage FROM losses WHERE run_id = ? AND %[2]s GROUP BY sample_id, object_id) AS l
	ON l.sample_id = s.sample_id AND l.object_id = s.object_id
LEFT JOIN (SELECT sample_id, size, slices FROM sample_latest WHERE dataset = ? AND %[2]s) AS c ON c.sample_id = s.sample_id
ORDER BY s.sample_id, s.object_id`, strings.Join(values, ", "), span.where()), runID, runID, dataset)
			if err != nil {
				yield(schemas.Scored{}, err)
				return
			}
			for _, s := range page {
				if !yield(s, nil) {
					return
				}
			}
		}
	}
}

// DecisionStates yields where the decisions of a dataset's rules stand, in the order of (sample id, object id), so those about
// classes first. It reads page by page, as Scored does; states that are put meanwhile are seen or not.
func (db *DB) DecisionStates(ctx context.Context, dataset string) iter.Seq2[schemas.DecisionState, error] {
	return func(yield func(schemas.DecisionState, error) bool) {
		total, err := db.count(ctx, "SELECT count() FROM decisions WHERE dataset = ?", dataset)
		if err != nil {
			yield(schemas.DecisionState{}, err)
			return
		}
		for span := range idSpans(total, statesPerPage) {
			var page []schemas.DecisionState
			err := db.rows(ctx, "read decisions of "+dataset, func() { page = page[:0] }, func(rows driver.Rows) error {
				s := schemas.DecisionState{Dataset: dataset}
				var id []byte
				var action string
				var runs []string
				var seen []uint32
				if err := rows.Scan(&id, &s.ObjectID, &s.Class, &s.Decision, &action, &s.Active, &s.Streak, &s.RunID, &s.Seen, &runs, &seen,
					&s.SinceRun, &s.SinceSeen, &s.SinceAt, &s.Score, &s.Weight, &s.Reason, &s.Top, &s.At); err != nil {
					return err
				}
				copy(s.SampleID[:], id)
				if s.SinceAt.Equal(instant(time.Time{})) {
					s.SinceAt = time.Time{}
				}
				for i, run := range runs {
					s.Others = append(s.Others, schemas.RunSeen{RunID: run, Seen: seen[i]})
				}
				s.Action = schemas.DecisionAction(action)
				page = append(page, s)
				return nil
			}, "SELECT sample_id, object_id, class, decision, action, active, streak, run_id, seen, other_runs, other_seen, since_run, since_seen, since_at, score, weight, reason, top, at"+
				" FROM decisions FINAL WHERE dataset = ? AND "+span.where()+" ORDER BY sample_id, object_id, class, decision, action", dataset)
			if err != nil {
				yield(schemas.DecisionState{}, err)
				return
			}
			for _, s := range page {
				if !yield(s, nil) {
					return
				}
			}
		}
	}
}

// PutDecisionStates records where decisions stand, at their times; the latest of one decision and object, or class, replaces the
// others. It blocks until they can be read.
func (db *DB) PutDecisionStates(ctx context.Context, states []schemas.DecisionState) error {
	n := len(states)
	if n == 0 {
		return nil
	}
	var (
		datasets, objects, classes = make([]string, n), make([]string, n), make([]string, n)
		ids                        = make([]schemas.SampleID, n)
		decisions, actions         = make([]string, n), make([]string, n)
		active                     = make([]bool, n)
		streaks, seen, since       = make([]uint32, n), make([]uint32, n), make([]uint32, n)
		otherRuns, otherSeen       = make([][]string, n), make([][]uint32, n)
		runs, sinceRuns, reasons   = make([]string, n), make([]string, n), make([]string, n)
		scores, weights            = make([]float64, n), make([]float64, n)
		top                        = make([][]string, n)
		sinceAt, at                = make([]time.Time, n), make([]time.Time, n)
	)
	for i, s := range states {
		datasets[i], ids[i], objects[i], classes[i], decisions[i], actions[i] = s.Dataset, s.SampleID, s.ObjectID, s.Class, s.Decision, string(s.Action)
		active[i], streaks[i], runs[i], seen[i], sinceRuns[i], since[i] = s.Active, s.Streak, s.RunID, s.Seen, s.SinceRun, s.SinceSeen
		scores[i], weights[i], reasons[i], top[i], at[i] = s.Score, s.Weight, s.Reason, s.Top, instant(s.At)
		for _, o := range s.Others {
			otherRuns[i], otherSeen[i] = append(otherRuns[i], o.RunID), append(otherSeen[i], o.Seen)
		}
		sinceAt[i] = instant(s.SinceAt)
	}
	return db.insert(ctx, "decisions", "", []column{
		{"dataset", datasets},
		{"sample_id", idBytes(ids)},
		{"object_id", objects},
		{"class", classes},
		{"decision", decisions},
		{"action", actions},
		{"active", active},
		{"streak", streaks},
		{"run_id", runs},
		{"seen", seen},
		{"other_runs", otherRuns},
		{"other_seen", otherSeen},
		{"since_run", sinceRuns},
		{"since_seen", since},
		{"since_at", sinceAt},
		{"score", scores},
		{"weight", weights},
		{"reason", reasons},
		{"top", top},
		{"at", at},
	})
}

// LastDecided is the latest time of a dataset's states but those of the time but, superseded ones included; the zero time: there are none.
func (db *DB) LastDecided(ctx context.Context, dataset string, but time.Time) (at time.Time, err error) {
	err = db.rows(ctx, "when was decided about "+dataset, func() { at = time.Time{} }, func(rows driver.Rows) error { return rows.Scan(&at) },
		"SELECT max(at) FROM decisions WHERE dataset = ? AND toUnixTimestamp64Micro(at) != ? HAVING count() > 0", dataset, instant(but).UnixMicro())
	return at, err
}
