package meter

import (
	"bytes"
	"os"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// Recording is a processor profile that is being taken.
type Recording struct {
	path string // file to leave it in; empty: none
	data bytes.Buffer
}

// Record begins a profile; there is one at a time.
func Record(path string) (*Recording, error) {
	r := &Recording{path: path}
	return r, pprof.StartCPUProfile(&r.data)
}

// End ends the recording and returns the processor time that was spent within the functions, by their full names, and in
// what they call. It is sampled: of a second, 100 samples.
func (r *Recording) End(functions ...string) (time.Duration, error) {
	pprof.StopCPUProfile()
	if r.path != "" {
		if err := os.WriteFile(r.path, r.data.Bytes(), 0o644); err != nil {
			return 0, err
		}
	}
	p, err := profile.Parse(&r.data)
	if err != nil {
		return 0, err
	}
	var within time.Duration
	for _, s := range p.Sample {
		if calls(s, functions) {
			within += time.Duration(s.Value[1]) // nanoseconds; Value[0] counts samples
		}
	}
	return within, nil
}

func calls(s *profile.Sample, functions []string) bool {
	for _, location := range s.Location {
		for _, line := range location.Line {
			for _, f := range functions {
				if strings.HasPrefix(line.Function.Name, f) {
					return true
				}
			}
		}
	}
	return false
}
