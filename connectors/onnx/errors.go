package onnx

import (
	"errors"
	"fmt"
	"strings"

	"gleaner/schemas"
)

var (
	// ErrNoFeatures is in the chain of LoadFeatures' error where a graph has no feature map to choose.
	ErrNoFeatures = errors.New("the graph has no feature map: no float32 or float16 tensor of a known shape 1,C,h,w, of at least 2x2 cells, that a later layer reads")
	// ErrNoLayer is in the chain of LoadFeatures' error where the layer that was named is no feature map of the graph.
	ErrNoLayer = errors.New("no such feature map")
	// ErrClosed is returned by Run once the session is closed.
	ErrClosed = errors.New("onnx session is closed")
)

// starved puts schemas.ErrOutOfMemory into the chain of an error of the runtime that says so. Its bindings keep no code of an
// error, and the runtime has none for this: only its text tells, that of its allocator, of C++ or of a thread without a stack.
func starved(err error) error {
	if err == nil {
		return nil
	}
	for _, text := range []string{"Failed to allocate memory", "Available memory of", "bad_alloc", "pthread_create failed"} {
		if strings.Contains(err.Error(), text) {
			return fmt.Errorf("%w: %w", schemas.ErrOutOfMemory, err)
		}
	}
	return err
}
