package clickhouse

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// PutCorrections records corrections, all those of a submission in one call.
func (db *DB) PutCorrections(ctx context.Context, token string, rows []schemas.Correction) error {
	if len(rows) == 0 {
		return nil
	}
	n := len(rows)
	var (
		ids                           = make([]schemas.SampleID, n)
		datasets, actors              = make([]string, n), make([]string, n)
		proposalIDs, objectIDs        = make([]string, n), make([]string, n)
		sources, models               = make([]string, n), make([][]string, n)
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
		proposalIDs[i], objectIDs[i], sources[i], models[i] = c.ProposalID, c.ObjectID, c.Source, c.Models
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
		{"models", models},
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
// of all, in the order of sample ids: a sample's come together. With a span of time, only of samples that were written about
// within it, or up to ten seconds before; a reader who asks for the time since it asked last misses none and gets some again. It
// reads page by page: memory is bounded and no connection is held between pages. The first error ends it.
func (db *DB) Corrections(ctx context.Context, dataset string, within time.Duration) iter.Seq2[schemas.Correction, error] {
	return func(yield func(schemas.Correction, error) bool) {
		var conditions []string
		var args []any
		if dataset != "" {
			conditions, args = append(conditions, "dataset = ?"), append(args, dataset)
		}
		if within > 0 {
			// The set of few samples lets the server read few parts of the table. Only spans of time are compared with its clock.
			conditions = append(conditions, fmt.Sprintf("(dataset, sample_id) IN (SELECT dataset, sample_id FROM corrections"+
				" WHERE written > now64(3) - INTERVAL %d MILLISECOND)", (within+lateness).Milliseconds()))
		}
		total, err := db.count(ctx, "SELECT count() FROM corrections WHERE "+strings.Join(append(conditions, "true"), " AND "), args...)
		if err != nil {
			yield(schemas.Correction{}, err)
			return
		}
		if total == 0 {
			return
		}
		for span := range idSpans(total, correctionsPerPage) {
			where := strings.Join(append(conditions[:len(conditions):len(conditions)], span.where()), " AND ")
			var page []schemas.Correction
			err := db.rows(ctx, "read corrections", func() { page = page[:0] }, func(rows driver.Rows) error {
				c, err := scanCorrection(rows)
				page = append(page, c)
				return err
			}, "SELECT dataset, sample_id, revision, proposal_id, object_id, source, models, class, canonical, labeled, score, accepted,"+
				" proposal.x1, proposal.y1, proposal.x2, proposal.y2, label.x1, label.y1, label.x2, label.y2, w, h, slices, actor, at"+
				" FROM corrections FINAL WHERE "+where+
				" AND (sample_id, revision) IN (SELECT sample_id, max(revision) FROM corrections WHERE "+where+" GROUP BY sample_id)"+
				" ORDER BY sample_id, proposal_id, object_id", append(args[:len(args):len(args)], args...)...)
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
	err := rows.Scan(&c.Dataset, &id, &c.Revision, &c.ProposalID, &c.ObjectID, &c.Source, &c.Models, &c.Class, &c.Canonical, &c.Labeled, &c.Score, &c.Accepted,
		&p.X1, &p.Y1, &p.X2, &p.Y2, &l.X1, &l.Y1, &l.X2, &l.Y2, &w, &h, &c.Slices, &c.Actor, &c.At)
	copy(c.SampleID[:], id)
	c.W, c.H = int(w), int(h)
	return c, err
}
