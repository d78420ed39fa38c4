package clickhouse

import (
	"context"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

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
// nothing twice while the server lives. Without one, every block is kept.
func (db *DB) insert(ctx context.Context, table, token string, columns []column) error {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	query := "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ")"
	// Folding the block before it is written would cost as much as sorting it, and reads fold anyway. An index of vectors costs
	// more than all else; merges build it.
	settings := ch.Settings{"async_insert": 0, "optimize_on_insert": 0, "exclude_materialize_skip_indexes_on_insert": "by_code"}
	return db.retry(ctx, "insert into "+table, func(ctx context.Context) error {
		return db.once(ctx, token, func(ctx context.Context, dedup string, value any) error {
			settings[dedup] = value
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
	})
}

// once tries an insert under the setting that keeps the server from inserting what it already has under the token.
//
// A token is good for one life of the server. ClickHouse notes a token just before it commits the rows, so a server killed
// between the two would drop the rows' retry for good; under a new token they come at worst twice, which the tables fold.
func (db *DB) once(ctx context.Context, token string, send func(ctx context.Context, setting string, value any) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, db.cfg.Timeout)
	defer cancel()
	born, err := db.life.born(ctx, db.conn)
	if err != nil {
		return err
	}
	defer func() {
		if _, answered := exception(err); err != nil && !answered {
			db.life.doubt()
		}
	}()
	if token == "" {
		return send(ctx, "insert_deduplicate", 0)
	}
	return send(ctx, "insert_deduplication_token", fmt.Sprintf("%s/%d", token, born))
}

// life knows when the server started.
type life struct {
	mu      sync.Mutex
	start   int64 // Unix seconds
	certain bool
}

// born returns when the server started, and asks it when a connection has failed since the last time.
func (l *life) born(ctx context.Context, conn driver.Conn) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.certain {
		return l.start, nil
	}
	var start int64
	if err := conn.QueryRow(ctx, "SELECT toInt64(toUnixTimestamp(now())) - toInt64(uptime())").Scan(&start); err != nil {
		return 0, err
	}
	if start < l.start-1 || start > l.start+1 { // both figures are rounded
		l.start = start
	}
	l.certain = true
	return l.start, nil
}

// doubt says that a connection failed: the server may have died.
func (l *life) doubt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.certain = false
}

// idBytes views ids as the byte slices that FixedString columns take.
func idBytes(ids []schemas.SampleID) [][]byte {
	out := make([][]byte, len(ids))
	for i := range ids {
		out[i] = ids[i][:]
	}
	return out
}
