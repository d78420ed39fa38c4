package runner

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gleaner/schemas"
)

// TestMain lets the test binary be the process that dies.
func TestMain(m *testing.M) {
	if dir := os.Getenv("GLEANER_TEST_CRASH"); dir != "" {
		os.Exit(crashChild(dir))
	}
	os.Exit(m.Run())
}

const (
	crashRecords = 60
	crashDeadly  = 23
)

// crashChild runs a step over records of which one kills the process, by the signal that the environment names. It appends
// what it acknowledges to files, for the next child to go on from and the parent to judge.
func crashChild(dir string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	guard, err := OpenGuard(dir, log)
	if err != nil {
		log.Error("guard", "error", err)
		return 3
	}
	death := syscall.SIGABRT
	if os.Getenv("GLEANER_TEST_KILL") != "" {
		death = syscall.SIGKILL
	}
	source := &fileSource{path: filepath.Join(dir, "acked")}
	cfg := DefaultConfig()
	cfg.Concurrency = 4
	handle := func(r schemas.Record) []schemas.Emit {
		time.Sleep(time.Millisecond)
		if r.Offset == crashDeadly {
			_ = syscall.Kill(os.Getpid(), death)
			select {}
		}
		return []schemas.Emit{{Topic: schemas.Linted, Record: schemas.Record{Key: r.Key}}}
	}
	deps := Deps{Sources: []Source{source}, Sink: newSink(), Guard: guard, Log: log}
	if os.Getenv("GLEANER_TEST_BATCH") != "" {
		cfg.BatchRecords = 16
		deps.Batch = batchFunc(func(_ context.Context, rs []schemas.Record) (out []schemas.Emit, _ error) {
			for _, r := range rs {
				out = append(out, handle(r)...)
			}
			return out, nil
		})
	} else {
		deps.Handler = handlerFunc(func(_ context.Context, r schemas.Record) ([]schemas.Emit, error) { return handle(r), nil })
	}
	r, err := New("lint", cfg, deps)
	if err == nil {
		err = r.Run(context.Background())
	}
	if err != nil {
		log.Error("run", "error", err)
		return 3
	}
	for _, l := range deps.Sink.(*memorySink).of(schemas.Dead) {
		reason, _ := l.Header(schemas.HeaderReason)
		fmt.Printf("%s %s\n", l.Key, reason)
	}
	if err := guard.Close(); err != nil {
		log.Error("close", "error", err)
		return 3
	}
	return 0
}

// fileSource gives the records of one partition that a file does not list as acknowledged.
type fileSource struct {
	path string
	done bool
}

func (s *fileSource) Read(context.Context) (schemas.Delivery, error) {
	m := newSource(nil, crashRecords, nil)
	m.chunk = crashRecords
	if s.done {
		m.count = 0
	}
	s.done = true
	d, err := m.Read(context.Background())
	if err != nil {
		return d, err
	}
	seen, err := os.ReadFile(s.path)
	if err != nil && !os.IsNotExist(err) {
		return d, err
	}
	var left []schemas.Record
	for _, r := range d.Records {
		if !strings.Contains(string(seen), fmt.Sprintf("<%d>", r.Offset)) {
			left = append(left, r)
		}
	}
	d.Records = left
	d.Ack = func(i int) {
		f, err := os.OpenFile(s.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = fmt.Fprintf(f, "<%d>", left[i].Offset)
			f.Close()
		}
		if err != nil {
			panic(err)
		}
	}
	return d, nil
}

func (s *fileSource) Close(context.Context) error { return nil }

