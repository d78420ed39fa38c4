package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"gleaner/schemas"
)

// Guard is the crash-loop guard of a process: it finds the record that kills it. The records that handlers are busy with stand in
// a small memory-mapped file, which outlives the process at no cost to it. What stands there at the next start was in flight
// when the process died, and is suspect: from then on it is handled with nothing else in flight in the whole process. A record
// that was in flight at two crashes is set aside as a dead letter; so is one at four deaths without a crash report, since
// only an operator, or the kernel out of memory, kills a process without one.
//
// Its state belongs to this machine: on another machine a deadly record has to be found again. A nil Guard guards nothing.
type Guard struct {
	path     string // of the suspects file
	lock     *os.File
	marks    *marks
	suspects []suspect // never written after OpenGuard

	// alone is held for reading by every call of a handler, and for writing by a call with a suspect record.
	alone sync.RWMutex
}

// suspect is a run of records that was in flight at one death of the process.
type suspect struct {
	Topic     schemas.Topic `json:"topic"`
	Partition int           `json:"partition"`
	First     int64         `json:"first"`
	Last      int64         `json:"last"`
	Crash     bool          `json:"crash"` // the process left a crash report: a native crash or a fatal error of Go
	At        time.Time     `json:"at"`    // of the start after it
}

// Deaths are weighed against deadly: a crash is proof enough the second time.
const (
	deadly      = 4
	crashWeight = 2
	killWeight  = 1

	suspectKept = 7 * 24 * time.Hour // as long as topics keep most records
)

// OpenGuard takes a free place in the folder dir, made if need be: "guard-0" for its first process, "guard-1" for a second
// one at the same time, and so on. It reads what the last process at that place left, and has Go write its crash reports there.
// Call it once in a process, before any runner runs.
func OpenGuard(dir string, log *slog.Logger) (*Guard, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("crash-loop guard: %w", err)
	}
	const places = 64
	for i := range places {
		base := filepath.Join(dir, fmt.Sprintf("guard-%d", i))
		lock, err := os.OpenFile(base+".lock", os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return nil, fmt.Errorf("crash-loop guard: %w", err)
		}
		if err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			lock.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				continue
			}
			return nil, fmt.Errorf("crash-loop guard: lock %s: %w", lock.Name(), err)
		}
		g := &Guard{path: base + ".suspects.json", lock: lock}
		if err := g.open(base, log); err != nil {
			lock.Close()
			return nil, fmt.Errorf("crash-loop guard: %w", err)
		}
		return g, nil
	}
	return nil, fmt.Errorf("crash-loop guard: %d processes already use %s", places, dir)
}

func (g *Guard) open(base string, log *slog.Logger) error {
	report := base + ".crash"
	crash, err := os.ReadFile(report)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if g.suspects, err = readSuspects(g.path); err != nil {
		return err
	}
	var left []suspect
	if g.marks, left, err = openMarks(base + ".marks"); err != nil {
		return err
	}
	now := time.Now().UTC()
	for _, s := range left {
		s.Crash, s.At = len(crash) > 0, now
		g.suspects = append(g.suspects, s)
		log.Warn("the process died with these records in flight: they are handled alone from now on",
			"topic", s.Topic, "partition", s.Partition, "first", s.First, "last", s.Last, "crashed", s.Crash)
	}
	if len(crash) > 0 {
		first, _, _ := bytes.Cut(crash, []byte("\n"))
		log.Error("the process crashed the last time", "what", string(first), "report", report+".last")
		if err := os.Rename(report, report+".last"); err != nil {
			return err
		}
	}
	if err := g.save(now); err != nil {
		return err
	}
	g.marks.clear() // only now: a death before this line changes nothing
	f, err := os.Create(report)
	if err != nil {
		return err
	}
	defer f.Close() // SetCrashOutput keeps a descriptor of its own
	return debug.SetCrashOutput(f, debug.CrashOptions{})
}

func readSuspects(path string) ([]suspect, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []suspect
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("%s is damaged, remove it to forget which records crashed the process: %w", path, err)
	}
	return list, nil
}

// save keeps the suspects for as long as their records last.
func (g *Guard) save(now time.Time) error {
	kept := []suspect{}
	for _, s := range g.suspects {
		if now.Sub(s.At) < suspectKept {
			kept = append(kept, s)
		}
	}
	g.suspects = kept
	data, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	if err := os.WriteFile(g.path+".new", data, 0o644); err != nil {
		return err
	}
	return os.Rename(g.path+".new", g.path)
}

// Close gives the place back. No handler may be running.
func (g *Guard) Close() error {
	err := debug.SetCrashOutput(nil, debug.CrashOptions{})
	return errors.Join(err, g.marks.close(), g.lock.Close())
}

// weight sums the deaths of the process at which the record was in flight. In how many steps it was makes no difference.
func (g *Guard) weight(rec schemas.Record) int {
	if g == nil {
		return 0
	}
	w := 0
	var counted time.Time // suspects stand in the order of their deaths
	for _, s := range g.suspects {
		if s.Partition == rec.Partition && s.First <= rec.Offset && rec.Offset <= s.Last && s.Topic == rec.Topic && !s.At.Equal(counted) {
			counted = s.At
			if s.Crash {
				w += crashWeight
			} else {
				w += killWeight
			}
		}
	}
	return w
}

// suspect says whether the record must be handled alone.
func (g *Guard) suspect(rec schemas.Record) bool { return g.weight(rec) > 0 }

// hopeless says whether the record must not be handled at all.
func (g *Guard) hopeless(rec schemas.Record) bool { return g.weight(rec) >= deadly }

// enter marks the jobs as in flight until exit is called with what it returned. Batches hold no suspect records but alone.
func (g *Guard) enter(jobs []job) entry {
	if g == nil {
		return entry{}
	}
	e := entry{alone: len(jobs) == 1 && g.suspect(jobs[0].rec)}
	if e.alone {
		g.alone.Lock()
	} else {
		g.alone.RLock()
	}
	e.slot = g.marks.set(jobs)
	return e
}

func (g *Guard) exit(e entry) {
	if g == nil {
		return
	}
	g.marks.unset(e.slot)
	if e.alone {
		g.alone.Unlock()
	} else {
		g.alone.RUnlock()
	}
}

// entry is one call of a handler under the guard.
type entry struct {
	slot  int
	alone bool
}
