package clickhouse

import (
	"fmt"
	"testing"

	"gleaner/schemas"
)

// lossTable is one message as a trainer sends it: one run and epoch, random-looking figures.
func lossTable(rows int, epoch uint32) *schemas.Losses {
	var l schemas.Losses
	for i := range rows {
		x := float32((i*7919+int(epoch)*104729)%100003) / 100003
		l.Append(schemas.LossRow{
			RunID: "run-2026-05-01", Attempt: 1, Model: "yolox_nano@3", Dataset: "city-streets", SampleID: sampleID(i / 4), ObjectID: fmt.Sprint("o", i%4),
			Epoch: epoch, Step: uint64(i), Loss: 3 * x, Correct: i%3 == 0, Margin: 10*x - 5, PTrue: x, EL2N: 1 - x, EmbNorm: 20 * x,
		})
	}
	return &l
}

// BenchmarkInsertLosses is rows a second into the table, for some sizes of message.
func BenchmarkInsertLosses(b *testing.B) {
	for _, rows := range []int{8192, 65536} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			db := open(b)
			table := lossTable(rows, 0)
			for i := 0; b.Loop(); i++ {
				for j := range table.Epoch {
					table.Epoch[j] = uint32(i)
				}
				if err := db.InsertLosses(b.Context(), fmt.Sprint(rows, "/", i), table); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkCurves is loss rows a second out of the table, folded, in curves.
func BenchmarkCurves(b *testing.B) {
	db := open(b)
	const rows, epochs = 20_000, 15
	for epoch := range uint32(epochs) {
		if err := db.InsertLosses(b.Context(), "", lossTable(rows, epoch)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		n := 0
		for c, err := range db.Curves(b.Context(), "run-2026-05-01") {
			if err != nil {
				b.Fatal(err)
			}
			n += c.Len()
		}
		if n != rows*epochs {
			b.Fatalf("%d rows, want %d", n, rows*epochs)
		}
	}
	b.ReportMetric(rows*epochs*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
