package clickhouse

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// PutDraws records that images were drawn: audits that may be still to come.
func (db *DB) PutDraws(ctx context.Context, token string, rows []schemas.Audit) error {
	if len(rows) == 0 {
		return nil
	}
	n := len(rows)
	var (
		ids                        = make([]schemas.SampleID, n)
		datasets                   = make([]string, n)
		confidences, probabilities = make([]float64, n), make([]float64, n)
		routed                     = make([]time.Time, n)
	)
	for i, a := range rows {
		ids[i], datasets[i], confidences[i], probabilities[i], routed[i] = a.SampleID, a.Dataset, a.Confidence, a.Probability, instant(a.Routed)
	}
	return db.insert(ctx, "draws", batchToken(token, ids), []column{
		{"dataset", datasets},
		{"sample_id", idBytes(ids)},
		{"confidence", confidences},
		{"probability", probabilities},
		{"routed", routed},
	})
}

// PutAudits records audits; the one of the highest revision of each sample is kept.
func (db *DB) PutAudits(ctx context.Context, token string, rows []schemas.Audit) error {
	if len(rows) == 0 {
		return nil
	}
	n := len(rows)
	var (
		ids                        = make([]schemas.SampleID, n)
		datasets, actors           = make([]string, n), make([]string, n)
		revisions                  = make([]uint64, n)
		confidences, probabilities = make([]float64, n), make([]float64, n)
		wrong                      = make([]bool, n)
		routed, at                 = make([]time.Time, n), make([]time.Time, n)
	)
	for i, a := range rows {
		ids[i], datasets[i], actors[i], revisions[i] = a.SampleID, a.Dataset, a.Actor, a.Revision
		confidences[i], probabilities[i], wrong[i] = a.Confidence, a.Probability, a.Wrong
		routed[i], at[i] = instant(a.Routed), instant(a.At)
	}
	return db.insert(ctx, "audits", batchToken(token, ids), []column{
		{"dataset", datasets},
		{"sample_id", idBytes(ids)},
		{"revision", revisions},
		{"confidence", confidences},
		{"probability", probabilities},
		{"wrong", wrong},
		{"actor", actors},
		{"routed", routed},
		{"at", at},
	})
}

// AuditState names what the tables say of each dataset: it differs when draws or audits have come or gone.
func (db *DB) AuditState(ctx context.Context) (map[string]string, error) {
	state := map[string]string{}
	err := db.rows(ctx, "read the state of audits", func() { clear(state) }, func(rows driver.Rows) error {
		var dataset string
		var n, sum uint64
		if err := rows.Scan(&dataset, &n, &sum); err != nil {
			return err
		}
		state[dataset] = fmt.Sprint(n, "/", sum)
		return nil
	}, `SELECT dataset, count(), groupBitXor(h) FROM (
	SELECT dataset, cityHash64(sample_id, revision, wrong) AS h FROM audits FINAL UNION ALL SELECT dataset, cityHash64(sample_id) FROM draws FINAL
) GROUP BY dataset`)
	return state, err
}

// auditsPerPage bounds how many audits are in memory at a time: some 100 bytes each.
const auditsPerPage = 10_000

// Audits yields the audits of a dataset, also those that are still to come, in the order in which the images were routed, then of
// sample ids. It reads page by page and holds no connection between pages. The first error ends it.
func (db *DB) Audits(ctx context.Context, dataset string) iter.Seq2[schemas.Audit, error] {
	return func(yield func(schemas.Audit, error) bool) {
		after, args := "", []any{dataset, dataset}
		for {
			var page []schemas.Audit
			err := db.rows(ctx, "read audits of "+dataset, func() { page = page[:0] }, func(rows driver.Rows) error {
				a := schemas.Audit{Dataset: dataset}
				var id []byte
				err := rows.Scan(&id, &a.Revision, &a.Confidence, &a.Probability, &a.Wrong, &a.Actor, &a.Routed, &a.At)
				copy(a.SampleID[:], id)
				if a.At.Unix() == 0 { // what a join gives where there is none
					a.At = time.Time{}
				}
				page = append(page, a)
				return err
			}, "SELECT sample_id, a.revision, d.confidence, d.probability, a.wrong, a.actor, d.routed, a.at"+
				" FROM (SELECT sample_id, confidence, probability, routed FROM draws FINAL WHERE dataset = ?"+after+
				fmt.Sprintf(" ORDER BY routed, sample_id LIMIT %d) AS d", auditsPerPage)+
				" LEFT JOIN (SELECT sample_id, revision, wrong, actor, at FROM audits FINAL WHERE dataset = ?) AS a USING (sample_id)"+
				" ORDER BY d.routed, sample_id", args...)
			if err != nil {
				yield(schemas.Audit{}, err)
				return
			}
			for _, a := range page {
				if !yield(a, nil) {
					return
				}
			}
			if len(page) < auditsPerPage {
				return
			}
			last := page[len(page)-1]
			after = fmt.Sprintf(" AND (routed, sample_id) > (fromUnixTimestamp64Micro(%d, 'UTC'), %s)", last.Routed.UnixMicro(), idLiteral(last.SampleID))
		}
	}
}

// Accepted lists the samples of a dataset whose best label was accepted automatically and came to be between two times, both
// included, by their ids.
func (db *DB) Accepted(ctx context.Context, dataset string, from, to time.Time) ([]schemas.SampleID, error) {
	var ids []schemas.SampleID
	err := db.rows(ctx, "read accepted labels of "+dataset, func() { ids = ids[:0] }, func(rows driver.Rows) error {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return err
		}
		ids = append(ids, schemas.SampleID(id))
		return nil
	}, "SELECT sample_id FROM labels FINAL WHERE dataset = ? AND rank = ? AND at BETWEEN fromUnixTimestamp64Micro(?, 'UTC') AND fromUnixTimestamp64Micro(?, 'UTC')"+
		" ORDER BY sample_id", dataset, uint8(schemas.RankAutomatic), from.UnixMicro(), to.UnixMicro())
	return ids, err
}

// LabelCounts is how many samples of a dataset have a best label that was accepted automatically, and one that people made.
func (db *DB) LabelCounts(ctx context.Context, dataset string) (automatic, people uint64, err error) {
	err = db.rows(ctx, "count labels of "+dataset, func() {}, func(rows driver.Rows) error { return rows.Scan(&automatic, &people) },
		"SELECT countIf(rank <= ?), countIf(rank > ?) FROM labels FINAL WHERE dataset = ?", uint8(schemas.RankAutomatic), uint8(schemas.RankAutomatic), dataset)
	return automatic, people, err
}
