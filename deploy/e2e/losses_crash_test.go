package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gleaner/connectors/clickhouse"
	"gleaner/connectors/engine"
	"gleaner/schemas"
)

// The analysis step is killed in the middle, again and again, joined by a second process and left by the first, while messages come
// twice and a second attempt resumes: the totals are those of a straight count all the same. Caught: acknowledging before rows are
// stored; summaries that add.
func TestKilledAnalysisCountsEveryRowOnce(t *testing.T) {
	addr, client := brokerForTest(t)
	cfg := engine.DefaultClickHouseConfig()
	cfg.Dir = t.TempDir()
	server, err := engine.NewClickHouse(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	untilReady(t, server.Run, server.Ready())
	db, err := openDB(t.Context(), server.Addr(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })

	const samples, epochs, resumedAt, parts = 400, 10, 6, 8
	runs := []string{"run a", "run b", "run c"}
	message := func(run string, attempt, epoch uint32, part int) schemas.Record {
		var l schemas.Losses
		for k := part; k < samples; k += parts {
			loss := float32(uint32(k) % 7 * epoch * attempt) // whole numbers, so that sums do not depend on their order
			if k == 3 && epoch == 2 {
				loss = float32(math.NaN())
			}
			l.Append(schemas.LossRow{
				RunID: run, Attempt: attempt, Dataset: "d", SampleID: schemas.NewSampleID("d", fmt.Sprint(k), schemas.Hash{}), ObjectID: "o1",
				Epoch: epoch, Step: uint64(epoch) * 100, Loss: loss, Correct: k%3 == 0 || attempt == 2,
			})
		}
		value, err := schemas.EncodeLosses(&l)
		if err != nil {
			t.Fatal(err)
		}
		return schemas.Record{Topic: schemas.LossRows, Key: []byte(run), Value: value}
	}
	var records []schemas.Record
	for attempt, from := range []uint32{0, resumedAt} {
		for epoch := from; epoch < epochs; epoch++ {
			for part := range parts {
				for _, run := range runs {
					m := message(run, uint32(attempt+1), epoch, part)
					records = append(records, m)
					if part == 5 { // a producer that did not hear the answer
						records = append(records, m)
					}
				}
			}
		}
	}
	want := make([]clickhouse.Epoch, epochs)
	for e := range want {
		attempt, sum := uint32(1), 0.0
		if e >= resumedAt {
			attempt = 2
		}
		w := clickhouse.Epoch{Epoch: uint32(e), Presentations: samples}
		correct := 0
		for k := range samples {
			if k%3 == 0 || attempt == 2 {
				correct++
			}
			if k == 3 && e == 2 {
				w.NaN++
			} else {
				sum += float64(uint32(k) % 7 * uint32(e) * attempt)
			}
		}
		mean := sum / float64(samples-w.NaN)
		w.MeanLoss, w.Accuracy = &mean, float64(correct)/samples
		want[e] = w
	}

	job := childJob{Steps: []string{"analysis"}, Brokers: []string{addr}, ClickHouse: server.Addr(), Dir: t.TempDir()}
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		for len(records) > 0 && t.Context().Err() == nil {
			n := min(24, len(records))
			produce(t, client, records[:n])
			records = records[n:]
			time.Sleep(100 * time.Millisecond)
		}
	}()
	came := func() (rows uint64) {
		for _, run := range runs {
			s, err := db.LossStats(context.Background(), run)
			if err != nil {
				t.Fatal(err)
			}
			rows += s.Rows
		}
		return rows
	}
	first, _ := job.spawn(t)
	for range 2 {
		before := came()
		eventually(t, 30*time.Second, "rows arrive", func() bool { return came() > before })
		_ = first.Process.Kill()
		_ = first.Wait()
		first, _ = job.spawn(t)
	}
	job.Dir = t.TempDir()
	second, _ := job.spawn(t)
	<-sending
	_ = first.Process.Kill()
	_ = first.Wait()
	eventually(t, 60*time.Second, "all rows are summed up", func() bool {
		for _, run := range runs {
			got, err := db.Epochs(t.Context(), run)
			if err != nil {
				t.Fatal(err)
			}
			if !cmp.Equal(want, got) {
				return false
			}
		}
		return true
	})
	for _, run := range runs {
		s, err := db.LossStats(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		const sent = (epochs + epochs - resumedAt) * samples * (parts + 1) / parts
		if s.Standing != samples*epochs || s.Superseded != 0 || s.Rows < sent || s.Doubles != s.Rows-s.Standing || s.Attempts != 2 || s.NaN < 1 {
			t.Errorf("%s: %+v", run, s)
		}
	}
	if err := second.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := second.Wait(); err != nil {
		t.Error(err)
	}
}
