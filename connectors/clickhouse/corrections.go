package clickhouse

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
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

const (
	// correctionsPerPage bounds how many corrections are in memory at a time, but for those of one sample: some 500 bytes each.
	correctionsPerPage = 10_000
	// submissionsPerPage bounds a query's text: some 80 bytes each.
	submissionsPerPage = 1000
)

// Corrections yields the corrections that stand, those of each sample's latest submission, of the samples submitted last, at most
// newest of a dataset: of one dataset or, when it is empty, of all, in the order of sample ids: a sample's come together. With a
// span of time, only of samples that were written about within it, or up to ten seconds before: a reader who asks for the time
// since it asked last misses none. have, where it is not nil, is asked about each of these samples and the revision of its
// submission; those that the reader has are not read. It reads page by page: memory is bounded and no connection is held between
// pages. The first error ends it.
func (db *DB) Corrections(ctx context.Context, dataset string, within time.Duration, newest int, have func(schemas.SampleID, uint64) bool) iter.Seq2[schemas.Correction, error] {
	return func(yield func(schemas.Correction, error) bool) {
		submissions, err := db.submissions(ctx, dataset, within, newest)
		if err != nil {
			yield(schemas.Correction{}, err)
			return
		}
		if have != nil {
			submissions = slices.DeleteFunc(submissions, func(s submission) bool { return have(schemas.SampleID(s.sample), s.revision) })
		}
		for len(submissions) > 0 {
			n, rows := 1, submissions[0].rows
			for n < min(len(submissions), submissionsPerPage) && rows+submissions[n].rows <= correctionsPerPage {
				rows += submissions[n].rows
				n++
			}
			page, err := db.correctionsOf(ctx, submissions[:n])
			if err != nil {
				yield(schemas.Correction{}, err)
				return
			}
			for _, c := range page {
				if !yield(c, nil) {
					return
				}
			}
			submissions = submissions[n:]
		}
	}
}

// submission is the latest of a sample.
type submission struct {
	dataset  string
	sample   []byte
	revision uint64
	rows     uint64 // about the sample, superseded ones included
}

// submissions lists the samples whose corrections are asked for, in the order of ids. The server reads few columns of them all,
// and groups along the table's order.
func (db *DB) submissions(ctx context.Context, dataset string, within time.Duration, newest int) ([]submission, error) {
	conditions := []string{"true"}
	var args []any
	if dataset != "" {
		conditions, args = append(conditions, "dataset = ?"), append(args, dataset)
	}
	if within > 0 {
		// The set of few samples lets the server read few parts of the table. Only spans of time are compared with its clock.
		conditions = append(conditions, fmt.Sprintf("(dataset, sample_id) IN (SELECT dataset, sample_id FROM corrections"+
			" WHERE written > now64(3) - INTERVAL %d MILLISECOND)", (within+lateness).Milliseconds()))
	}
	var list []submission
	err := db.rows(ctx, "list corrected samples", func() { list = nil }, func(rows driver.Rows) error {
		var s submission
		err := rows.Scan(&s.dataset, &s.sample, &s.revision, &s.rows)
		list = append(list, s)
		return err
	}, "SELECT dataset, sample_id, max(revision), count() FROM corrections WHERE "+strings.Join(conditions, " AND ")+
		" GROUP BY dataset, sample_id ORDER BY argMax(at, revision) DESC, sample_id"+
		fmt.Sprintf(" LIMIT %d BY dataset SETTINGS optimize_aggregation_in_order = 1", newest), args...)
	slices.SortFunc(list, func(a, b submission) int { return bytes.Compare(a.sample, b.sample) })
	return list, err
}

// correctionsOf reads what some submissions said, in the order of sample ids.
func (db *DB) correctionsOf(ctx context.Context, submissions []submission) ([]schemas.Correction, error) {
	var keys strings.Builder
	args := make([]any, 0, len(submissions))
	for i, s := range submissions {
		if i > 0 {
			keys.WriteByte(',')
		}
		fmt.Fprintf(&keys, "(?, unhex('%x'), %d)", s.sample, s.revision)
		args = append(args, s.dataset)
	}
	var page []schemas.Correction
	err := db.rows(ctx, "read corrections", func() { page = page[:0] }, func(rows driver.Rows) error {
		c, err := scanCorrection(rows)
		page = append(page, c)
		return err
	}, "SELECT dataset, sample_id, revision, proposal_id, object_id, source, models, class, canonical, labeled, score, accepted,"+
		" proposal.x1, proposal.y1, proposal.x2, proposal.y2, label.x1, label.y1, label.x2, label.y2, w, h, slices, actor, at"+
		" FROM corrections FINAL WHERE (dataset, sample_id, revision) IN ("+keys.String()+")"+
		" ORDER BY sample_id, proposal_id, object_id", args...)
	return page, err
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
