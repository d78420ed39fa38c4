// Package meter takes the clock and the processor time that benchmarks report, of this process and of the embedded ClickHouse.
package meter

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"gleaner/deploy/bench/report"
)

// Reading is a moment's clock and processor time so far.
type Reading struct {
	at       time.Time
	own      time.Duration // processor time of this process, user and system, the embedded Kafka included
	children time.Duration // of its children that run: the embedded ClickHouse
}

// Cost is what passed between two readings.
type Cost struct {
	Wall, Own, Children time.Duration
}

// CPU is the processor time of this process and its children.
func (c Cost) CPU() time.Duration { return c.Own + c.Children }

// Read takes both now.
func Read() Reading {
	return Reading{time.Now(), report.ProcessorTime(), childrenTime()}
}

// Since is what passed since r.
func (r Reading) Since() Cost {
	now := Read()
	return Cost{now.at.Sub(r.at), now.own - r.own, now.children - r.children}
}

// clockTick is the unit of processor times in /proc, the same on every Linux.
const clockTick = 10 * time.Millisecond

// childrenTime reads proc_pid_stat(5) of every process whose parent is this one.
func childrenTime() (total time.Duration) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	self := strconv.Itoa(os.Getpid())
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended since
		}
		// The name, in parentheses, may hold anything; field 3 follows it.
		fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
		if len(fields) < 13 || string(fields[1]) != self {
			continue
		}
		for _, f := range fields[11:13] {
			n, _ := strconv.ParseInt(string(f), 10, 64)
			total += time.Duration(n) * clockTick
		}
	}
	return total
}
