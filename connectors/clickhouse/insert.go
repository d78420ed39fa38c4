package clickhouse

import (
	"context"
	"fmt"
	"hash/crc32"
	"strings"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"gleaner/schemas"
)

// column is one column of an insert: values is a slice with one element a row, of a type that the column takes.
type column struct {
	name   string
	values any
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batchToken completes the caller's token with the number of rows and a checksum of their ids, so that two batches that
// were given one name by mistake (cut differently after a restart, say) are never taken for each other.
func batchToken(token string, ids []schemas.SampleID) string {
	if token == "" {
		return ""
	}
	sum := uint32(0)
	for i := range ids {
		sum = crc32.Update(sum, castagnoli, ids[i][:])
	}
	return fmt.Sprintf("%s/%d/%08x", token, len(ids), sum)
}

// insert writes one block. With a token, a block that the server already has under it is dropped there: retries insert
// nothing twice. Without one, the server compares the content.
func (db *DB) insert(ctx context.Context, table, token string, columns []column) error {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	query := "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ")"
	settings := ch.Settings{"async_insert": 0}
	if token != "" {
		settings["insert_deduplication_token"] = token
	}
	return db.retry(ctx, "insert into "+table, func(ctx context.Context) error {
		batch, err := db.conn.PrepareBatch(ch.Context(ctx, ch.WithSettings(settings)), query)
		if err != nil {
			return err
		}
		for i, c := range columns {
			if err := batch.Column(i).Append(c.values); err != nil {
				_ = batch.Abort()
				return fmt.Errorf("column %s: %w", c.name, err)
			}
		}
		return batch.Send()
	})
}

// idBytes views ids as the byte slices that FixedString columns take.
func idBytes(ids []schemas.SampleID) [][]byte {
	out := make([][]byte, len(ids))
	for i := range ids {
		out[i] = ids[i][:]
	}
	return out
}
