package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// This file runs one child process of the embedded ClickHouse, from its ports and configuration to its last words.

// writeConfig writes the engine's own configuration to a file that the caller removes. The instance tells this child from another
// engine that listens on the port that it was to have.
func (c *ClickHouse) writeConfig(instance string) (string, error) {
	f, err := os.CreateTemp("", "gleaner-clickhouse-*.xml")
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintf(f, `<clickhouse>
    <max_server_memory_usage>%d</max_server_memory_usage>
    <mark_cache_size>%[2]d</mark_cache_size>
    <index_mark_cache_size>%[2]d</index_mark_cache_size>
    <primary_index_cache_size>%[2]d</primary_index_cache_size>
    <memory_worker_period_ms>1000</memory_worker_period_ms>
    <macros><gleaner_instance>%[3]s</gleaner_instance></macros>
</clickhouse>
`, int64(c.cfg.MaxMemory), int64(c.cfg.MaxCache), instance)
	return f.Name(), errors.Join(err, f.Close())
}

// choosePorts fills in the ports that are not set with free ones.
func (c *ClickHouse) choosePorts() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, port := range []*int{&c.tcp, &c.http} {
		if *port != 0 {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return err
		}
		defer l.Close() // until both are chosen, so that they differ
		*port = l.Addr().(*net.TCPAddr).Port
	}
	return nil
}

// freshPorts gives up ports that were chosen here, unless someone may know them already, and reports whether there were any.
func (c *ClickHouse) freshPorts() bool {
	select {
	case <-c.ready:
		return false
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tcp, c.http = c.cfg.TCPPort, c.cfg.HTTPPort
	return c.tcp == 0 || c.http == 0
}

var (
	errDirInUse  = errors.New("the data directory is in use by another ClickHouse")
	errPortTaken = errors.New("a port is taken by another program")
)

// runChild runs one child until it ends, and reports whether it ever answered.
func (c *ClickHouse) runChild(ctx context.Context, program, library string) (answered bool, err error) {
	if err := c.choosePorts(); err != nil {
		return false, err
	}
	c.mu.Lock()
	tcp, web := c.tcp, c.http
	c.mu.Unlock()
	instance := rand.Text()
	config, err := c.writeConfig(instance)
	defer os.Remove(config)
	if err != nil {
		return false, err
	}

	// The engine listens for as long as its query reads from standard input: it ends when the pipe does.
	cmd := exec.CommandContext(ctx, program, clickHouseCommand, library,
		"--config-file="+config, "--path="+c.cfg.Dir,
		"--tcp_port="+strconv.Itoa(tcp), "--http_port="+strconv.Itoa(web), "--listen_host="+host,
		"--input-format", "LineAsString",
		"--query", "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP; SELECT count() FROM table")
	cmd.SysProcAttr = childAttributes()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return false, err
	}
	cmd.Cancel = stdin.Close
	cmd.WaitDelay = c.cfg.StopTimeout
	var output tail
	cmd.Stdout, cmd.Stderr = io.Discard, &output

	// The kernel ends the child when the thread that started it ends, so the thread must last.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return false, fmt.Errorf("start %s: %w", program, err)
	}
	c.setChild(cmd.Process)
	defer c.setChild(nil)

	probing, stopProbing := context.WithCancel(ctx)
	probed := make(chan bool)
	go func() { probed <- c.probe(probing, cmd.Process, web, instance) }()
	err = cmd.Wait()
	stopProbing()
	answered = <-probed

	said := output.String()
	switch {
	case strings.Contains(said, "Cannot lock file"):
		return answered, fmt.Errorf("%w: %s", errDirInUse, c.cfg.Dir)
	case strings.Contains(said, "Address already in use"):
		return answered, fmt.Errorf("%w: native %d or HTTP %d: set other ports, or 0 for free ones", errPortTaken, tcp, web)
	case err == nil:
		err = errors.New("it ended by itself")
	}
	return answered, fmt.Errorf("child process: %w: %s", err, strings.TrimSpace(said))
}

func (c *ClickHouse) setChild(p *os.Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.child = p
}

// probe waits until the engine answers and says so; it kills a child that does not in time.
func (c *ClickHouse) probe(ctx context.Context, child *os.Process, port int, instance string) bool {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	query := "http://" + net.JoinHostPort(host, strconv.Itoa(port)) + "/?query=" + url.QueryEscape("SELECT getMacro('gleaner_instance')")
	for get(ctx, query) != instance {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				_ = child.Kill()
			}
			return false
		}
	}
	select {
	case <-c.ready:
	default:
		close(c.ready)
	}
	c.log.Info("embedded clickhouse is ready", "native", c.Addr(), "http", "http://"+c.HTTPAddr()+"/play", "dir", c.cfg.Dir)
	return true
}

// get returns the first bytes of what an address answers, empty when it does not.
func get(ctx context.Context, address string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return ""
	}
	req.Close = true // the engine's end waits for open connections
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 256))
	return strings.TrimSpace(string(body))
}

// tail keeps the end of what a child writes.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if n := len(t.buf); n > tailSize {
		t.buf = append(t.buf[:0], t.buf[n-tailSize:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
