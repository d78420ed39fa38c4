package e2e

// The real binary as a child process, and what a person at its command line, its HTTP API and its databases sees.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gleaner/deploy/config"
	"gleaner/deploy/scenes"
	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// patience bounds every wait of these tests; it is what a loaded machine may take, not what a system should.
const patience = 90 * time.Second

// systemConfig has the page on a free port and sessions so short that a killed process is soon taken for dead.
const systemConfig = `web: {address: "127.0.0.1:0"}
log: {level: warn}
kafka: {group: {session_timeout: 2s, heartbeat: 200ms, drain: 1s, rebalance_timeout: 3s}}
stop_within: 20s
`

// binaryDir is where this process builds; TestMain removes it.
func binaryDir() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("gleaner-e2e-%d", os.Getpid()))
}

// buildSystem makes the binary once, with the race detector if the tests have it.
var buildSystem = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(binaryDir(), "gleaner")
	args := []string{"build", "-o", bin}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "gleaner")...).CombinedOutput(); err != nil {
		return bin, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

// installation is a data folder with its configuration, on which a system can be started again and again.
type installation struct {
	bin, dir, config string
}

func install(t *testing.T) *installation {
	t.Helper()
	bin, err := buildSystem()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	i := &installation{bin: bin, dir: filepath.Join(dir, "data"), config: filepath.Join(dir, "gleaner.yaml")}
	if err := os.WriteFile(i.config, []byte(systemConfig), 0o644); err != nil {
		t.Fatal(err)
	}
	return i
}

// run is one command line; it waits for the end.
func (i *installation) run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs strings.Builder
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, i.bin, append(args, "--config", i.config, "--data", i.dir)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
			t.Fatalf("gleaner %s: %v", strings.Join(args, " "), err)
		}
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// ok is a command that must succeed; it returns what was printed.
func (i *installation) ok(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, code := i.run(t, args...)
	if code != 0 {
		t.Fatalf("gleaner %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// decode runs a command with --json and decodes what it prints.
func decode[T any](t *testing.T, i *installation, args ...string) (v T) {
	t.Helper()
	out := i.ok(t, append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("gleaner %s --json: %v\n%s", strings.Join(args, " "), err, out)
	}
	return v
}

// instance is a running `gleaner up`, or demo.
type instance struct {
	*installation
	at       wire.Endpoints
	cmd      *exec.Cmd
	children []int // the embedded ClickHouse
	ended    chan struct{}
}

// up starts the whole system and waits until its page answers.
func (i *installation) up(t *testing.T) *instance {
	t.Helper()
	return i.start(t, "up")
}

// start starts a command that runs the whole system.
func (i *installation) start(t *testing.T, args ...string) *instance {
	t.Helper()
	s := &instance{installation: i, ended: make(chan struct{})}
	log := &lockedBuffer{}
	s.cmd = exec.Command(i.bin, append(args, "--config", i.config, "--data", i.dir)...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	t.Cleanup(func() {
		s.kill()
		text := log.String()
		if strings.Contains(text, "DATA RACE") {
			t.Error("the race detector has something to say")
		}
		if t.Failed() {
			t.Logf("gleaner %s, process %d:\n%s", args[0], s.cmd.Process.Pid, text[max(0, len(text)-20_000):])
		}
	})
	eventually(t, patience, "the system answers", func() bool {
		if s.dead() {
			t.Fatalf("gleaner %s ended: %s\n%s", args[0], s.cmd.ProcessState, log.String())
		}
		data, err := os.ReadFile(filepath.Join(i.dir, "endpoints.json"))
		var at wire.Endpoints
		if err != nil || json.Unmarshal(data, &at) != nil || at.PID != s.cmd.Process.Pid {
			return false // none yet, or those of a process that was killed
		}
		s.at = at
		answer, err := http.Get(at.Web + "/healthz")
		if err != nil {
			return false
		}
		return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	})
	s.children = childrenOf(s.cmd.Process.Pid)
	if len(s.children) == 0 {
		t.Fatal("the system has no child process: where is the embedded ClickHouse?")
	}
	return s
}

func (s *instance) dead() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// kill is kill -9.
func (s *instance) kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// orphans waits until no child of the ended process is left.
func (s *instance) orphans(t *testing.T) {
	t.Helper()
	eventually(t, patience, "the children of the system are gone", func() bool {
		return !slices.ContainsFunc(s.children, alive)
	})
}

// stop is SIGTERM. It returns the exit code.
func (s *instance) stop(t *testing.T) int {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.ended:
	case <-time.After(patience):
		t.Fatal("the system does not stop")
	}
	return s.cmd.ProcessState.ExitCode()
}

// processStat returns the state and the parent of a process; ok is false when there is none.
func processStat(pid int) (state string, parent int, ok bool) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", 0, false
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 2 {
		return "", 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	return fields[0], parent, err == nil
}

func alive(pid int) bool {
	state, _, ok := processStat(pid)
	return ok && state != "Z"
}

func childrenOf(parent int) (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if _, p, ok := processStat(pid); ok && p == parent {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// connect opens clients of the running system, closed with the test.
func (s *instance) connect(t *testing.T) *wire.Connections {
	t.Helper()
	cfg, err := config.Load(s.config)
	if err != nil {
		t.Fatal(err)
	}
	if cfg, err = cfg.In(s.dir); err != nil {
		t.Fatal(err)
	}
	c, err := wire.Connect(t.Context(), cfg, s.at, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// sql asks the embedded ClickHouse over HTTP and returns the rows, tabs between columns.
func (s *instance) sql(t *testing.T, query string) []string {
	t.Helper()
	base := strings.TrimSuffix(s.at.Play, "/play")
	answer, err := http.Post(base+"/?database=gleaner", "text/plain", strings.NewReader(query))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v\n%s", query, answer.Status, err, text)
	}
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
}

// call is one request of the HTTP API; the answer is decoded where it is a success or says what is wrong with the body. The error is that of the connection: a killed system's.
func (s *instance) call(method, path, key string, body, answer any) (status int, err error) {
	var payload io.Reader
	if body != nil {
		out, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		payload = bytes.NewReader(out)
	}
	request, err := http.NewRequest(method, s.at.Web+path, payload)
	if err != nil {
		return 0, err
	}
	request.Header.Set("X-Actor", "ana")
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && answer != nil && (response.StatusCode == http.StatusOK || response.StatusCode == http.StatusUnprocessableEntity) {
		err = json.Unmarshal(text, answer)
	}
	return response.StatusCode, err
}

// tasks lists a queue's tasks; an empty state is all of them.
func (s *instance) tasks(queue string, state schemas.TaskState) ([]schemas.Task, error) {
	var list struct{ Tasks []schemas.Task }
	query := url.Values{"queue": {queue}, "state": {string(state)}, "limit": {"1000"}}
	status, err := s.call(http.MethodGet, "/api/tasks?"+query.Encode(), "", nil, &list)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("list tasks: HTTP status %d", status)
	}
	return list.Tasks, err
}

// label claims and submits one task with one box of the class. The keys follow from the task and its round, so that doing it
// again after an error changes nothing. done is true once the desk has said that the submission is in effect.
func (s *instance) label(task schemas.Task, class string) (done bool, err error) {
	key := fmt.Sprintf("ana-%s-%d", task.ID, task.Round)
	var view struct{ Task schemas.Task }
	status, err := s.call(http.MethodPost, "/api/tasks/claim", key+"-claim", map[string]any{"task_id": task.ID}, &view)
	if err != nil {
		return false, err
	}
	if status != http.StatusOK {
		return false, nil // somebody else's claim, or ours from before a kill
	}
	annotation := schemas.Annotation{Objects: []schemas.Object{{ID: "o1", Class: class, Box: geometry.Box{X1: 10, Y1: 10, X2: 60, Y2: 50}}}}
	body := map[string]any{"version": view.Task.Version, "annotation": annotation}
	status, err = s.call(http.MethodPost, "/api/tasks/"+task.ID+"/submit", key+"-submit", body, nil)
	return status == http.StatusOK, err
}

// drawn draws scenes, which are quick to look at, and returns their folder.
func drawn(t *testing.T, count int, seed uint64) string {
	t.Helper()
	cfg := scenes.DefaultConfig()
	cfg.Count, cfg.Seed, cfg.W, cfg.H = count, seed, 320, 240
	dir := t.TempDir()
	if err := scenes.Write(t.Context(), cfg, dir, nil); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "images")
}

// names lists a folder.
func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// lockedBuffer is the output of a process that still runs.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
