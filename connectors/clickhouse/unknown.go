package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// idsPerQuery keeps the text of a query under ClickHouse's limit of 256 KiB.
const idsPerQuery = 4000

// UnknownSamples returns those of the ids that the catalog has no sample of, in the order of ids. What ingest has just accepted may
// not be there yet.
func (db *DB) UnknownSamples(ctx context.Context, ids []schemas.SampleID) (unknown []schemas.SampleID, err error) {
	for some := range slices.Chunk(ids, idsPerQuery) {
		known := map[schemas.SampleID]bool{}
		literals := make([]string, len(some))
		for i, id := range some {
			literals[i] = idLiteral(id)
		}
		err := db.rows(ctx, fmt.Sprintf("look %d samples up", len(some)), func() {}, func(rows driver.Rows) error {
			var id []byte
			err := rows.Scan(&id)
			known[schemas.SampleID(id)] = true
			return err
		}, "SELECT DISTINCT sample_id FROM samples WHERE sample_id IN ("+strings.Join(literals, ", ")+")")
		if err != nil {
			return nil, err
		}
		for _, id := range some {
			if !known[id] {
				unknown = append(unknown, id)
			}
		}
	}
	return unknown, nil
}
