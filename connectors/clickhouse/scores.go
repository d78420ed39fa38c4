package clickhouse

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// Score is a row of the view scores, whose columns have its names in JSON; stages/analysis/score defines them.
type Score struct {
	RunID            string  `json:"run_id" ch:"run_id"`
	Dataset          string  `json:"dataset" ch:"dataset"`
	Sample           string  `json:"sample" ch:"sample"` // its id in hex
	ObjectID         string  `json:"object_id" ch:"object_id"`
	Class            string  `json:"class" ch:"class"`
	Kind             string  `json:"kind" ch:"kind"`
	Presentations    uint64  `json:"presentations" ch:"presentations"`
	NotFinite        uint64  `json:"not_finite" ch:"not_finite"`
	ForgettingEvents uint64  `json:"forgetting_events" ch:"forgetting_events"`
	Forgetting       uint64  `json:"forgetting" ch:"forgetting"`
	FirstLearned     *uint32 `json:"first_learned" ch:"first_learned"`
	NeverLearned     bool    `json:"never_learned" ch:"never_learned"`
	Unforgettable    bool    `json:"unforgettable" ch:"unforgettable"`
	Confidence       Number  `json:"confidence" ch:"confidence"`
	Variability      Number  `json:"variability" ch:"variability"`
	Correctness      Number  `json:"correctness" ch:"correctness"`
	AUM              Number  `json:"aum" ch:"aum"`
	MeanLoss         Number  `json:"mean_loss" ch:"mean_loss"`
	EL2N             Number  `json:"el2n" ch:"el2n"`
	GraNd            Number  `json:"grand" ch:"grand"`
	DynUnc           Number  `json:"dyn_unc" ch:"dyn_unc"`
	TrendSlope       Number  `json:"trend_slope" ch:"trend_slope"`
	TrendSE          Number  `json:"trend_se" ch:"trend_se"`
	TrendP           Number  `json:"trend_p" ch:"trend_p"`
	TrendQ           Number  `json:"trend_q" ch:"trend_q"`
	ErrorScore       Number  `json:"error_score" ch:"error_score"`
	ClassOutlier     Number  `json:"class_outlier" ch:"class_outlier"`
}

// Number is a score, NaN where a curve has nothing to compute it from: null in JSON.
type Number float64

// Scan implements sql.Scanner.
func (n *Number) Scan(value any) error {
	f, ok := value.(float64)
	if !ok {
		return fmt.Errorf("%T where a score is wanted", value)
	}
	*n = Number(f)
	return nil
}

// MarshalJSON writes null for what JSON has no number for.
func (n Number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// ScoreQuery says which objects of runs to return, and in which order.
type ScoreQuery struct {
	By        string            // the name of one of schemas.ScoreColumns
	Ascending bool              // the smallest first; else the largest. What is unknown comes last.
	Top       int               // at most so many; 0: all
	Kind      string            // only these; empty: all
	Class     string            // likewise
	Slice     map[string]string // only samples with all of these, the producer's or discovered
}

// where is a condition on the view, from its arguments.
func (q ScoreQuery) where(runs ...string) (condition string, args []any, err error) {
	if _, err := schemas.FindScore(q.By); err != nil {
		return "", nil, err
	}
	condition, args = "run_id IN (?)", []any{runs}
	if q.Kind != "" {
		condition, args = condition+" AND kind = ?", append(args, q.Kind)
	}
	if q.Class != "" {
		condition, args = condition+" AND class = ?", append(args, q.Class)
	}
	if len(q.Slice) > 0 {
		within, values := inSlices(q.Slice)
		condition, args = condition+" AND sample_id IN (SELECT sample_id FROM sample_latest WHERE sample_id IN (SELECT sample_id FROM loss_blocks WHERE run_id IN (?)) AND "+within+")",
			append(append(args, runs), values...)
	}
	return condition, args, nil
}

// order ends a query: by is what the rows are ordered by.
func (q ScoreQuery) order(by string) string {
	direction := "DESC"
	if q.Ascending {
		direction = "ASC"
	}
	order := fmt.Sprintf(" ORDER BY %s %s NULLS LAST, sample, object_id", by, direction)
	if q.Top > 0 {
		order += fmt.Sprintf(" LIMIT %d", q.Top)
	}
	return order + " SETTINGS optimize_aggregation_in_order = 1" // blocks stream, in the order of their key
}

// Scores returns what a run says of objects. It holds one row an object in memory, some 300 bytes.
func (db *DB) Scores(ctx context.Context, runID string, q ScoreQuery) ([]Score, error) {
	where, args, err := q.where(runID)
	if err != nil {
		return nil, err
	}
	out := []Score{}
	err = db.rows(ctx, "scores of run "+runID, func() { out = out[:0] }, func(rows driver.Rows) error {
		var s Score
		err := rows.ScanStruct(&s)
		out = append(out, s)
		return err
	}, "SELECT * EXCEPT (sample_id) FROM scores WHERE "+where+q.order(q.By), args...)
	return out, err
}

// Folded is when the scores of a run last changed, by the server's clock; the zero time: it has none.
func (db *DB) Folded(ctx context.Context, runID string) (at time.Time, err error) {
	err = db.rows(ctx, "when run "+runID+" was folded", func() { at = time.Time{} }, func(rows driver.Rows) error { return rows.Scan(&at) },
		"SELECT max(version) FROM loss_blocks WHERE run_id = ? HAVING count() > 0", runID)
	return at, err
}

// Across is one score of an object over several runs.
type Across struct {
	Sample   string   `json:"sample" ch:"sample"`
	ObjectID string   `json:"object_id" ch:"object_id"`
	Class    string   `json:"class" ch:"class"`
	Kinds    []string `json:"kinds" ch:"kinds"` // that the runs gave it
	Runs     uint64   `json:"runs" ch:"runs"`   // with a score of it
	Mean     Number   `json:"mean" ch:"mean"`
	Spread   Number   `json:"spread" ch:"spread"` // standard deviation over the runs, over n - 1; NaN of one
}

// ScoresAcross returns the mean and the spread of the score q.By over runs, ordered by the mean.
func (db *DB) ScoresAcross(ctx context.Context, runs []string, q ScoreQuery) ([]Across, error) {
	where, args, err := q.where(runs...)
	if err != nil {
		return nil, err
	}
	out := []Across{}
	err = db.rows(ctx, "scores of runs", func() { out = out[:0] }, func(rows driver.Rows) error {
		var a Across
		err := rows.ScanStruct(&a)
		out = append(out, a)
		return err
	}, fmt.Sprintf("SELECT sample, object_id, any(class) AS class, arraySort(groupUniqArray(kind)) AS kinds, countIf(isFinite(%[1]s)) AS runs, avgIf(%[1]s, isFinite(%[1]s)) AS mean, stddevSampIf(%[1]s, isFinite(%[1]s)) AS spread"+
		" FROM (SELECT * FROM scores WHERE %[2]s) GROUP BY sample, object_id", "assumeNotNull(ifNull(toFloat64("+q.By+"), nan))", where)+q.order("mean"), args...)
	return out, err
}
