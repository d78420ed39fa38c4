package detect

import (
	"os"
	"syscall"
	"testing"
	"time"

	"gleaner/connectors/onnx"
	"gleaner/deploy/e2e/realdata"
	"gleaner/stages/prelabel"
)

// loadFeatures is load of a model with the feature map that is chosen.
func loadFeatures(tb testing.TB, file string) prelabel.Session {
	tb.Helper()
	rt, err := onnx.Open()
	if err != nil {
		tb.Fatal(err)
	}
	defer rt.Close()
	data, err := os.ReadFile(realdata.Need(tb, "models", file))
	if err != nil {
		tb.Fatal(err)
	}
	s, err := rt.LoadFeatures(file, data, "", onnx.DefaultConfig())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return prelabel.WithFeatures(s)
}

// BenchmarkEmbed compares the prelabel step with and without embeddings on the decoded photos of coco128, alternately, by
// processor time.
func BenchmarkEmbed(b *testing.B) {
	images := photos(b, 128)
	for _, m := range models {
		b.Run(m.decoder, func(b *testing.B) {
			cfg := prelabel.DefaultConfig()
			plain := step(b, cfg, recognize(b, load(b, m.file), m.file), images...)
			embeds := step(b, cfg, recognize(b, loadFeatures(b, m.file), m.file), images...)
			var without, with time.Duration
			n := 0
			for b.Loop() {
				s := sample(images[n%len(images)])
				start := cpu(b)
				if _, err := plain.Process(b.Context(), s); err != nil {
					b.Fatal(err)
				}
				half := cpu(b)
				if _, emits, err := embeds.ProcessAndEmbed(b.Context(), s); err != nil || len(emits) != 1 {
					b.Fatal(len(emits), err)
				}
				without, with = without+half-start, with+cpu(b)-half
				n++
			}
			b.ReportMetric(float64(without.Microseconds())/1000/float64(n), "ms-without")
			b.ReportMetric(float64(with.Microseconds())/1000/float64(n), "ms-with")
			b.ReportMetric(100*float64(with-without)/float64(without), "%-more")
		})
	}
}

// cpu is the processor time of this process.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
