package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/schollz/progressbar/v3"

	"gleaner/deploy/bench/meter"
)

//go:embed scores.py
var scoresProgram string

const (
	scoreEpochs  = 100
	scoreRounds  = 2
	scoreThreads = 2
	scoreRun     = "bench"
)

// scoring is what the parts of the section share.
type scoring struct {
	db      driver.Conn
	samples int
	parquet string // file with the rows, in the order of samples and epochs
}

// scores measures scores over many rows: from folded blocks, and computed anew from all rows, beside DuckDB and Polars.
func (b *bench) scores(ctx context.Context, out io.Writer) (err error) {
	conn, end, err := b.system(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	db, err := ch.Open(&ch.Options{
		Addr: []string{conn.At.ClickHouse}, Auth: ch.Auth{Database: conn.Config.ClickHouse.Database}, ReadTimeout: time.Hour,
		Settings: ch.Settings{"max_threads": scoreThreads, "do_not_merge_across_partitions_select_final": 1, "optimize_aggregation_in_order": 1},
	})
	if err != nil {
		return err
	}
	defer db.Close() // it only read
	s := &scoring{db: db, samples: max(1, cmp.Or(b.rows, 100_000_000)/scoreEpochs), parquet: filepath.Join(b.scratch, "losses.parquet")}
	if err := s.generate(ctx); err != nil {
		return err
	}
	began := meter.Read()
	if err := conn.DB.RebuildBlocks(ctx, scoreRun); err != nil {
		return err
	}
	folding := began.Since()
	var bytesOf [2]uint64
	for i, table := range []string{"losses", "loss_blocks"} {
		if err := db.QueryRow(ctx, "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() AND table = ?", table).Scan(&bytesOf[i]); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\n%d million rows, %d epochs of %d samples, made in ClickHouse (%.1f GB; folded into blocks %.1f GB). Two threads for everyone, one round after another;"+
		" the clock depends on what else the machine does, processor time less.\n", s.samples*scoreEpochs/1_000_000, scoreEpochs, s.samples, float64(bytesOf[0])/1e9, float64(bytesOf[1])/1e9)
	fmt.Fprintf(out, "Folding every block anew: %.1f s, %.1f s of processors. The views compute what they are asked for from blocks:\n\n", folding.Wall.Seconds(), folding.CPU().Seconds())
	if err := s.fromBlocks(ctx, out); err != nil {
		return err
	}
	return s.anew(ctx, out, b.python)
}

// generate fills losses, has them merged, and writes the rows to Parquet.
func (s *scoring) generate(ctx context.Context) error {
	const chunk = 20_000 // samples
	bar := progressbar.Default(int64(s.samples), "samples made")
	for first := 0; first < s.samples; first += chunk {
		n := min(chunk, s.samples-first)
		// Most margins grow towards a level of their own; of one sample in ten they stay low, and of one in twenty they fall.
		err := s.db.Exec(ctx, fmt.Sprintf(`INSERT INTO losses (run_id, attempt, model, dataset, sample_id, epoch, step, loss, correct, margin, p_true, el2n, emb_norm, lineage)
SELECT '%s', 1, 'bench@1', 'bench', id, epoch, epoch * 1000, -log(p), m > 0, m, p, sqrt(2) * (1 - p), 8 + m / 8, class
FROM
(
	SELECT id, class, epoch, toFloat32(mean + 1.2 * randNormal(0, 1)) AS m, toFloat32(1 / (1 + exp(-m))) AS p,
		multiIf(s %% 10 = 0, -4 + 3 * epoch / 100, s %% 20 = 1, 5 - 4 * epoch / 100, -2 + (4 + 6 * u) * (1 - exp(-epoch / (3 + 40 * u * u)))) AS mean
	FROM
	(
		SELECT number AS s, (cityHash64(s) %% 1000003) / 1000003 AS u, concat('bench@1 bench@1:', toString(s %% 10)) AS class,
			toFixedString(unhex(concat(leftPad(hex(s * intDiv(18446744073709551615, %[2]d)), 16, '0'), leftPad(hex(cityHash64(s)), 16, '0'))), 16) AS id
		FROM numbers(%[3]d, %[4]d)
	)
	ARRAY JOIN range(%[5]d) AS epoch
)
SETTINGS optimize_on_insert = 0, max_block_size = 65536`, scoreRun, s.samples, first, n, scoreEpochs))
		if err != nil {
			return err
		}
		if err := bar.Add(n); err != nil {
			return err
		}
	}
	if err := s.db.Exec(ctx, "OPTIMIZE TABLE losses FINAL"); err != nil {
		return err
	}
	return s.db.Exec(ctx, fmt.Sprintf("INSERT INTO FUNCTION file('%s', Parquet) SELECT sample_id, epoch, correct, margin, p_true FROM losses WHERE run_id = '%s' ORDER BY sample_id, epoch"+
		" SETTINGS output_format_parquet_fixed_string_as_fixed_byte_array = 1, optimize_read_in_order = 1", s.parquet, scoreRun))
}

// fromBlocks asks the view for the samples that stand first by a score, for which it computes those of all.
func (s *scoring) fromBlocks(ctx context.Context, out io.Writer) error {
	questions := []struct{ name, columns, by string }{
		{"forgetting", "forgetting_events, forgetting, first_learned, never_learned, unforgettable", "forgetting"},
		{"cartography", "confidence, variability, correctness", "variability"},
		{"AUM", "aum", "aum"},
		{"EL2N and GraNd", "el2n, grand", "el2n"},
		{"Dyn-Unc", "dyn_unc", "dyn_unc"},
		{"trend, corrected, and kind", "trend_slope, trend_q, error_score, kind", "trend_slope"},
	}
	fmt.Fprintln(out, "| the first 20 of all samples by | s, the faster of two | s of processors |\n|---|---:|---:|")
	for _, q := range questions {
		var walls, cpus []float64
		for range scoreRounds {
			began := meter.Read()
			rows, err := s.db.Query(ctx, fmt.Sprintf("SELECT sample, %s FROM scores WHERE run_id = '%s' ORDER BY %s DESC LIMIT 20", q.columns, scoreRun, q.by))
			if err != nil {
				return err
			}
			n := 0
			for rows.Next() {
				n++
			}
			if err := errors.Join(rows.Close(), rows.Err()); err != nil {
				return err
			}
			if n != min(20, s.samples) {
				return fmt.Errorf("%s: %d samples came", q.name, n)
			}
			cost := began.Since()
			walls, cpus = append(walls, cost.Wall.Seconds()), append(cpus, cost.CPU().Seconds())
		}
		fmt.Fprintf(out, "| %s | %.2f | %.2f |\n", q.name, slices.Min(walls), slices.Min(cpus))
	}
	return nil
}

// computed is what one way of computing anew came to.
type computed struct {
	Seconds   float64   `json:"seconds"`
	Processor float64   `json:"processor"`
	Samples   uint64    `json:"samples"`
	Sums      []float64 `json:"sums"` // over samples: events, confidence, variability, correctness, AUM
}

// anew computes forgetting, cartography and AUM of all samples from all rows, in turns.
func (s *scoring) anew(ctx context.Context, out io.Writer, python string) error {
	table := fmt.Sprintf("losses FINAL WHERE run_id = '%s'", scoreRun)
	file := fmt.Sprintf("file('%s', Parquet)", s.parquet)
	ways := []struct {
		name string
		run  func() (computed, error)
	}{
		{"ClickHouse, its table", func() (computed, error) { return s.query(ctx, table) }},
		{"ClickHouse, the Parquet file", func() (computed, error) { return s.query(ctx, file) }},
		{"DuckDB, the file", func() (computed, error) { return s.peer(ctx, python, "duckdb") }},
		{"Polars, the file", func() (computed, error) { return s.peer(ctx, python, "polars") }},
		{"Polars, relying on the file's order", func() (computed, error) { return s.peer(ctx, python, "polars-order") }},
	}
	walls, cpus := make([][]float64, len(ways)), make([][]float64, len(ways))
	var first computed
	for round := range scoreRounds {
		for i, w := range ways {
			c, err := w.run()
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			if round == 0 && i == 0 {
				first = c
			}
			if err := first.same(c); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			walls[i], cpus[i] = append(walls[i], c.Seconds), append(cpus[i], c.Processor)
		}
	}
	fmt.Fprintln(out, "\nForgetting, cartography and AUM of all samples, computed from all rows, with the same results:\n\n| | s, the faster of two | s of processors |\n|---|---:|---:|")
	for i, w := range ways {
		fmt.Fprintf(out, "| %s | %.2f | %.2f |\n", w.name, slices.Min(walls[i]), slices.Min(cpus[i]))
	}
	return nil
}

// same refuses results that differ by more than sums of single precision do.
func (c computed) same(other computed) error {
	if c.Samples != other.Samples {
		return fmt.Errorf("%d samples, where others have %d", other.Samples, c.Samples)
	}
	for i := range c.Sums {
		if math.Abs(c.Sums[i]-other.Sums[i]) > 1e-4*math.Abs(c.Sums[i]) {
			return fmt.Errorf("sums %v, where others have %v", other.Sums, c.Sums)
		}
	}
	return nil
}

// query has ClickHouse compute from a source of rows.
func (s *scoring) query(ctx context.Context, from string) (c computed, err error) {
	began := meter.Read()
	c.Sums = make([]float64, 5)
	err = s.db.QueryRow(ctx, fmt.Sprintf(`SELECT count(), toFloat64(sum(events)), sum(confidence), sum(variability), sum(correctness), sum(aum)
FROM
(
	SELECT arraySort(groupArray(toUInt32(epoch * 2 + correct))) AS history,
		arrayCount((before, after) -> bitTest(before, 0) AND NOT bitTest(after, 0), arrayPopBack(history), arrayPopFront(history)) AS events,
		avg(p_true) AS confidence, stddevPop(p_true) AS variability, avg(correct) AS correctness, avg(margin) AS aum
	FROM %s
	GROUP BY sample_id
)`, from)).Scan(&c.Samples, &c.Sums[0], &c.Sums[1], &c.Sums[2], &c.Sums[3], &c.Sums[4])
	cost := began.Since()
	c.Seconds, c.Processor = cost.Wall.Seconds(), cost.CPU().Seconds()
	return c, err
}

// peer has a peer compute from the file, in a process of its own.
func (s *scoring) peer(ctx context.Context, python, name string) (c computed, err error) {
	cmd := exec.CommandContext(ctx, python, "-c", scoresProgram, name, s.parquet)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &stdout, &stderr, os.Environ()
	if err := cmd.Run(); err != nil {
		return c, fmt.Errorf("%w: %s: `make bench-analysis` installs the peers", err, strings.TrimSpace(stderr.String()))
	}
	return c, json.Unmarshal(stdout.Bytes(), &c)
}
