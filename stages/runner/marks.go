package runner

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"gleaner/schemas"
)

// The marks file has one slot for each call of a handler that is under way. A slot is text, so that people can read it,
// "gleaner.raw.v1 3:17-17\n", topic and then partition:first-last for each run of records. It counts only when its first byte, written
// last, is no zero. Runs of a batch beyond what a slot holds go unmarked.
const (
	markSlots = 256
	markBytes = 1024
	marksSize = markSlots * markBytes
)

type marks struct {
	mem  []byte   // [markSlots*markBytes], shared with the file
	free chan int // slots not in use: more calls than slots wait
}

// openMarks maps the file, made if need be, and returns what a process that died has left in it. It clears nothing.
func openMarks(path string) (*marks, []suspect, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if err := f.Truncate(marksSize); err != nil {
		return nil, nil, err
	}
	mem, err := syscall.Mmap(int(f.Fd()), 0, marksSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("map %s: %w", path, err)
	}
	m := &marks{mem: mem, free: make(chan int, markSlots)}
	var left []suspect
	for i := range markSlots {
		left = append(left, parseMark(m.slot(i))...)
		m.free <- i
	}
	return m, left, nil
}

func (m *marks) slot(i int) []byte { return m.mem[i*markBytes : (i+1)*markBytes] }

// set writes the jobs, all of one topic, into a free slot and returns it.
func (m *marks) set(jobs []job) int {
	var room [markBytes]byte
	text := appendMark(room[:0], jobs)
	i := <-m.free
	s := m.slot(i)
	copy(s[1:], text[1:])
	s[0] = text[0]
	return i
}

func (m *marks) unset(i int) {
	m.slot(i)[0] = 0
	m.free <- i
}

func (m *marks) clear() { clear(m.mem) }

func (m *marks) close() error { return syscall.Munmap(m.mem) }

// appendMark writes the topic and the runs of consecutive records of each partition, as many as a slot holds.
func appendMark(text []byte, jobs []job) []byte {
	text = append(text, jobs[0].rec.Topic...)
	for i := 0; i < len(jobs); {
		first := jobs[i].rec
		last := first
		for i++; i < len(jobs) && jobs[i].rec.Partition == first.Partition; i++ {
			last = jobs[i].rec
		}
		before := len(text)
		text = append(text, ' ')
		text = strconv.AppendInt(text, int64(first.Partition), 10)
		text = append(text, ':')
		text = strconv.AppendInt(text, first.Offset, 10)
		text = append(text, '-')
		text = strconv.AppendInt(text, last.Offset, 10)
		if len(text) >= markBytes {
			text = text[:before]
			break
		}
	}
	return append(text, '\n')
}

// parseMark reads a slot; one that is not in use, or torn, gives nothing.
func parseMark(slot []byte) []suspect {
	line, _, whole := bytes.Cut(slot, []byte("\n"))
	if len(line) == 0 || slot[0] == 0 || !whole {
		return nil
	}
	fields := strings.Fields(string(line))
	var out []suspect
	for _, f := range fields[min(1, len(fields)):] {
		var s suspect
		if n, err := fmt.Sscanf(f, "%d:%d-%d", &s.Partition, &s.First, &s.Last); n != 3 || err != nil || s.Partition < 0 || s.First < 0 || s.Last < s.First {
			continue
		}
		s.Topic = schemas.Topic(fields[0])
		out = append(out, s)
	}
	return slices.Clip(out)
}
