package lossfile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"gleaner/schemas"
)

// Score is what the losses of a training run came to for one object: columns of the view scores, whose comment defines them.
type Score struct {
	RunID, Dataset string
	SampleID       schemas.SampleID
	ObjectID       string // empty: the whole image
	Class          string // of the label, or else of the lineage; empty: unknown
	Kind           string // easy, hard, edge, label_error or unknown
	Presentations  uint64
	AUM            float64 // logits; NaN: unknown
	TrendQ         float64 // [0,1]; NaN: unknown
	ClassOutlier   float64 // standard deviations; NaN: unknown
}

// scoreColumns are all that ReadScores looks at.
var scoreColumns = []string{"run_id", "dataset", "sample", "object_id", "class", "kind", "presentations", "aum", "trend_q", "class_outlier"}

// ReadScores yields the rows of a file that has at least the columns scoreColumns of the view scores, as `gleaner export --scores` writes
// it; sample is an id in 32 hex digits. The sequence ends at its first error, which names the column and the row.
func ReadScores(ctx context.Context, path string) iter.Seq2[Score, error] {
	return func(yield func(Score, error) bool) {
		err := read(ctx, path, checkScoreColumns, func(rec arrow.Record, row int) (bool, error) {
			columns, nan := byName(rec), float32(math.NaN())
			for i := range int(rec.NumRows()) {
				c := cells{columns: columns, i: i}
				s := Score{
					RunID: c.text("run_id", ""), Dataset: c.text("dataset", ""), ObjectID: c.text("object_id", ""), Class: c.text("class", ""),
					Kind: c.text("kind", ""), Presentations: c.count("presentations", 0, exact),
					AUM: float64(c.number("aum", nan)), TrendQ: float64(c.number("trend_q", nan)), ClassOutlier: float64(c.number("class_outlier", nan)),
				}
				var err error
				if s.SampleID, err = schemas.ParseSampleID(c.id("sample")); err != nil && c.err == nil {
					c.err = err
				}
				if c.err == nil && (s.RunID == "" || s.Dataset == "") {
					c.err = errors.New("run_id or dataset is empty")
				}
				if c.err != nil {
					return false, fmt.Errorf("row %d: %w", row+i+1, c.err)
				}
				if !yield(s, nil) {
					return false, nil
				}
			}
			return true, nil
		})
		if err != nil {
			yield(Score{}, fmt.Errorf("scores of %s: %w", path, err))
		}
	}
}

// checkScoreColumns refuses a table that is none of scores.
func checkScoreColumns(names []string) error {
	const writes = "`gleaner export --scores RUN --out FILE.parquet` writes a file that has all that are needed"
	if slices.Contains(names, "epoch") && slices.Contains(names, "loss") {
		return errors.New("these are losses, not the scores that they come to: " + writes)
	}
	for _, name := range scoreColumns {
		if !slices.Contains(names, name) {
			return fmt.Errorf("the column %s is missing; there are %s: %s", name, strings.Join(names, ", "), writes)
		}
	}
	return nil
}
