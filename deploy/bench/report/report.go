// Package report holds what the benchmarks share: where results stand in a markdown file, the machine, its processor time, and quantiles.
package report

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Replace puts results between two lines of a markdown file: the opening mark that names their writer, and the closing one.
//
//	<!-- name: written by `make target` -->
//	<!-- /name -->
func Replace(path, name, target, results string) error {
	begin, end := fmt.Sprintf("<!-- %s: written by `make %s` -->", name, target), fmt.Sprintf("<!-- /%s -->", name)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s: the lines %q and %q are missing", path, begin, end)
	}
	return os.WriteFile(path, []byte(before+begin+"\n\n"+strings.TrimSpace(results)+"\n\n"+end+after), 0o644)
}

// Machine is a sentence about what the figures were taken on.
func Machine() string {
	return fmt.Sprintf("Machine: %s, %d cores, %s/%s.", processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
}

// Command is how the running program, a package of ours, was built and called: without GOEXPERIMENT=simd work on pixels is
// several times slower.
func Command(program string) string {
	words := append([]string{"go run " + program}, os.Args[1:]...)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "GOEXPERIMENT" {
				words = append([]string{"GOEXPERIMENT=" + s.Value}, words...)
			}
		}
	}
	return strings.Join(words, " ")
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

// ProcessorTime is what this process has had of processors so far, user and system.
func ProcessorTime() time.Duration {
	var self syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &self) // cannot fail for this argument
	return time.Duration(self.Utime.Nano() + self.Stime.Nano())
}

// Quantile returns the value below which a share q of values lies, [0,1]; there must be values.
func Quantile[T cmp.Ordered](values []T, q float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// Median is the middle one of values.
func Median[T cmp.Ordered](values []T) T { return Quantile(values, 0.5) }

// Millis is a duration in milliseconds.
func Millis(d time.Duration) float64 { return d.Seconds() * 1e3 }