// A record that brings the process down ends in the dead letters, alone, after two crashes, or four deaths that left no crash
// report; every other record is handled. Caught: marks not written, or cleared before the suspects are saved; suspects
// handled beside others (an innocent record dies with the deadly one); batches of suspects.
func TestCrashLoopGuard(t *testing.T) {
	for _, c := range []struct {
		name   string
		env    []string
		deaths int
	}{
		{"crash", nil, 2},
		{"killed", []string{"GLEANER_TEST_KILL=1"}, 4},
		{"crash in a batch", []string{"GLEANER_TEST_BATCH=1"}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			run := func() (string, string, error) {
				var out, errs strings.Builder
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), append(c.env, "GLEANER_TEST_CRASH="+dir)...)
				cmd.Stdout, cmd.Stderr = &out, &errs
				err := cmd.Run()
				return out.String(), errs.String(), err
			}
			for i := range c.deaths {
				if out, errs, err := run(); err == nil || strings.Contains(errs, "level=ERROR msg=run") {
					t.Fatalf("child %d was to die: %v\n%s%s", i, err, out, errs)
				}
			}
			out, errs, err := run()
			if err != nil {
				t.Fatalf("the child died again: %v\n%s", err, errs)
			}
			if want := fmt.Sprintf("%s %s\n", key(crashDeadly), ReasonCrashLoop); out != want {
				t.Errorf("dead letters %q, want %q", out, want)
			}
			acked, err := os.ReadFile(filepath.Join(dir, "acked"))
			if err != nil {
				t.Fatal(err)
			}
			for i := range crashRecords {
				if n := strings.Count(string(acked), fmt.Sprintf("<%d>", i)); n != 1 {
					t.Errorf("record %d acknowledged %d times", i, n)
				}
			}
		})
	}
}

// A record that several steps were busy with at one death has been in flight at one death.
func TestGuardCountsDeaths(t *testing.T) {
	dir := t.TempDir()
	rec := schemas.Record{Topic: schemas.Labels, Partition: 3, Offset: 7}
	for death := 1; death <= deadly; death++ {
		g, err := OpenGuard(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := g.weight(rec), (death-1)*killWeight; got != want {
			t.Errorf("after %d deaths the weight is %d, want %d", death-1, got, want)
		}
		if g.hopeless(rec) {
			t.Errorf("hopeless after %d deaths, want %d", death-1, deadly)
		}
		for range 5 {
			g.marks.set([]job{{rec: rec}})
		}
		if err := g.Close(); err != nil { // leaves the marks as a death would
			t.Fatal(err)
		}
	}
	g, err := OpenGuard(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if !g.hopeless(rec) {
		t.Errorf("not hopeless after %d deaths", deadly)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
}

// Processes that share a folder take a place each, and a place is free again once its process closed it.
func TestGuardPlaces(t *testing.T) {
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	a, err := OpenGuard(dir, log)
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenGuard(dir, log)
	if err != nil {
		t.Fatal(err)
	}
	if a.path == b.path {
		t.Fatalf("both at %s", a.path)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := OpenGuard(dir, log)
	if err != nil {
		t.Fatal(err)
	}
	if c.path != a.path {
		t.Errorf("place %s not used again, but %s", a.path, c.path)
	}
	for _, g := range []*Guard{b, c} {
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMarksRoundTrip(t *testing.T) {
	jobs := []job{}
	for _, at := range [][2]int{{0, 5}, {0, 6}, {0, 9}, {3, 1}, {7, 2}, {7, 3}} {
		jobs = append(jobs, job{rec: schemas.Record{Topic: schemas.Raw, Partition: at[0], Offset: int64(at[1])}})
	}
	text := appendMark(nil, jobs)
	if want := "gleaner.raw.v1 0:5-9 3:1-1 7:2-3\n"; string(text) != want {
		t.Fatalf("got %q, want %q", text, want)
	}
	got := fmt.Sprint(parseMark(append(text, make([]byte, 100)...)))
	want := fmt.Sprint([]suspect{
		{Topic: schemas.Raw, Partition: 0, First: 5, Last: 9},
		{Topic: schemas.Raw, Partition: 3, First: 1, Last: 1},
		{Topic: schemas.Raw, Partition: 7, First: 2, Last: 3},
	})
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var many []job
	for i := range 1000 {
		many = append(many, job{rec: schemas.Record{Topic: schemas.Raw, Partition: i, Offset: 1 << 40}})
	}
	if n := len(appendMark(nil, many)); n > markBytes {
		t.Errorf("a mark of %d bytes", n)
	}
}

// A damaged marks file must not stop the process or make suspects out of thin air.
func FuzzParseMark(f *testing.F) {
	f.Add([]byte("gleaner.raw.v1 0:5-9 3:1-1\n"))
	f.Add([]byte("gleaner.raw.v1 0:5-"))
	f.Add([]byte{0, 'x', ' ', '\n'})
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, slot []byte) {
		for _, s := range parseMark(slot) {
			if s.Topic == "" || s.First < 0 || s.Last < s.First || s.Partition < 0 {
				t.Fatalf("%+v out of %q", s, slot)
			}
		}
	})
}
