// Package engine holds the embedded engines: Kafka within the process and ClickHouse in a child process, for running
// everything from one binary. The same clients talk to them as to real servers.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"gleaner/schemas"
)

// KafkaConfig says where the embedded Kafka keeps its log and listens.
type KafkaConfig struct {
	Dir            string           `yaml:"dir"`             // of the log; made if missing, used by one process at a time
	Port           int              `yaml:"port"`            // on 127.0.0.1; 0 chooses a free one and keeps it in Dir
	SyncWrites     bool             `yaml:"sync_writes"`     // an acknowledged record survives a power cut, not only a kill -9
	SegmentBytes   schemas.ByteSize `yaml:"segment_bytes"`   // size of a log file; a start reads one of each partition into memory
	RetentionEvery time.Duration    `yaml:"retention_every"` // how often records past their topic's retention are removed
}

// DefaultKafkaConfig returns the defaults, without a folder.
func DefaultKafkaConfig() KafkaConfig {
	return KafkaConfig{SyncWrites: true, SegmentBytes: 16 << 20, RetentionEvery: 10 * time.Minute}
}

// Validate says what is wrong with the configuration.
func (c KafkaConfig) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("dir: name a folder for the log"))
	}
	if c.Port < 0 || c.Port > 65535 {
		errs = append(errs, fmt.Errorf("port: %d: want 0 to 65535", c.Port))
	}
	if c.SegmentBytes < 1<<20 {
		errs = append(errs, fmt.Errorf("segment_bytes: %s: want at least 1MiB", c.SegmentBytes))
	}
	if c.RetentionEvery <= 0 {
		errs = append(errs, errors.New("retention_every: want more than zero"))
	}
	return errors.Join(errs...)
}

// Kafka is an embedded Kafka of one broker (kfake), on 127.0.0.1 without encryption. Its topics, their settings, records and
// committed offsets survive a kill -9. It keeps on disk what it stores, and in memory about a hundred bytes a batch. It does
// not compact topics, and keeps a partition's last record beyond its retention.
type Kafka struct {
	cfg   KafkaConfig
	log   *slog.Logger
	ready chan struct{}
	addr  string
}

// NewKafka returns an embedded Kafka that does not run yet.
func NewKafka(cfg KafkaConfig, log *slog.Logger) (*Kafka, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("embedded kafka: %w", err)
	}
	return &Kafka{cfg: cfg, log: log, ready: make(chan struct{})}, nil
}

// Ready is closed when clients can connect.
func (k *Kafka) Ready() <-chan struct{} { return k.ready }

// Addr returns host:port for clients, once Ready is closed.
func (k *Kafka) Addr() string { return k.addr }

// Run serves until the context ends, then closes the log cleanly and returns nil. It returns an error at once when the
// folder is in use or unreadable, or the port is taken. A Kafka runs once.
func (k *Kafka) Run(ctx context.Context) error {
	const tenYears = 10 * 365 * 24 * 3600 * 1000 // milliseconds
	if err := os.MkdirAll(k.cfg.Dir, 0o755); err != nil {
		return fmt.Errorf("embedded kafka: %w", err)
	}
	unlock, err := lockDir(k.cfg.Dir)
	if err != nil {
		return fmt.Errorf("embedded kafka: %w", err)
	}
	defer unlock()
	if err := recoverLog(k.cfg.Dir); err != nil {
		return fmt.Errorf("embedded kafka: %w", err)
	}
	listener, err := k.listen()
	if err != nil {
		return fmt.Errorf("embedded kafka: %w", err)
	}
	defer listener.Close()
	opts := []kfake.Opt{
		kfake.Ports(listener.Addr().(*net.TCPAddr).Port),
		// The port is held from here on: one that is let go and taken again may be another's by then.
		kfake.ListenFn(func(string, string) (net.Listener, error) { return listener, nil }),
		kfake.ClusterID("gleaner"),
		kfake.DataDir(k.cfg.Dir),
		kfake.GroupMinSessionTimeout(time.Second),
		kfake.WithLogger(kfakeLog{k.log}),
		kfake.BrokerConfigs(map[string]string{
			"log.segment.bytes":         strconv.FormatInt(int64(k.cfg.SegmentBytes), 10),
			"offsets.retention.minutes": strconv.Itoa(tenYears / 60_000), // the owner of the data may be away for long
			"log.cleaner.backoff.ms":    strconv.Itoa(tenYears),          // never: see retain
		}),
	}
	if k.cfg.SyncWrites {
		opts = append(opts, kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return fmt.Errorf("embedded kafka: %w", err)
	}
	defer cluster.Close()
	k.addr = cluster.ListenAddrs()[0]
	close(k.ready)
	k.log.Info("embedded kafka listens", "address", k.addr, "dir", k.cfg.Dir)
	if err := k.retain(ctx); err != nil {
		return fmt.Errorf("embedded kafka: %w", err)
	}
	return nil
}

// listen takes the configured port, else the one of the last run if it is free, else a free one. Keeping it lets other
// processes' configuration hold over a restart; the log itself does not depend on it.
func (k *Kafka) listen() (net.Listener, error) {
	on := func(port string) (net.Listener, error) { return net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)) }
	if k.cfg.Port != 0 {
		return on(strconv.Itoa(k.cfg.Port))
	}
	file := filepath.Join(k.cfg.Dir, "gleaner-port")
	if last, err := os.ReadFile(file); err == nil {
		if l, err := on(string(last)); err == nil {
			return l, nil
		}
	}
	l, err := on("0")
	if err != nil {
		return nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := os.WriteFile(file, []byte(strconv.Itoa(port)), 0o644); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// lockDir takes the folder for this process until it ends, however it ends: two brokers on one log would ruin it.
func lockDir(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "gleaner-lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s is in use by another process: stop that one, or choose another folder", dir)
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil
}

// kfakeLog passes the broker's warnings and errors on.
type kfakeLog struct{ log *slog.Logger }

func (l kfakeLog) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Error("embedded kafka: " + fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.log.Warn("embedded kafka: " + fmt.Sprintf(format, args...))
	}
}
