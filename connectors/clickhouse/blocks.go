package clickhouse

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ever is before any row arrived.
var ever = time.Unix(0, 0)

const (
	// blockEpochs is how many epochs a row of loss_blocks holds, here and in the comments of its migration.
	blockEpochs = 32
	// rowsPerFold bounds how many loss rows the server gathers at a time, in expectation: some 100 bytes each.
	rowsPerFold = 4_000_000
)

// FoldLosses brings loss_blocks, and with it the views scores and forgetting, up to the losses that can be read now: it folds the
// blocks anew that have got rows since the last fold, or lost some to an attempt that was resumed. It blocks until they can be
// read, and returns how many rows were new. All that it knows lies in the database: a fold that was killed is made good by the next, and processes that fold at once
// only do work twice. A block that has lost rows to Config.Losses.KeepDays stays as it was folded, and is logged: rows of it that come
// later stand in losses alone.
func (db *DB) FoldLosses(ctx context.Context) (rows uint64, err error) {
	db.folding.Lock()
	defer db.folding.Unlock()
	span, err := db.foldSpan(ctx)
	if err != nil {
		return 0, err
	}
	runs, err := db.unfolded(ctx, span.since)
	if err != nil || len(runs) == 0 {
		return 0, err
	}
	for _, r := range runs {
		if err := db.foldRun(ctx, r, span); err != nil {
			return rows, err
		}
		rows += r.rows
	}
	return rows, db.insert(ctx, "loss_folds", "", []column{{"upto", []time.Time{span.upto}}})
}

// RebuildBlocks folds all blocks of a run anew, and empties those whose rows are gone. It is for tables that were changed by hand:
// everything else FoldLosses sees. Where rows expire it cannot tell who took them, and leaves blocks that lack some as they are.
func (db *DB) RebuildBlocks(ctx context.Context, runID string) error {
	db.folding.Lock()
	defer db.folding.Unlock()
	span, err := db.foldSpan(ctx)
	if err != nil {
		return err
	}
	span.since = ever
	return db.foldRun(ctx, unfolded{run: runID, rebuild: true}, span)
}

// foldSpan is between which instants, by the server's clock, rows arrived that are to be folded.
type foldSpan struct {
	since time.Time // rows from before it are folded
	upto  time.Time // rows from before it can all be read
	now   time.Time
}

// foldSpan asks for the span. An insert that goes on cannot be read yet, but its rows may say already when they arrived: upto is
// before its beginning.
func (db *DB) foldSpan(ctx context.Context) (s foldSpan, err error) {
	err = db.rows(ctx, "read how far losses are folded", func() {}, func(rows driver.Rows) error { return rows.Scan(&s.since, &s.upto, &s.now) },
		`SELECT (SELECT max(upto) FROM loss_folds), now64(6, 'UTC') - toIntervalMicrosecond(
	(SELECT toUInt64(max(elapsed) * 1e6) + 1000 FROM system.processes WHERE query_kind = 'Insert' AND NOT startsWith(query, '`+foldPrefix+`'))), now64(6, 'UTC')`)
	return s, withGrant(err, db.cfg.Username)
}

// unfolded is a run with rows that have not been folded.
type unfolded struct {
	run         string
	rows        uint64
	first, last uint32 // blocks that these are in
	rebuild     bool   // blocks whose rows are gone are to be emptied
}

func (db *DB) unfolded(ctx context.Context, since time.Time) ([]unfolded, error) {
	var out []unfolded
	err := db.rows(ctx, "find losses to fold", func() { out = nil }, func(rows driver.Rows) error {
		var r unfolded
		err := rows.Scan(&r.run, &r.rows, &r.first, &r.last)
		out = append(out, r)
		return err
	}, fmt.Sprintf("SELECT run_id, count(), intDiv(min(epoch), %[1]d), intDiv(max(epoch), %[1]d) FROM losses WHERE arrived >= %[2]s GROUP BY run_id ORDER BY run_id",
		blockEpochs, secondLiteral(since)))
	return out, err
}

// foldRun folds the blocks of a run that hold rows that arrived from span.since on, all where that is ever.
func (db *DB) foldRun(ctx context.Context, r unfolded, span foldSpan) error {
	attempts, err := db.attempts(ctx, r.run, span.since)
	if err != nil {
		return err
	}
	// Where an attempt resumes at an earlier moment than was known, the rows of all samples from there on are superseded.
	superseded := uint64(math.MaxUint64)
	for _, a := range attempts {
		if a.earlier {
			superseded = min(superseded, uint64(a.epoch/blockEpochs))
		}
	}
	var n uint64
	var dataset string
	err = db.rows(ctx, "count losses of run "+r.run, func() {}, func(rows driver.Rows) error { return rows.Scan(&n, &dataset) },
		"SELECT count(), any(dataset) FROM losses WHERE run_id = ?", r.run)
	if err != nil {
		return err
	}
	expire := db.cfg.Losses.KeepDays > 0
	var kept uint64
	for ids := range idSpans(n, rowsPerFold) {
		of := "run_id = " + stringLiteral(r.run) + " AND " + ids.where()
		where := of
		if span.since.After(ever) {
			where += fmt.Sprintf(" AND (intDiv(epoch, %[1]d) >= %[2]d OR intDiv(epoch, %[1]d) BETWEEN %[3]d AND %[4]d AND (sample_id, object_id, intDiv(epoch, %[1]d)) IN"+
				" (SELECT sample_id, object_id, intDiv(epoch, %[1]d) FROM losses WHERE %[5]s AND arrived >= %[6]s))",
				blockEpochs, superseded, r.first, r.last, where, secondLiteral(span.since))
		}
		rows := folding{from: "losses FINAL WHERE " + where, live: "true"}
		if r.rebuild || expire {
			rows = besideBlocks(where, of)
		}
		if expire {
			const having = " HAVING countIf(live) > 0 AND "
			rows.having = having + whole
			lacking, err := db.count(ctx, fmt.Sprintf("SELECT count() FROM (SELECT 1 FROM %s GROUP BY sample_id, object_id, intDiv(epoch, %d)%sNOT %s)", rows.from, blockEpochs, having, whole))
			if err != nil {
				return err
			}
			kept += lacking
		}
		if err := db.exec(ctx, "fold losses of run "+r.run, foldQuery(rows, ids.where(), dataset, span.now, attempts)); err != nil {
			return err
		}
	}
	if kept > 0 {
		db.log.Warn("blocks of losses stay as they were folded, since rows of them have expired", "run", r.run, "blocks", kept)
	}
	return nil
}

