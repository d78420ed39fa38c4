package clickhouse

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"gleaner/connectors/engine"
	"gleaner/schemas"
)

// address of the engine that all tests of the package share; each has a database of its own.
var (
	address   string
	databases atomic.Int32
)

func TestMain(m *testing.M) {
	engine.ClickHouseChild()
	code, err := withEngine(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withEngine(run func() int) (int, error) {
	dir, err := os.MkdirTemp("", "clickhouse-test-*")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	cfg := engine.DefaultClickHouseConfig()
	cfg.Dir = dir
	ctx, cancel := context.WithCancel(context.Background())
	e, done, err := startEngine(ctx, cfg, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		cancel()
		return 1, err
	}
	address = e.Addr()
	code := run()
	cancel()
	return code, <-done
}

// startEngine starts an engine that runs until ctx ends; done then gives Run's error.
func startEngine(ctx context.Context, cfg engine.ClickHouseConfig, log *slog.Logger) (*engine.ClickHouse, <-chan error, error) {
	e, err := engine.NewClickHouse(cfg, log)
	if err != nil {
		return nil, nil, err
	}
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	select {
	case <-e.Ready():
		return e, done, nil
	case err := <-done:
		return nil, nil, fmt.Errorf("engine: %w", err)
	}
}

func logger(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// open opens a new migrated database.
func open(t testing.TB, change ...func(*Config)) *DB {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Addrs = []string{address}
	cfg.Database = fmt.Sprintf("test_%d", databases.Add(1))
	for _, f := range change {
		f(&cfg)
	}
	db, err := Open(t.Context(), cfg, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// ask reads rows as tab-separated text, a line each.
func ask(t testing.TB, db *DB, query string) string {
	t.Helper()
	var lines []string
	var one string
	rows, err := db.conn.Query(t.Context(), "SELECT toString(tuple(*)) FROM ("+query+")")
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	for rows.Next() {
		if err := rows.Scan(&one); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, one)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return strings.Join(lines, "\n")
}

// sampleID makes ids that are spread like real ones.
func sampleID(n int) schemas.SampleID {
	return schemas.NewSampleID("test", fmt.Sprint("sample ", n), schemas.Hash{})
}
