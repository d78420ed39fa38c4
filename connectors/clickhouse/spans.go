package clickhouse

import (
	"context"
	"encoding/binary"
	"iter"
	"math"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// idSpan is a range of sample ids, both ends included.
type idSpan struct{ first, last schemas.SampleID }

func (s idSpan) where() string {
	return "sample_id >= " + idLiteral(s.first) + " AND sample_id <= " + idLiteral(s.last)
}

// idSpans cuts the space of ids into spans that hold about perSpan rows each when total rows are spread evenly, as they are
// since ids are digests. The spans tile the whole space in order whatever the estimate. A large table is thereby read in bounded
// memory by short queries that can be repeated, rather than by one that must live as long as its reader.
func idSpans(total, perSpan uint64) iter.Seq[idSpan] {
	return func(yield func(idSpan) bool) {
		n := max(1, (total+perSpan-1)/perSpan)
		step := math.MaxUint64/n + 1 // 0 when n is 1: the loop below then ends after its first span
		for i, first := uint64(0), uint64(0); i < n; i++ {
			var s idSpan
			binary.BigEndian.PutUint64(s.first[:], first)
			last := first + step - 1
			end := i == n-1 || last < first
			if end {
				last = math.MaxUint64
			}
			binary.BigEndian.PutUint64(s.last[:], last)
			binary.BigEndian.PutUint64(s.last[8:], math.MaxUint64)
			if !yield(s) || end {
				return
			}
			first = last + 1
		}
	}
}

// count runs a query that yields one number.
func (db *DB) count(ctx context.Context, query string, args ...any) (uint64, error) {
	var n uint64
	err := db.rows(ctx, "count", func() {}, func(rows driver.Rows) error { return rows.Scan(&n) }, query, args...)
	return n, err
}
