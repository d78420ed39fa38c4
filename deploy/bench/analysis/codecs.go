package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/deploy/bench/report"
)

// curves are rows in the order of the table's key: objects that are learned at rates of their own, 25 epochs of each, with the figures of
// one presentation derived from its logit as they are in training, and a second attempt from epoch 18 on.
const curves = `CREATE TABLE codec_source ENGINE = MergeTree ORDER BY tuple() AS
SELECT (1 + (epoch > 17))::UInt32 AS attempt, id::FixedString(16) AS sample_id, concat('o', toString(object)) AS object_id, epoch::UInt32 AS epoch,
    (epoch * 2500 + rand(1) %% 2500)::UInt64 AS step, (-log(p))::Float32 AS loss, p > 0.5 AS correct, logit::Float32 AS margin, p::Float32 AS p_true,
    sqrt(1.3 * (1 - p) * (1 - p))::Float32 AS el2n, (18 + 4 * randNormal(0, 1))::Float32 AS emb_norm, (p < 0.5 AND rand(2) %% 10 = 0) AS forgot
FROM
(
    SELECT *, 0.6 * sqrt(epoch + 1) * ease - 1 + randNormal(0, 0.8) AS logit, 1 / (1 + exp(-logit)) AS p
    FROM (SELECT sipHash128(intDiv(number, 100)) AS id, intDiv(number, 25) %% 4 AS object, number %% 25 AS epoch, (sipHash64(intDiv(number, 25)) %% 1000) / 1000 AS ease FROM numbers(%d))
    ORDER BY id, object, epoch
)`

// candidates are the codecs that are compared for the columns of one kind.
var candidates = []struct {
	columns []string
	codecs  []string
}{
	{[]string{"attempt", "epoch", "step"}, []string{"LZ4", "Delta, LZ4", "T64, LZ4", "Delta, ZSTD(1)"}},
	{[]string{"sample_id", "object_id"}, []string{"NONE", "LZ4", "ZSTD(1)"}},
	{[]string{"correct", "forgot"}, []string{"LZ4", "T64, LZ4", "ZSTD(1)"}},
	{[]string{"loss", "margin", "p_true", "el2n", "emb_norm"}, []string{"NONE", "LZ4", "ZSTD(1)", "Gorilla, LZ4", "FPC(12), LZ4"}},
}

// codecs measures the columns of losses under the codecs that could suit them: the migrations take theirs from here.
func (b *bench) codecs(ctx context.Context, out io.Writer) (err error) {
	conn, end, err := b.system(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	db, err := ch.Open(&ch.Options{Addr: []string{conn.At.ClickHouse}, Auth: ch.Auth{Database: conn.Config.ClickHouse.Database}})
	if err != nil {
		return err
	}
	defer db.Close() // it holds nothing back
	rows := min(b.rows, 2_000_000)
	if err := db.Exec(ctx, fmt.Sprintf(curves, rows)); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### Codecs\n\n%d rows of simulated curves (objects learned at different rates, 25 epochs) in the order of the table: bytes a row on disk, and milliseconds of ClickHouse's processor time to insert and to scan a million values, medians of %d. In use is what the table has.\n\n", rows, rounds)
	fmt.Fprintln(out, "| column | codec | bytes a row | insert | scan | in use |\n|---|---|---|---|---|---|")
	for _, kind := range candidates {
		for _, column := range kind.columns {
			var inUse, typ string
			if err := db.QueryRow(ctx, "SELECT compression_codec, type FROM system.columns WHERE database = currentDatabase() AND table = 'losses' AND name = ?", column).Scan(&inUse, &typ); err != nil {
				return err
			}
			for _, codec := range kind.codecs {
				c, err := measureCodec(ctx, db, column, typ, codec, rows)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", column, codec, err)
				}
				mark := ""
				if plain := strings.NewReplacer(" ", "", "(4)", "", "(8)", "", "(1)", ""); plain.Replace(inUse) == plain.Replace("CODEC("+codec+")") {
					mark = "×"
				}
				fmt.Fprintf(out, "| %s | %s | %.3f | %.1f | %.1f | %s |\n", column, codec, c.bytes, c.insert, c.scan, mark)
			}
		}
	}
	return nil
}

// codecCost is what one column costs under one codec.
type codecCost struct {
	bytes        float64 // a row
	insert, scan float64 // milliseconds a million rows
}

func measureCodec(ctx context.Context, db driver.Conn, column, typ, codec string, rows int) (c codecCost, err error) {
	var inserts, scans []float64
	million := float64(rows) / 1e6
	for range rounds {
		for _, query := range []string{
			"DROP TABLE IF EXISTS codec",
			fmt.Sprintf("CREATE TABLE codec (v %s CODEC(%s)) ENGINE = MergeTree ORDER BY tuple() SETTINGS min_bytes_for_wide_part = 0", typ, codec),
		} {
			if err := db.Exec(ctx, query); err != nil {
				return c, err
			}
		}
		took, err := processorTime(ctx, db, "INSERT INTO codec SELECT "+column+" FROM codec_source")
		if err != nil {
			return c, err
		}
		inserts = append(inserts, report.Millis(took)/million)
		if took, err = processorTime(ctx, db, "SELECT ignore(max(v)) FROM codec"); err != nil {
			return c, err
		}
		scans = append(scans, report.Millis(took)/million)
	}
	c.insert, c.scan = report.Median(inserts), report.Median(scans)
	err = db.QueryRow(ctx, "SELECT sum(column_data_compressed_bytes) / sum(rows) FROM system.parts_columns WHERE database = currentDatabase() AND table = 'codec' AND active").Scan(&c.bytes)
	return c, err
}

// processorTime runs a query and returns what it took of the server's processors.
func processorTime(ctx context.Context, db driver.Conn, query string) (time.Duration, error) {
	var took time.Duration
	ctx = ch.Context(ctx, ch.WithProfileEvents(func(events []ch.ProfileEvent) {
		for _, e := range events {
			if slices.Contains([]string{"UserTimeMicroseconds", "SystemTimeMicroseconds"}, e.Name) {
				took += time.Duration(e.Value) * time.Microsecond
			}
		}
	}), ch.WithSettings(ch.Settings{"max_threads": 1}))
	err := db.Exec(ctx, query)
	return took, err
}
