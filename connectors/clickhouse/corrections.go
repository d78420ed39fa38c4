package clickhouse

import (
	"context"
	"iter"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// PutCorrections records corrections, all those of a submission in one call. Written is the server's to set.
func (db *DB) PutCorrections(ctx context.Context, token string, rows []schemas.Correction) error {
	if len(rows) == 0 {
		return nil
	}
	n := len(rows)
	var (
		ids                           = make([]schemas.SampleID, n)
		datasets, actors              = make([]string, n), make([]string, n)
		proposalIDs, objectIDs        = make([]string, n), make([]string, n)
		sources                       = make([]string, n)
		classes, canonicals, labeleds = make([]string, n), make([]string, n), make([]string, n)
		revisions                     = make([]uint64, n)
		scores                        = make([]float32, n)
		accepted                      = make([]bool, n)
		proposals, labels             = make([][]any, n), make([][]any, n)
		widths, heights               = make([]uint32, n), make([]uint32, n)
		slices                        = make([]map[string]string, n)
		at                            = make([]time.Time, n)
	)
	for i, c := range rows {
		ids[i], datasets[i], actors[i], revisions[i] = c.SampleID, c.Dataset, c.Actor, c.Revision
		proposalIDs[i], objectIDs[i], sources[i] = c.ProposalID, c.ObjectID, c.Source
		classes[i], canonicals[i], labeleds[i] = c.Class, c.Canonical, c.Labeled
		scores[i], accepted[i], proposals[i], labels[i] = c.Score, c.Accepted, tuple(c.Proposal), tuple(c.Label)
		widths[i], heights[i] = uint32(max(c.W, 0)), uint32(max(c.H, 0))
		slices[i], at[i] = c.Slices, instant(c.At)
	}
	return db.insert(ctx, "corrections", batchToken(token, ids), []column{
		{"dataset", datasets},
		{"sample_id", idBytes(ids)},
		{"revision", revisions},
		{"proposal_id", proposalIDs},
		{"object_id", objectIDs},
		{"source", sources},
		{"class", classes},
		{"canonical", canonicals},
		{"labeled", labeleds},
		{"score", scores},
		{"accepted", accepted},
		{"proposal", proposals},
		{"label", labels},
		{"w", widths},
		{"h", heights},
		{"slices", slices},
		{"actor", actors},
		{"at", at},
	})
}

func tuple(b geometry.Box) []any { return []any{b.X1, b.Y1, b.X2, b.Y2} }

// correctionsPerPage bounds how many corrections are in memory at a time, in expectation: some 500 bytes each.
const correctionsPerPage = 10_000

// Corrections yields the corrections that stand, those of each sample's latest submission, of a dataset or, when it is empty,
// of all, in the order of sample ids: a sample's come together. With since, the largest Written that a reader has seen, only
// those of samples written about then or later, some of which it has seen too. It reads page by page: memory is bounded and no
// connection is held between pages. The first error ends it.
func (db *DB) Corrections(ctx context.Context, dataset string, since time.Time) iter.Seq2[schemas.Correction, error] {
	return func(yield func(schemas.Correction, error) bool) {
		of, fresh, args := "true", "true", []any{}
		if dataset != "" {
			of, args = "dataset = ?", []any{dataset}
		}
		latest := args
		if !since.IsZero() {
			fresh, args = "written > ?", append(args[:len(args):len(args)], since.Add(-lateness))
		}
		total, err := db.count(ctx, "SELECT count() FROM corrections WHERE "+of+" AND "+fresh, args...)
		if err != nil {
			yield(schemas.Correction{}, err)
			return
		}
		if total == 0 {
			return
		}
		for span := range idSpans(total, correctionsPerPage) {
			var page []schemas.Correction
			where := " WHERE " + of + " AND " + span.where()
			err := db.rows(ctx, "read corrections", func() { page = page[:0] }, func(rows driver.Rows) error {
				c, err := scanCorrection(rows)
				page = append(page, c)
				return err
			}, "SELECT dataset, sample_id, revision, proposal_id, object_id, source, class, canonical, labeled, score, accepted,"+
				" proposal.x1, proposal.y1, proposal.x2, proposal.y2, label.x1, label.y1, label.x2, label.y2, w, h, slices, actor, at, written"+
				" FROM corrections FINAL"+where+" AND "+fresh+
				" AND (sample_id, revision) IN (SELECT sample_id, max(revision) FROM corrections"+where+" GROUP BY sample_id)"+
				" ORDER BY sample_id, proposal_id, object_id", append(args[:len(args):len(args)], latest...)...)
			if err != nil {
				yield(schemas.Correction{}, err)
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

func scanCorrection(rows driver.Rows) (schemas.Correction, error) {
	var c schemas.Correction
	var id []byte
	var w, h uint32
	p, l := &c.Proposal, &c.Label
	err := rows.Scan(&c.Dataset, &id, &c.Revision, &c.ProposalID, &c.ObjectID, &c.Source, &c.Class, &c.Canonical, &c.Labeled, &c.Score, &c.Accepted,
		&p.X1, &p.Y1, &p.X2, &p.Y2, &l.X1, &l.Y1, &l.X2, &l.Y2, &w, &h, &c.Slices, &c.Actor, &c.At, &c.Written)
	copy(c.SampleID[:], id)
	c.W, c.H = int(w), int(h)
	return c, err
}
