package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"gleaner/deploy/bench/report"
)

// reading is a moment's clock and processor time so far.
type reading struct {
	at       time.Time
	own      time.Duration // processor time of this process, user and system, the embedded Kafka included
	children time.Duration // of its children that run: the embedded ClickHouse
}

// cost is what passed between two readings.
type cost struct {
	wall, own, children time.Duration
}

func (c cost) cpu() time.Duration { return c.own + c.children }

func read() reading {
	return reading{time.Now(), report.ProcessorTime(), childrenTime()}
}

func (r reading) since() cost {
	now := read()
	return cost{now.at.Sub(r.at), now.own - r.own, now.children - r.children}
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
