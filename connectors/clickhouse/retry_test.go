package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gleaner/connectors/engine"
	"gleaner/schemas"
)

// TestWritesOutlastKills kills the engine again and again while batches are written; its supervisor starts it again. No write
// fails and no row is missing, and what was written while the engine lived is there once.
func TestWritesOutlastKills(t *testing.T) {
	cfg := engine.DefaultClickHouseConfig()
	cfg.Dir = t.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	e, stopped, err := startEngine(ctx, cfg, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after that of open, which closes the connections
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	db := open(t, func(c *Config) { c.Addrs = []string{e.Addr()} })
	const batches, rows, kills = 120, 50, 4
	written := make(chan int, batches)
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		for i := range written {
			if i%(batches/kills) == batches/kills/2 {
				time.Sleep(time.Duration(i) * 100 * time.Microsecond) // at another moment of a write each time
				if err := kill("--path=" + cfg.Dir); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	for i := range batches {
		written <- i
		insertStory(t, db, fmt.Sprint("batch ", i), func(l *schemas.Losses) {
			story(l, "run", 1, i, "", 0, strings.Repeat("c", rows))
		})
	}
	close(written)
	<-killed
	if got, want := len(curves(t, db, "run")), batches; got != want {
		t.Errorf("%d curves, want %d", got, want)
	}
	if got, want := ask(t, db, "SELECT count() FROM losses FINAL"), fmt.Sprintf("(%d)", batches*rows); got != want {
		t.Errorf("%s rows once folded, want %s", got, want)
	}
	var raw int
	if _, err := fmt.Sscanf(ask(t, db, "SELECT count() FROM losses"), "(%d)", &raw); err != nil || raw > (batches+kills)*rows {
		t.Errorf("%d rows, want at most one double batch a kill: %v", raw, err)
	}
}

// kill kills the process that has an argument.
func kill(argument string) error {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || !slices.Contains(strings.Split(string(text), "\x00"), argument) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return err
		}
		return syscall.Kill(pid, syscall.SIGKILL)
	}
	return errors.New("no process has the argument " + argument)
}

func TestFaultsThatStay(t *testing.T) {
	db := open(t)
	began := time.Now()
	if err := db.exec(t.Context(), "ask nonsense", "SELECT nonsense"); err == nil || !strings.Contains(err.Error(), "ask nonsense") {
		t.Errorf("error %v", err)
	}
	if spent := time.Since(began); spent > db.cfg.RetryFor/2 {
		t.Errorf("an error for good was retried for %s", spent)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.exec(canceled, "wait", "SELECT 1"); err == nil {
		t.Error("a canceled call succeeded")
	}
	cfg := db.cfg
	cfg.Addrs, cfg.RetryFor = []string{"127.0.0.1:1"}, 50*time.Millisecond
	if _, err := Open(t.Context(), cfg, logger(t)); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("error %v does not name the address", err)
	}
}

// TestHungServerIsLeft asks a server that takes connections, greets, and answers nothing more, as one on a dead disk does.
func TestHungServerIsLeft(t *testing.T) {
	hung, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close()
	var silent atomic.Bool
	go func() {
		for {
			client, err := hung.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			go func() { _, _ = io.Copy(server, client); server.Close() }()
			go func() {
				defer client.Close()
				buf := make([]byte, 1<<16)
				for {
					n, err := server.Read(buf)
					if err != nil {
						return
					}
					if !silent.Load() {
						_, _ = client.Write(buf[:n])
					}
				}
			}()
		}
	}()
	db := open(t, func(c *Config) {
		c.Addrs, c.DialTimeout, c.Timeout, c.RetryFor = []string{hung.Addr().String()}, time.Second, 100*time.Millisecond, 150*time.Millisecond
	})
	silent.Store(true)
	for what, call := range map[string]func() error{
		"query": func() error { _, err := db.count(t.Context(), "SELECT count() FROM samples"); return err },
		"insert": func() error {
			return db.PutSamples(t.Context(), "", []schemas.Sample{sample(1, schemas.StageSamples, 0, 0)})
		},
	} {
		if err := call(); err == nil || t.Context().Err() != nil || !transient(err) {
			t.Errorf("%s: error %v, want one that a later try may mend", what, err)
		}
	}
	silent.Store(false)
	if _, err := db.count(t.Context(), "SELECT count() FROM samples"); err != nil {
		t.Errorf("once it answers again: %v", err)
	}
}

func TestConfigRefusals(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"clickhouse: database":      func(c *Config) { c.Database = "a`b" },
		"clickhouse: connections":   func(c *Config) { c.Connections = 0 },
		"clickhouse: dial_timeout":  func(c *Config) { c.DialTimeout = 0 },
		"clickhouse: retry_for":     func(c *Config) { c.RetryFor = -1 },
		"clickhouse: timeout":       func(c *Config) { c.Timeout = 0 },
		"twins: refresh":            func(c *Config) { c.Twins.Refresh = 0 },
		"twins: max_samples":        func(c *Config) { c.Twins.MaxSamples = 0 },
		"go together":               func(c *Config) { c.TLS = TLS{Enabled: true, CertFile: "x"} },
		"not enabled":               func(c *Config) { c.TLS.CAFile = "x" },
		"clickhouse: addrs":         func(*Config) {},
		"tls.ca_file":               func(c *Config) { c.Addrs = []string{"x:1"}; c.TLS = TLS{Enabled: true, CAFile: "/nowhere"} },
		"clickhouse: password_file": func(c *Config) { c.Addrs, c.PasswordFile = []string{"x:1"}, "/nowhere" },
		"tls.cert_file": func(c *Config) {
			c.Addrs = []string{"x:1"}
			c.TLS = TLS{Enabled: true, CertFile: "/nowhere", KeyFile: "/nowhere"}
		},
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if _, err := Open(t.Context(), cfg, logger(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %q", err, want)
		}
	}
}
