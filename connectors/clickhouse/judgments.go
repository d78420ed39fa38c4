package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// PutJudgments records what people made of findings.
func (db *DB) PutJudgments(ctx context.Context, token string, rows []schemas.Judgment) error {
	if len(rows) == 0 {
		return nil
	}
	n := len(rows)
	var (
		ids                        = make([]schemas.SampleID, n)
		datasets, types            = make([]string, n), make([]string, n)
		objectIDs, classes, actors = make([]string, n), make([]string, n), make([]string, n)
		outcomes, reasons          = make([]string, n), make([]string, n)
		revisions                  = make([]uint64, n)
		numbers                    = make([]uint32, n)
		boxes                      = make([][]any, n)
		scores, priors             = make([]float32, n), make([]float32, n)
		at                         = make([]time.Time, n)
	)
	for i, j := range rows {
		ids[i], datasets[i], types[i], revisions[i], numbers[i] = j.SampleID, j.Dataset, string(j.Type), j.Revision, uint32(max(j.Index, 0))
		objectIDs[i], classes[i], boxes[i], scores[i], priors[i] = j.ObjectID, j.Class, tuple(j.Box), j.Score, j.Prior
		outcomes[i], reasons[i], actors[i], at[i] = string(j.Outcome), j.Reason, j.Actor, instant(j.At)
	}
	return db.insert(ctx, "judgments", batchToken(token, ids), []column{
		{"dataset", datasets},
		{"sample_id", idBytes(ids)},
		{"revision", revisions},
		{"finding", numbers},
		{"type", types},
		{"object_id", objectIDs},
		{"class", classes},
		{"box", boxes},
		{"score", scores},
		{"prior", priors},
		{"outcome", outcomes},
		{"reason", reasons},
		{"actor", actors},
		{"at", at},
	})
}

// judgmentBins is how finely JudgmentCounts tells scores apart.
const judgmentBins = 100

// JudgmentCounts counts all judgments by dataset, type of finding and prior, in that order. However many there are, the counts of
// a dataset's type are at most a hundred.
func (db *DB) JudgmentCounts(ctx context.Context) ([]schemas.JudgmentCount, error) {
	var out []schemas.JudgmentCount
	err := db.rows(ctx, "count judgments", func() { out = nil }, func(rows driver.Rows) error {
		var c schemas.JudgmentCount
		var of string
		err := rows.Scan(&c.Dataset, &of, &c.Prior, &c.Fixed, &c.Kept, &c.Passed)
		c.Type = schemas.FindingType(of)
		out = append(out, c)
		return err
	}, fmt.Sprintf("SELECT dataset, type, avg(prior), countIf(outcome = '%s'), countIf(outcome = '%s'), countIf(outcome = '%s') FROM judgments FINAL"+
		" GROUP BY dataset, type, least(toUInt8(prior * %[4]d), %[4]d - 1) AS bin ORDER BY dataset, type, bin",
		schemas.JudgedFixed, schemas.JudgedKept, schemas.JudgedPassed, judgmentBins))
	return out, err
}

// Judgments is the number of rows about judgments, doubles included. It costs the server nothing.
func (db *DB) Judgments(ctx context.Context) (uint64, error) {
	return db.count(ctx, "SELECT count() FROM judgments")
}
