package detect

import (
	"testing"
	"time"
)

// BenchmarkDetect times Detect on the photos of coco128 beside bare runs of the same session, alternately, and reports what
// everything but the inference costs as a share of the bare run.
func BenchmarkDetect(b *testing.B) {
	images := photos(b, 128)
	nop := func([][]float32) error { return nil }
	for _, m := range models {
		b.Run(m.decoder, func(b *testing.B) {
			session := load(b, m.file)
			detector := recognize(b, session, m.file)
			var bare, whole, outside time.Duration
			n := 0
			for b.Loop() {
				img := images[n%len(images)].img
				start := time.Now()
				if err := session.Run(b.Context(), nop, nop); err != nil {
					b.Fatal(err)
				}
				half := time.Now()
				if _, err := detector.Detect(b.Context(), img, 0.05); err != nil {
					b.Fatal(err)
				}
				end := time.Now()
				bare, whole = bare+half.Sub(start), whole+end.Sub(half)
				n++
			}
			outside = whole - bare
			b.ReportMetric(float64(bare.Microseconds())/1000/float64(n), "ms-bare")
			b.ReportMetric(float64(whole.Microseconds())/1000/float64(n), "ms-detect")
			b.ReportMetric(100*float64(outside)/float64(bare), "%-besides")
		})
	}
}
