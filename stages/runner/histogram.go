package runner

import (
	"math"
	"time"
)

// histogram counts durations in buckets that grow by the fourth root of two, so that a quantile is right within a tenth
// from a microsecond to eleven days.
type histogram struct {
	buckets [histogramBuckets]uint64
	count   uint64
	sum     time.Duration
}

const (
	shortest         = time.Microsecond
	perDoubling      = 4
	histogramBuckets = 160
)

// upper is the largest duration that bucket i counts.
func upper(i int) time.Duration {
	return time.Duration(float64(shortest) * math.Exp2(float64(i)/perDoubling))
}

func (h *histogram) observe(d time.Duration) {
	i := 0
	if d > shortest {
		i = min(int(math.Ceil(perDoubling*math.Log2(float64(d)/float64(shortest)))), histogramBuckets-1)
	}
	h.buckets[i]++
	h.count++
	h.sum += max(d, 0)
}

// quantile returns the geometric middle of the bucket that holds quantile q of the durations, 0 when there are none.
func (h *histogram) quantile(q float64) time.Duration {
	rank, seen := uint64(math.Ceil(q*float64(h.count))), uint64(0)
	for i, n := range h.buckets {
		if seen += n; n > 0 && seen >= rank {
			return time.Duration(float64(upper(i)) * math.Exp2(-0.5/perDoubling))
		}
	}
	return 0
}

// coarse returns cumulative counts by upper bound in seconds, one bucket a factor of four, for Prometheus.
func (h *histogram) coarse() map[float64]uint64 {
	const step = 2 * perDoubling
	out := make(map[float64]uint64, histogramBuckets/step)
	var seen uint64
	for i, n := range h.buckets {
		seen += n
		if i%step == 0 && i > 0 {
			out[upper(i).Seconds()] = seen
		}
	}
	return out
}
