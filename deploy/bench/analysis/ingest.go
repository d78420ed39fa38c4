package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"gleaner/deploy/bench/meter"
	"gleaner/deploy/bench/report"
	"gleaner/deploy/wire"
	"gleaner/schemas"
)

const (
	lossRuns    = 4
	messageRows = 8192
	boxes       = 4 // objects of a sample
	rounds      = 3
)

// way is one of the ways from the topic to the table.
type way struct {
	name  string
	start func(ctx context.Context) (stop func() error, err error)
	costs []arrival
}

// arrival is what one way took, joining its consumer group included.
type arrival struct {
	read, merged meter.Cost // until all rows could be read, and until the table had merged
}

// ingest measures the analysis step from the losses topic to rows that can be read, and ClickHouse's own Kafka engine on the same
// messages, in turns.
func (b *bench) ingest(ctx context.Context, out io.Writer) (err error) {
	conn, end, err := b.system(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	db, err := ch.Open(&ch.Options{Addr: []string{conn.At.ClickHouse}, Auth: ch.Auth{Database: conn.Config.ClickHouse.Database}})
	if err != nil {
		return err
	}
	defer db.Close() // it only read
	ways := []*way{{name: "the analysis step", start: func(ctx context.Context) (func() error, error) { return analyze(ctx, conn) }}}
	e, err := newKafkaEngine(ctx, db, conn.At.Kafka)
	if err != nil {
		return err
	}
	ways = append(ways, &way{name: "ClickHouse's Kafka engine", start: e.start})

	messages := cmp.Or(b.rows, 5_000_000) / messageRows
	rows := messages * messageRows
	var values [][]byte
	for round := range rounds {
		if values, err = produce(ctx, conn, round, messages); err != nil {
			return err
		}
		for i := range ways {
			w := ways[(i+round)%len(ways)]
			a, err := b.arrive(ctx, db, w, uint64(rows))
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			w.costs = append(w.costs, a)
			fmt.Fprintf(os.Stderr, "bench-analysis: ingest: %s: %.0f rows/s\n", w.name, float64(rows)/a.read.Wall.Seconds())
		}
	}

	from := meter.Read()
	tables := make([]schemas.Losses, len(values))
	for i, v := range values {
		if tables[i], err = schemas.DecodeLosses(v); err != nil {
			return err
		}
	}
	decoding := from.Since()
	table := schemas.ConcatLosses(tables)
	from = meter.Read()
	if err := conn.DB.InsertLosses(ctx, "bench", &table); err != nil {
		return err
	}
	inserting := from.Since()

	fmt.Fprintf(out, "\n### Ingest\n\n%d rows of %d runs, in messages of %d (%d bytes), are on the losses topic. Until all can be read in the same table, in turns on the same messages; "+
		"medians of %d rounds. The clock counts joining the consumer group too, and whatever else the machine was doing; processor time is all that Kafka, ClickHouse and the step take, and says what %d idle cores would allow.\n\n",
		rows, lossRuns, messageRows, len(values[0]), rounds, cores)
	fmt.Fprintf(out, "| | rows/s by the clock | of the step's | processor time a million rows, until read | until merged | rows/s that it allows, merged |\n|---|---|---|---|---|---|\n")
	million := float64(rows) / 1e6
	rateOf := func(a arrival) float64 { return float64(rows) / a.read.Wall.Seconds() }
	for _, w := range ways {
		rate := median(w.costs, rateOf)
		merged := median(w.costs, func(a arrival) float64 { return a.merged.CPU().Seconds() / million })
		fmt.Fprintf(out, "| %s | %.0f | %.2f | %.2f s | %.2f s | %.0f |\n", w.name, rate, rate/median(ways[0].costs, rateOf),
			median(w.costs, func(a arrival) float64 { return a.read.CPU().Seconds() / million }), merged, cores*1e6/merged)
	}
	some := float64(table.Len()) / 1e6
	fmt.Fprintf(out, "\nOf the step's own processor time, a million rows: decoding Arrow %.2f s; putting rows into the table's order and sending them in one insert of %d, %.2f s, and ClickHouse's %.2f s.\n",
		decoding.Own.Seconds()/some, table.Len(), inserting.Own.Seconds()/some, inserting.Children.Seconds()/some)
	return nil
}

func median[T any](of []T, what func(T) float64) float64 {
	values := make([]float64, len(of))
	for i, t := range of {
		values[i] = what(t)
	}
	return report.Median(values)
}

// cores is what the figures are for.
const cores = 2

// arrive empties the table, lets rows come that one way, and empties it again.
func (b *bench) arrive(ctx context.Context, db driver.Conn, w *way, rows uint64) (a arrival, err error) {
	if err := db.Exec(ctx, "TRUNCATE TABLE losses"); err != nil {
		return a, err
	}
	var profile *meter.Recording
	if b.profile != "" {
		if profile, err = meter.Record(b.profile); err != nil {
			return a, err
		}
		defer func() {
			_, e := profile.End()
			err = errors.Join(err, e)
		}()
	}
	from := meter.Read()
	stop, err := w.start(ctx)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		var n uint64
		if err := db.QueryRow(ctx, "SELECT count() FROM losses").Scan(&n); err != nil {
			return a, err
		}
		if n == rows {
			break
		}
		if n > rows || time.Since(began) > 5*time.Minute {
			return a, fmt.Errorf("%d of %d rows after %s", n, rows, time.Since(began))
		}
	}
	a.read = from.Since()
	for quiet := 0; quiet < 5; time.Sleep(100 * time.Millisecond) {
		var merges uint64
		if err := db.QueryRow(ctx, "SELECT count() FROM system.merges").Scan(&merges); err != nil {
			return a, err
		}
		if quiet++; merges > 0 {
			quiet = 0
		}
	}
	a.merged = from.Since()
	return a, nil
}

