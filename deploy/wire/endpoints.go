package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"gleaner/deploy/config"
)

// Endpoints is where a running system listens. `gleaner up` leaves them in its data folder, so that other commands find the
// embedded engines.
type Endpoints struct {
	PID        int    `json:"pid"`
	Kafka      string `json:"kafka,omitempty"`      // host:port of the embedded Kafka
	ClickHouse string `json:"clickhouse,omitempty"` // host:port of the embedded ClickHouse, native protocol
	Play       string `json:"play,omitempty"`       // http address of its query page
	Web        string `json:"web,omitempty"`        // http address of the page, the API and the metrics
}

// ErrNotRunning says that the embedded engines are asked for and no process runs them.
var ErrNotRunning = errors.New("no system runs")

func endpointsFile(cfg config.Config) string { return filepath.Join(cfg.DataDir, "endpoints.json") }

// Find returns the endpoints of the system that runs on the data folder, for a process other than that one.
func Find(cfg config.Config) (Endpoints, error) {
	var e Endpoints
	data, err := os.ReadFile(endpointsFile(cfg))
	if err == nil {
		err = json.Unmarshal(data, &e)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return e, fmt.Errorf("%s: %w", endpointsFile(cfg), err)
	}
	if err == nil && errors.Is(syscall.Kill(e.PID, 0), syscall.ESRCH) {
		err = fs.ErrNotExist // of a process that was killed
	}
	if err == nil {
		return e, nil
	}
	if cfg.EmbeddedKafka() || cfg.EmbeddedClickHouse() {
		return Endpoints{}, fmt.Errorf("%w on %s: start one with `gleaner up --data %s`, or name kafka.brokers and clickhouse.addrs in a configuration file (--config)", ErrNotRunning, cfg.DataDir, cfg.DataDir)
	}
	return Endpoints{}, nil
}

// forget removes the file if it is this process's own: another one may run steps on the same folder against real servers.
func forget(cfg config.Config) error {
	if e, err := Find(cfg); err != nil || e.PID != os.Getpid() {
		return nil
	}
	return os.Remove(endpointsFile(cfg))
}

func (e Endpoints) write(cfg config.Config) error {
	out, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	tmp := endpointsFile(cfg) + ".new"
	if err := os.WriteFile(tmp, append(out, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, endpointsFile(cfg))
}
