package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gleaner/connectors/native"
)

// parentCommand as first argument makes the test binary a program that runs an engine in the directory of the second, and
// prints its HTTP address and the child's process id, for tests that kill such a program.
const parentCommand = "test-parent"

func TestMain(m *testing.M) {
	ClickHouseChild()
	if len(os.Args) == 3 && os.Args[1] == parentCommand {
		if err := parent(os.Args[2]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func parent(dir string) error {
	cfg := DefaultClickHouseConfig()
	cfg.Dir = dir
	c, err := NewClickHouse(cfg, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	go func() {
		<-c.Ready()
		c.mu.Lock()
		defer c.mu.Unlock()
		fmt.Printf("%d %d\n", c.http, c.child.Pid)
	}()
	return c.Run(context.Background())
}

// start runs an engine until the test ends, or until stop is called, which gives Run's error.
func start(t *testing.T, cfg ClickHouseConfig) (c *ClickHouse, stop func() error) {
	t.Helper()
	c, err := NewClickHouse(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var result error
	go func() { result = c.Run(ctx); close(done) }()
	stop = func() error { cancel(); <-done; return result }
	t.Cleanup(func() { _ = stop() })
	select {
	case <-c.Ready():
	case <-done:
		t.Fatalf("Run: %v", result)
	}
	return c, stop
}

func config(t *testing.T) ClickHouseConfig {
	t.Helper()
	cfg := DefaultClickHouseConfig()
	cfg.Dir = t.TempDir()
	return cfg
}

// ask runs a query over HTTP.
func ask(addr, query string) (string, error) {
	return fetch(http.MethodPost, "http://"+addr+"/?query="+url.QueryEscape(query))
}

// fetch does not keep connections: the engine's end would wait for them.
func fetch(method, address string) (string, error) {
	req, err := http.NewRequest(method, address, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(string(body))
	}
	return strings.TrimSpace(string(body)), err
}

func mustAsk(t *testing.T, addr, query string) string {
	t.Helper()
	answer, err := ask(addr, query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

// eventually asks until the engine answers, as a client of one that restarts does.
func eventually(t *testing.T, addr, query string) string {
	t.Helper()
	for {
		answer, err := ask(addr, query)
		if err == nil {
			return answer
		}
		var refused *url.Error
		if !errors.As(err, &refused) {
			t.Fatalf("%s: %v", query, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (c *ClickHouse) pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.child.Pid
}

// gone reports whether a process has ended; one that waits for its parent to notice has.
func gone(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

const (
	createRows = "CREATE TABLE t (x UInt64) ENGINE = MergeTree ORDER BY x"
	insertRows = "INSERT INTO t SELECT number FROM numbers(100000)"
	sumRows    = "SELECT count(), sum(x) FROM t"
	wantRows   = "100000\t4999950000"
)

func TestClickHouseAnswersAndStopsCleanly(t *testing.T) {
	cfg := config(t)
	c, stop := start(t, cfg)
	if got := mustAsk(t, c.HTTPAddr(), "SELECT getServerSetting('max_server_memory_usage')"); got != strconv.Itoa(int(cfg.MaxMemory)) {
		t.Errorf("memory limit %s, want %d", got, cfg.MaxMemory)
	}
	conn, err := net.Dial("tcp", c.Addr())
	if err != nil {
		t.Errorf("native port: %v", err)
	} else {
		conn.Close()
	}
	if page, err := fetch(http.MethodGet, "http://"+c.HTTPAddr()+"/play"); err != nil || !strings.Contains(page, "<html") {
		t.Errorf("/play gives %.100q, %v", page, err)
	}
	mustAsk(t, c.HTTPAddr(), createRows)
	mustAsk(t, c.HTTPAddr(), insertRows)
	pid := c.pid()
	if err := stop(); err != nil {
		t.Errorf("Run after its context ended: %v", err)
	}
	if !gone(pid) {
		t.Errorf("child %d outlives Run", pid)
	}
	c, _ = start(t, cfg)
	if got := mustAsk(t, c.HTTPAddr(), sumRows); got != wantRows {
		t.Errorf("after a restart %q, want %q", got, wantRows)
	}
}

func TestClickHouseComesBackWhenItsChildIsKilled(t *testing.T) {
	c, _ := start(t, config(t))
	mustAsk(t, c.HTTPAddr(), createRows)
	for round := range 3 {
		mustAsk(t, c.HTTPAddr(), insertRows)
		pid := c.pid()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for !gone(pid) {
			time.Sleep(time.Millisecond)
		}
		want := fmt.Sprintf("%d\t%d", 100000*(round+1), 4999950000*(round+1))
		if got := eventually(t, c.HTTPAddr(), sumRows); got != want {
			t.Errorf("after kill %d: %q, want %q", round+1, got, want)
		}
	}
}

func TestClickHouseEndsWithItsKilledParent(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], parentCommand, dir)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var port, pid int
	if _, err := fmt.Sscan(line, &port, &pid); err != nil {
		t.Fatalf("the parent says %q: %v", line, err)
	}
	addr := net.JoinHostPort(host, strconv.Itoa(port))
	mustAsk(t, addr, createRows)
	mustAsk(t, addr, insertRows)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for !gone(pid) {
		time.Sleep(time.Millisecond)
	}
	cfg := DefaultClickHouseConfig()
	cfg.Dir = dir
	c, _ := start(t, cfg)
	if got := mustAsk(t, c.HTTPAddr(), sumRows); got != wantRows {
		t.Errorf("after the parent was killed %q, want %q", got, wantRows)
	}
}

func TestClickHouseRefusals(t *testing.T) {
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	busy, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	first, _ := start(t, config(t))

	run := func(change func(*ClickHouseConfig)) error {
		cfg := config(t)
		change(&cfg)
		c, err := NewClickHouse(cfg, log)
		if err != nil {
			return err
		}
		return c.Run(t.Context())
	}
	t.Run("library missing", func(t *testing.T) {
		t.Setenv(native.ClickHouse.Env, "/nowhere/libchdb.so")
		if err := run(func(*ClickHouseConfig) {}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), native.ClickHouse.Env) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("library of another kind", func(t *testing.T) {
		t.Setenv(native.ClickHouse.Env, os.Args[0])
		if err := run(func(*ClickHouseConfig) {}); err == nil || !strings.Contains(err.Error(), "load "+os.Args[0]) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("port taken", func(t *testing.T) {
		err := run(func(c *ClickHouseConfig) { c.TCPPort = busy.Addr().(*net.TCPAddr).Port })
		if !errors.Is(err, errPortTaken) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("port taken by another engine", func(t *testing.T) {
		err := run(func(c *ClickHouseConfig) { c.HTTPPort = first.http })
		if !errors.Is(err, errPortTaken) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("directory in use", func(t *testing.T) {
		err := run(func(c *ClickHouseConfig) { c.Dir = first.cfg.Dir })
		if !errors.Is(err, errDirInUse) || !strings.Contains(err.Error(), first.cfg.Dir) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("bad settings", func(t *testing.T) {
		for want, change := range map[string]func(*ClickHouseConfig){
			"dir":          func(c *ClickHouseConfig) { c.Dir = "" },
			"ports":        func(c *ClickHouseConfig) { c.TCPPort = 70000 },
			"both":         func(c *ClickHouseConfig) { c.TCPPort, c.HTTPPort = 9000, 9000 },
			"max_memory":   func(c *ClickHouseConfig) { c.MaxMemory = 1 << 20 },
			"max_cache":    func(c *ClickHouseConfig) { c.MaxCache = 0 },
			"stop_timeout": func(c *ClickHouseConfig) { c.StopTimeout = 0 },
		} {
			if err := run(change); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v does not name %s", err, want)
			}
		}
	})
	if got := mustAsk(t, first.HTTPAddr(), "SELECT 1"); got != "1" {
		t.Errorf("the first engine answers %q after the others were refused", got)
	}
}
