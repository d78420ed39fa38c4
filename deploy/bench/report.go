package main

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// The results stand between these lines of a markdown file.
const (
	resultsBegin = "<!-- results: written by `make bench` -->"
	resultsEnd   = "<!-- /results -->"
)

func replaceResults(path, results string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), resultsBegin)
	_, after, ok2 := strings.Cut(rest, resultsEnd)
	if !ok || !ok2 {
		return fmt.Errorf("%s: the lines %q and %q are missing", path, resultsBegin, resultsEnd)
	}
	return os.WriteFile(path, []byte(before+resultsBegin+"\n\n"+strings.TrimSpace(results)+"\n\n"+resultsEnd+after), 0o644)
}

// processor is the model name that the kernel gives.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// quantile returns the value below which a share q of values lies.
func quantile[T cmp.Ordered](values []T, q float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func median[T cmp.Ordered](values []T) T { return quantile(values, 0.5) }

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }
