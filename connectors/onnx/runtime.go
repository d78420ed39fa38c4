// Package onnx runs models on ONNX Runtime: one Runtime for the process, Sessions shared by all workers.
package onnx

import (
	"errors"
	"fmt"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"gleaner/connectors/native"
)

// The C library has one environment a process, whoever opens it, so the count of its users can live nowhere but here.
var environment struct {
	sync.Mutex
	users int
}

// Runtime is a hold on the process-wide ONNX Runtime. The library is loaded by the first Open and unloaded by the Close of
// the last Runtime or Session. It is safe for concurrent use.
type Runtime struct{ release func() error }

// Open loads the library that connectors/native finds. Where it is missing the error wraps native.ErrMissing and says
// what brings it.
func Open() (*Runtime, error) {
	environment.Lock()
	defer environment.Unlock()
	if environment.users == 0 {
		path, err := native.ONNXRuntime.Find()
		if err != nil {
			return nil, fmt.Errorf("onnx runtime: %w", err)
		}
		ort.SetSharedLibraryPath(path)
		if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
			return nil, fmt.Errorf("onnx runtime: load %s: %w; `make setup` installs the version that is meant", path, err)
		}
	}
	return hold(), nil
}

// hold counts one more user; environment must be locked and the library loaded.
func hold() *Runtime {
	environment.users++
	return &Runtime{release: sync.OnceValue(func() error {
		environment.Lock()
		defer environment.Unlock()
		environment.users--
		if environment.users > 0 {
			return nil
		}
		return ort.DestroyEnvironment()
	})}
}

// Close gives the hold up. Sessions loaded through it keep their own and stay usable. Further calls return what the first did.
func (r *Runtime) Close() error { return r.release() }

// another takes a second hold, for a session.
func (r *Runtime) another() (*Runtime, error) {
	environment.Lock()
	defer environment.Unlock()
	if environment.users == 0 {
		return nil, errors.New("onnx runtime: already closed")
	}
	return hold(), nil
}