// analyze runs the analysis step until stop.
func analyze(ctx context.Context, conn *wire.Connections) (stop func() error, err error) {
	s, err := conn.NewSystem([]string{"analysis"})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}, nil
}

// kafkaEngine is a table of ClickHouse's own that reads the losses topic as its own consumer group.
type kafkaEngine struct {
	db   driver.Conn
	name string
}

// newKafkaEngine creates the table, which reads nothing as long as no view asks. It has a consumer, and a thread, for each core, and waits
// no longer for a full block than the step does for a full batch.
func newKafkaEngine(ctx context.Context, db driver.Conn, broker string) (kafkaEngine, error) {
	e := kafkaEngine{db, "losses_from_kafka"}
	var columns string // but those that the server fills in, which such a table cannot have
	err := db.QueryRow(ctx, "SELECT arrayStringConcat(groupArray(concat(name, ' ', type)), ', ') FROM system.columns WHERE database = currentDatabase() AND table = 'losses' AND default_kind = ''").Scan(&columns)
	if err != nil {
		return e, err
	}
	return e, db.Exec(ctx, fmt.Sprintf(`CREATE TABLE %s (%s) ENGINE = Kafka SETTINGS kafka_broker_list = '%s', kafka_topic_list = '%s',
kafka_group_name = '%[1]s', kafka_format = 'ArrowStream', kafka_num_consumers = %[5]d, kafka_thread_per_consumer = 1, kafka_flush_interval_ms = 500`,
		e.name, columns, broker, schemas.LossRows, cores))
}

// start pours what the table reads into losses, until stop.
func (e kafkaEngine) start(ctx context.Context) (stop func() error, err error) {
	if err := e.db.Exec(ctx, fmt.Sprintf("CREATE MATERIALIZED VIEW %s_view TO losses AS SELECT * FROM %[1]s", e.name)); err != nil {
		return nil, err
	}
	return func() error { return e.db.Exec(ctx, fmt.Sprintf("DROP TABLE %s_view SYNC", e.name)) }, nil
}

// produce fills the topic as trainers do: each run presents its samples in an order of its own, epoch by epoch. It
// returns some of the messages.
func produce(ctx context.Context, conn *wire.Connections, round, messages int) (some [][]byte, err error) {
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
			rng := rand.New(rand.NewPCG(uint64(round*lossRuns+run), uint64(part)))
			var l schemas.Losses
			for i := range messageRows {
				at := part*messageRows + i
				epoch, k := at/(samples*boxes), at%(samples*boxes)
				x := rng.Float32()
				l.Append(schemas.LossRow{
					RunID: fmt.Sprintf("street-2026/run-%d-%d", round, run), Attempt: 1, Model: "yolox_nano@3", Dataset: "street",
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