// folding says what is folded.
type folding struct {
	from   string // rows of losses, to be grouped
	live   string // whether one is a row, and not what a block was folded of before
	having string // which blocks are folded; empty: all
}

// besideBlocks adds to the rows of losses that where names what the blocks named by of were folded of before, a row each.
func besideBlocks(where, of string) folding {
	return folding{live: "live", from: fmt.Sprintf(`
	(
		SELECT run_id, attempt, dataset, sample_id, object_id, epoch, step, lineage, correct, loss, p_true, margin, el2n, emb_norm, true AS live, CAST([], 'Array(UInt32)') AS before
		FROM losses FINAL WHERE %s
		UNION ALL
		SELECT run_id, 0, dataset, sample_id, object_id, toUInt32(block * %d), 0, class, false, nan::Float32, nan::Float32, nan::Float32, nan::Float32, nan::Float32, false, epochs
		FROM loss_blocks FINAL WHERE %s
	)`, where, blockEpochs, of)}
}

// whole is the condition that a block has a row, be it a superseded one, of every epoch that it was folded of before.
const whole = "hasAll(groupUniqArrayIf(epoch, live), groupArrayArray(before))"

// foldPrefix is what queries that fold begin with.
const foldPrefix = "INSERT INTO loss_blocks "

// foldQuery folds rows of one run.
func foldQuery(rows folding, span, dataset string, version time.Time, attempts []attempt) string {
	return foldPrefix + `
	(run_id, dataset, sample_id, object_id, block, class, presentations, not_finite, correct, events, first_correct, last_correct, first_learned,
	p_count, p_sum, p_squares, margin_count, margin_sum, loss_sum, epochs, losses, p_true, el2n, emb_norm, version)
WITH
	h.1 AS epochs, h.2 AS rights, h.3 AS nats,
	arrayFilter(x -> isFinite(x), h.4) AS ps,
	arrayFilter(x -> isFinite(x), h.5) AS margins,
	arrayFilter(x -> isFinite(x), nats) AS finite_nats
SELECT
	run, name, sample_id, object_id, block, if(labels.class != '', labels.class, last_lineage),
	length(h), length(h) - length(finite_nats), countEqual(rights, true),
	arrayCount((before, after) -> before AND NOT after, arrayPopBack(rights), arrayPopFront(rights)),
	length(h) > 0 AND rights[1], length(h) > 0 AND rights[-1], if(has(rights, true), epochs[indexOf(rights, true)], NULL),
	length(ps), arraySum(ps), arraySum(p -> toFloat64(p) * p, ps), length(margins), arraySum(margins), arraySum(finite_nats),
	epochs, nats, h.4, if(block = 0, h.6, []), if(block = 0, h.7, []), ` + milliLiteral(version) + `
FROM
(
	SELECT
		any(run_id) AS run, any(dataset) AS name, sample_id, object_id, intDiv(epoch, ` + fmt.Sprint(blockEpochs) + `) AS block, argMaxIf(lineage, epoch, ` + rows.live + `) AS last_lineage,
		arraySort(x -> x.1, groupArrayIf((epoch, correct, loss, p_true, margin, el2n, emb_norm), ` + rows.live + standing(attempts) + `)) AS h
	FROM ` + rows.from + `
	GROUP BY sample_id, object_id, block` + rows.having + `
) AS folded
LEFT ANY JOIN
(
	SELECT sample_id, object.1 AS object_id, object.2 AS class
	FROM labels FINAL
	ARRAY JOIN arrayConcat(arrayZip(object_ids, classes), if(length(arrayDistinct(classes)) = 1, [('', classes[1])], [])) AS object
	WHERE dataset = ` + stringLiteral(dataset) + ` AND ` + span + `
) AS labels USING (sample_id, object_id)
SETTINGS insert_deduplicate = 0, optimize_on_insert = 0, do_not_merge_across_partitions_select_final = 1`
}

var quoted = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

func stringLiteral(s string) string { return "'" + quoted.Replace(s) + "'" }

// secondLiteral has the resolution of losses.arrived, milliLiteral that of loss_blocks.version; both round down.
func secondLiteral(t time.Time) string { return fmt.Sprintf("toDateTime(%d, 'UTC')", t.Unix()) }

func milliLiteral(t time.Time) string {
	return fmt.Sprintf("fromUnixTimestamp64Milli(%d, 'UTC')", t.UnixMilli())
}
