package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"gleaner/connectors/native"
	"gleaner/schemas"
)

// ClickHouseConfig says where the embedded ClickHouse keeps its data and listens. It listens on 127.0.0.1 only, for the user
// "default" without a password. This build of the engine aborts, some seconds later, on a native handshake that it refuses (an
// unknown user or database); it is then started again.
type ClickHouseConfig struct {
	Dir         string           `yaml:"dir"`
	TCPPort     int              `yaml:"tcp_port"`     // native protocol; 0: a free one
	HTTPPort    int              `yaml:"http_port"`    // HTTP, /play and /dashboard; 0: a free one
	MaxMemory   schemas.ByteSize `yaml:"max_memory"`   // of the whole engine; a query that needs more fails
	MaxCache    schemas.ByteSize `yaml:"max_cache"`    // of each of its caches of marks and primary indexes
	StopTimeout time.Duration    `yaml:"stop_timeout"` // for a clean end before it is killed
}

// DefaultClickHouseConfig has no directory: the caller gives one.
func DefaultClickHouseConfig() ClickHouseConfig {
	return ClickHouseConfig{MaxMemory: 2 << 30, MaxCache: 64 << 20, StopTimeout: 15 * time.Second}
}

// Validate refuses what cannot work.
func (c ClickHouseConfig) Validate() error {
	switch {
	case c.TCPPort < 0 || c.TCPPort > 65535 || c.HTTPPort < 0 || c.HTTPPort > 65535:
		return fmt.Errorf("ports %d and %d: want 0 to 65535", c.TCPPort, c.HTTPPort)
	case c.TCPPort != 0 && c.TCPPort == c.HTTPPort:
		return fmt.Errorf("tcp_port and http_port are both %d", c.TCPPort)
	case c.MaxMemory < 512<<20:
		return fmt.Errorf("max_memory %s: want at least 512MiB", c.MaxMemory)
	case c.MaxCache < 1<<20:
		return fmt.Errorf("max_cache %s: want at least 1MiB", c.MaxCache)
	case c.StopTimeout <= 0:
		return fmt.Errorf("stop_timeout %s: want more than 0", c.StopTimeout)
	}
	return nil
}

// ClickHouse supervises the engine, which runs in a child process of this program's own file (see ClickHouseChild): a crash of it
// is a restart, not the end of this process.
type ClickHouse struct {
	cfg   ClickHouseConfig
	log   *slog.Logger
	ready chan struct{}

	mu        sync.Mutex
	tcp, http int
	child     *os.Process // while one runs
}

// NewClickHouse validates; nothing starts before Run.
func NewClickHouse(cfg ClickHouseConfig, log *slog.Logger) (*ClickHouse, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("embedded clickhouse: %w", err)
	}
	if cfg.Dir == "" {
		return nil, errors.New("embedded clickhouse: dir is empty")
	}
	return &ClickHouse{cfg: cfg, log: log, ready: make(chan struct{}), tcp: cfg.TCPPort, http: cfg.HTTPPort}, nil
}

// Ready is closed when the engine answers for the first time; the addresses stand from then on, over restarts too.
func (c *ClickHouse) Ready() <-chan struct{} { return c.ready }

// Addr is host:port of the native protocol, valid once Ready.
func (c *ClickHouse) Addr() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return net.JoinHostPort(host, strconv.Itoa(c.tcp))
}

// HTTPAddr is host:port of the HTTP interface, valid once Ready; /play on it takes queries from people.
func (c *ClickHouse) HTTPAddr() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return net.JoinHostPort(host, strconv.Itoa(c.http))
}

const (
	host         = "127.0.0.1"
	startTimeout = time.Minute
	lockTimeout  = 5 * time.Second // for a child whose parent was killed to let go of the directory
	maxFailures  = 3               // starts in a row that never got ready
	firstBackoff = 100 * time.Millisecond
	longBackoff  = 5 * time.Second
)

// Run starts the engine and starts it again whenever it dies. It blocks until ctx ends, which ends the engine cleanly and gives
// nil, or until the engine cannot be started. A clean end takes some milliseconds, but 5 seconds while clients are connected:
// close them first.
func (c *ClickHouse) Run(ctx context.Context) error {
	library, err := native.ClickHouse.Find()
	if err != nil {
		return fmt.Errorf("embedded clickhouse: %w", err)
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("embedded clickhouse: %w", err)
	}
	if err := os.MkdirAll(c.cfg.Dir, 0o755); err != nil {
		return fmt.Errorf("embedded clickhouse: %w", err)
	}
	began, failures, backoff := time.Now(), 0, firstBackoff
	for {
		answered, err := c.runChild(ctx, program, library)
		if ctx.Err() != nil {
			return nil
		}
		if answered {
			failures, backoff, began = 0, firstBackoff, time.Now()
		} else {
			failures++
		}
		switch {
		case answered:
			c.log.Error("embedded clickhouse died, starting it again", "err", err)
		case errors.Is(err, errDirInUse) && time.Since(began) < lockTimeout:
			c.log.Warn("embedded clickhouse waits for its directory, which another holds", "dir", c.cfg.Dir)
			failures = 0
		case errors.Is(err, errPortTaken) && c.freshPorts() && failures < maxFailures:
		case errors.Is(err, errPortTaken), errors.Is(err, errDirInUse), failures >= maxFailures:
			return fmt.Errorf("embedded clickhouse: %w", err)
		default:
			c.log.Error("embedded clickhouse did not start, trying again", "err", err)
		}
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
			return nil
		}
		backoff = min(2*backoff, longBackoff)
	}
}
