// Package batch is what commands that work through many image files have in common: they list and read them, work on several at
// a time, and write files that are whole as soon as they are there.
package batch

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"gleaner/connectors/formats"
	"gleaner/stages/pixels"
)

// List is the image files among the paths: files as given, whatever their extension, and the images below folders. A file
// that is named twice counts once.
func List(paths []string) ([]string, error) {
	var images []string
	seen := map[string]bool{}
	add := func(path string) {
		if path = filepath.Clean(path); !seen[path] {
			seen[path] = true
			images = append(images, path)
		}
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			add(path)
			continue
		}
		names, err := formats.Images(path)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			add(filepath.Join(path, filepath.FromSlash(name)))
		}
	}
	return images, nil
}

// Each does work for the numbers below n, so many at a time, and hands each result to done, one at a time and in no order. When
// ctx ends, it finishes what it has begun and returns why ctx ended.
func Each[R any](ctx context.Context, n, atATime int, work func(i int) R, done func(i int, result R)) error {
	type numbered struct {
		i      int
		result R
	}
	results := make(chan numbered)
	var group errgroup.Group
	group.SetLimit(atATime)
	go func() {
		defer close(results)
		for i := range n {
			if ctx.Err() != nil {
				break
			}
			group.Go(func() error {
				if ctx.Err() == nil {
					results <- numbered{i, work(i)}
				}
				return nil
			})
		}
		_ = group.Wait() // no work returns an error
	}()
	for r := range results {
		done(r.i, r.result)
	}
	return ctx.Err()
}

// Same reports whether two paths lead to one file, which need not be there yet.
func Same(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	if at, err := os.Stat(a); err == nil {
		if other, err := os.Stat(b); err == nil {
			return os.SameFile(at, other)
		}
	}
	return resolved(a) == resolved(b)
}

// resolved is the absolute path of a file, with its folder's links followed.
func resolved(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	dir, name := filepath.Split(path)
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	return filepath.Join(dir, name)
}

// Size is the width and height of an image file, upright, as its header says.
func Size(path string, limits pixels.Limits) (w, h int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	if w, h, err = pixels.Size(f, info.Size(), limits); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", path, err)
	}
	return w, h, nil
}

func read(path string, limits pixels.Limits) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(limits.MaxBytes)+1))
}

// Read decodes an image file, of which it reads no more than the limits admit, and returns its bytes too.
func Read(path string, limits pixels.Limits) (*pixels.Image, pixels.Info, []byte, error) {
	data, err := read(path, limits)
	if err != nil {
		return nil, pixels.Info{}, nil, err
	}
	img, info, err := pixels.Decode(data, limits)
	if err != nil {
		return nil, info, nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, info, data, nil
}
