package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"golang.org/x/sync/errgroup"

	"gleaner/deploy/bench/meter"
	"gleaner/deploy/wire"
	"gleaner/schemas"
)

const (
	lossRuns    = 4
	messageRows = 8192
	boxes       = 4 // objects of a sample
)

// ingest measures the analysis step from the topic to rows that can be read, against decoding alone and inserting alone.
func (b *bench) ingest(ctx context.Context, out io.Writer) (err error) {
	conn, end, err := b.system(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	messages := b.rows / messageRows
	rows := messages * messageRows
	values, err := produce(ctx, conn, messages)
	if err != nil {
		return err
	}
	count, settled, closeCount, err := counter(conn)
	if err != nil {
		return err
	}
	defer func() { _ = closeCount() }() // it only read

	stop, err := b.analyze(ctx, conn)
	if err != nil {
		return err
	}
	var from meter.Reading
	first, n := uint64(0), uint64(0)
	for began := time.Now(); n < uint64(rows); time.Sleep(20 * time.Millisecond) {
		if n, err = count(ctx); err != nil {
			stop()
			return err
		}
		if first == 0 && n > 0 { // joining the group is over
			first, from = n, meter.Read()
			if b.profile != "" {
				r, err := meter.Record(b.profile)
				if err != nil {
					stop()
					return err
				}
				defer func() {
					_, e := r.End()
					err = errors.Join(err, e)
				}()
			}
		}
		if time.Since(began) > 5*time.Minute {
			stop()
			return fmt.Errorf("only %d of %d rows arrived", n, rows)
		}
	}
	through := from.Since()
	stop()
	if err := settled(ctx); err != nil {
		return err
	}
	merged := from.Since()
	stepRows := float64(uint64(rows) - first)

	from = meter.Read()
	for _, v := range values {
		if _, err := schemas.DecodeLosses(v); err != nil {
			return err
		}
	}
	decode, decoded := from.Since(), float64(len(values)*messageRows)

	// As many rows at once as the step's batches have.
	var table schemas.Losses
	for table.Len() < conn.Config.Step("analysis").BatchRecords*messageRows && table.Len() < 16*messageRows {
		t, err := schemas.DecodeLosses(values[table.Len()/messageRows%len(values)])
		if err != nil {
			return err
		}
		table.AppendTable(&t)
	}
	inserts := max(1, rows/4/table.Len())
	from = meter.Read()
	for i := range inserts {
		for j := range table.Epoch {
			table.Epoch[j] = uint32(1000 + i)
		}
		if err := conn.DB.InsertLosses(ctx, fmt.Sprint("bench/", i), &table); err != nil {
			return err
		}
	}
	insert, inserted := from.Since(), float64(inserts*table.Len())
	if err := settled(ctx); err != nil {
		return err
	}
	insertMerged := from.Since()

	fmt.Fprintf(out, "\n### Ingest\n\n%d rows of %d runs in messages of %d, from the losses topic to rows that ClickHouse counts, through the analysis step as it runs; "+
		"and its two parts alone on one connection and one core: decoding the messages, and inserting tables of %d rows that are built already.\n\n", rows, lossRuns, messageRows, table.Len())
	fmt.Fprintf(out, "| | rows/s | our processor time a million rows | ClickHouse's, until it has merged |\n|---|---|---|---|\n")
	row := func(name string, c, merged meter.Cost, n float64) {
		fmt.Fprintf(out, "| %s | %.0f | %.2f s | %.2f s |\n", name, n/c.Wall.Seconds(), c.Own.Seconds()/n*1e6, merged.Children.Seconds()/n*1e6)
	}
	row("topic to table", through, merged, stepRows)
	row("Arrow decoding alone", decode, meter.Cost{}, decoded)
	row("inserting alone", insert, insertMerged, inserted)
	return nil
}

// analyze runs the analysis step until stop.
func (b *bench) analyze(ctx context.Context, conn *wire.Connections) (stop func(), err error) {
	s, err := conn.NewSystem([]string{"analysis"})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			b.log.Error("the step did not end well", "error", err)
		}
	}, nil
}

// produce fills the topic as trainers do: each run presents its samples in an order of its own, epoch by epoch. It
// returns some of the messages.
func produce(ctx context.Context, conn *wire.Connections, messages int) (some [][]byte, err error) {
	sink := conn.Kafka.Sink()
	defer sink.Close(context.WithoutCancel(ctx))
	kept := make([][]byte, min(messages, 64))
	var size atomic.Int64
	perRun := (messages*messageRows + lossRuns - 1) / lossRuns
	samples := max(1, perRun/boxes/20) // twenty epochs
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for m := range messages {
		group.Go(func() error {
			run, part := m%lossRuns, m/lossRuns
			rng := rand.New(rand.NewPCG(uint64(run), uint64(part)))
			var l schemas.Losses
			for i := range messageRows {
				at := part*messageRows + i
				epoch, k := at/(samples*boxes), at%(samples*boxes)
				x := rng.Float32()
				l.Append(schemas.LossRow{
					RunID: fmt.Sprintf("street-2026/run-%d", run), Attempt: 1, Model: "yolox_nano@3", Dataset: "street",
					SampleID: schemas.NewSampleID("street", fmt.Sprintf("camera/%08d.jpg", (k/boxes*7919+epoch)%samples), schemas.Hash{}),
					ObjectID: fmt.Sprint("o", k%boxes+1), Epoch: uint32(epoch), Step: uint64(at / 64),
					Loss: float32(rng.ExpFloat64()), Correct: x > .2, Margin: float32(rng.NormFloat64()) * 4, PTrue: x, EL2N: 1.4 * (1 - x), EmbNorm: 18 + 4*rng.Float32(), Forgot: x < .05,
				})
			}
			value, err := schemas.EncodeLosses(&l)
			if err != nil {
				return err
			}
			if m < len(kept) {
				kept[m] = value
			}
			size.Add(int64(len(value)))
			return sink.Write(ctx, []schemas.Record{{Topic: schemas.LossRows, Key: []byte(l.RunID[0]), Value: value}})
		})
	}
	err = group.Wait()
	fmt.Fprintf(os.Stderr, "bench-analysis: ingest: %d messages of %d bytes\n", messages, int(size.Load())/max(1, messages))
	return kept, err
}

// counter asks the database, on a connection of its own, for the number of loss rows, replaced ones included, and waits until
// it has merged what it will merge now.
func counter(conn *wire.Connections) (count func(context.Context) (uint64, error), settled func(context.Context) error, close func() error, err error) {
	db, err := ch.Open(&ch.Options{Addr: []string{conn.At.ClickHouse}, Auth: ch.Auth{Database: conn.Config.ClickHouse.Database}})
	if err != nil {
		return nil, nil, nil, err
	}
	ask := func(ctx context.Context, query string) (n uint64, err error) {
		err = db.QueryRow(ctx, query).Scan(&n)
		return n, err
	}
	count = func(ctx context.Context) (uint64, error) { return ask(ctx, "SELECT count() FROM losses") }
	settled = func(ctx context.Context) error {
		for quiet := 0; quiet < 5; time.Sleep(100 * time.Millisecond) {
			n, err := ask(ctx, "SELECT count() FROM system.merges")
			if err != nil {
				return err
			}
			if quiet++; n > 0 {
				quiet = 0
			}
		}
		return nil
	}
	return count, settled, db.Close, nil
}
