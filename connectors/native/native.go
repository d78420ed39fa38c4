// Package native finds the shared libraries of the embedded engines, which `make setup` brings into node_modules.
package native

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Library is a shared library by the place that its npm package gives it under node_modules.
type Library struct {
	Path string // relative to node_modules
	Env  string // environment variable that overrides the search with a file's path
}

// The libraries in use.
var (
	ONNXRuntime = Library{Path: "onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1", Env: "GLEANER_ONNXRUNTIME"}
	ClickHouse  = Library{Path: "@chdb/lib-linux-x64-gnu/libchdb.so", Env: "GLEANER_LIBCHDB"}
)

// ErrMissing is in the chain of Find's error when the library is nowhere.
var ErrMissing = errors.New("native library is missing")

// Find returns the file of the library: what its environment variable names, else the first node_modules that has it in
// the folder of the running binary, the working directory, or any folder above either: that of the binary first, since any other
// project's may lie above the working directory.
func (l Library) Find() (string, error) {
	if p := os.Getenv(l.Env); p != "" {
		if _, err := os.Stat(p); err != nil {
			return "", fmt.Errorf("%s=%s: %w", l.Env, p, err)
		}
		return filepath.Abs(p)
	}
	var starts []string
	if exe, err := os.Executable(); err == nil {
		if exe, err = filepath.EvalSymlinks(exe); err == nil {
			starts = append(starts, filepath.Dir(exe))
		}
	}
	if d, err := os.Getwd(); err == nil {
		starts = append(starts, d)
	}
	for _, d := range starts {
		for {
			p := filepath.Join(d, "node_modules", l.Path)
			if _, err := os.Stat(p); err == nil {
				return p, nil
			}
			up := filepath.Dir(d)
			if up == d {
				break
			}
			d = up
		}
	}
	return "", fmt.Errorf("%w: node_modules/%s: run `make setup` in the project's folder, or set %s to the file", ErrMissing, l.Path, l.Env)
}
