package clickhouse

import (
	"bytes"
	"math"
	"math/big"
	"testing"

	"gleaner/schemas"
)

// TestSpansTile: whatever the estimate, every id lies in exactly one span, in order.
func TestSpansTile(t *testing.T) {
	for _, total := range []uint64{0, 1, 99, 100, 101, 300, 1000, 12345} {
		next := new(big.Int) // the id that must come next
		n := uint64(0)
		for span := range idSpans(total, 100) {
			first, last := new(big.Int).SetBytes(span.first[:]), new(big.Int).SetBytes(span.last[:])
			if first.Cmp(next) != 0 || last.Cmp(first) < 0 {
				t.Fatalf("%d rows: span %d begins at %x, want %x", total, n, first, next)
			}
			next.Add(last, big.NewInt(1))
			n++
		}
		if end := new(big.Int).Lsh(big.NewInt(1), 128); next.Cmp(end) != 0 {
			t.Errorf("%d rows: the spans end before %x", total, next)
		}
		if want := uint64(math.Max(1, math.Ceil(float64(total)/100))); n != want {
			t.Errorf("%d rows: %d spans, want %d", total, n, want)
		}
	}
	for span := range idSpans(1000, 100) { // leaving early is fine
		if bytes.Compare(span.last[:], make([]byte, len(schemas.SampleID{}))) <= 0 {
			t.Error("the first span is empty")
		}
		break
	}
}
