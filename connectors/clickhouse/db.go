package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// DB is a pool of connections to one database. All methods may be called concurrently.
type DB struct {
	cfg    Config
	log    *slog.Logger
	conn   driver.Conn
	native *native
	life   life

	folding sync.Mutex // one fold at a time: others would do the same work
}

// Open connects, retrying for Config.RetryFor, and creates the database when it is absent.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*DB, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	if len(cfg.Addrs) == 0 {
		return nil, errors.New("clickhouse: addrs is empty: want host:port of the native protocol")
	}
	tlsConfig, err := cfg.TLS.config()
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	password, err := cfg.password()
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	db := &DB{cfg: cfg, log: log, native: newNative(cfg, tlsConfig, password)}
	options := ch.Options{
		Addr:         cfg.Addrs,
		Auth:         ch.Auth{Database: cfg.Database, Username: cfg.Username, Password: password},
		TLS:          tlsConfig,
		DialTimeout:  cfg.DialTimeout,
		MaxOpenConns: cfg.Connections,
		MaxIdleConns: cfg.Connections,
		Compression:  &ch.Compression{Method: ch.CompressionLZ4},
		Settings: ch.Settings{
			// The tables' partitions are functions of their keys: rows that replace each other share one.
			"do_not_merge_across_partitions_select_final": 1,
		},
	}
	if err := db.retry(ctx, "connect", func(ctx context.Context) error { return ensureDatabase(ctx, options) }); err != nil {
		return nil, fmt.Errorf("%w (addresses %v)", err, cfg.Addrs)
	}
	if db.conn, err = ch.Open(&options); err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	return db, nil
}

// ensureDatabase creates the database when it is absent, over a connection of its own: the handshake of all others names the
// database, and fails without it.
func ensureDatabase(ctx context.Context, options ch.Options) error {
	name := options.Auth.Database
	options.Auth.Database = "default"
	options.MaxOpenConns, options.MaxIdleConns = 1, 1
	conn, err := ch.Open(&options)
	if err != nil {
		return err
	}
	var found uint64
	err = conn.QueryRow(ctx, "SELECT count() FROM system.databases WHERE name = ?", name).Scan(&found)
	if err == nil && found == 0 { // a user who may not create databases is fine where there is one
		err = conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS `"+name+"`")
	}
	return errors.Join(err, conn.Close())
}

// Close closes the connections.
func (db *DB) Close() error { return errors.Join(db.native.close(), db.conn.Close()) }

// exec runs a statement with retries and for as long as it takes: a change of the schema or an erasure rewrites tables.
func (db *DB) exec(ctx context.Context, what, query string, args ...any) error {
	return db.retry(ctx, what, func(ctx context.Context) error { return db.conn.Exec(ctx, query, args...) })
}

// rows runs a query with retries and hands each of its rows to scan. A retry begins anew: reset is called first.
func (db *DB) rows(ctx context.Context, what string, reset func(), scan func(driver.Rows) error, query string, args ...any) error {
	return db.retry(ctx, what, func(ctx context.Context) error {
		reset()
		ctx, cancel := context.WithTimeout(ctx, db.cfg.Timeout)
		defer cancel()
		rows, err := db.conn.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		for rows.Next() {
			if err := scan(rows); err != nil {
				cancel() // Close would read the rest of the answer otherwise
				_ = rows.Close()
				return err
			}
		}
		return errors.Join(rows.Close(), rows.Err())
	})
}
