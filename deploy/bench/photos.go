package main

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"gleaner/connectors/formats"
	"gleaner/deploy/wire"
)

// photo is one real image.
type photo struct {
	wire.PushFile
	data []byte
}

func (b *bench) path(elem ...string) string {
	return filepath.Join(append([]string{b.data}, elem...)...)
}

// readPhotos reads the images of coco128, bccd, raccoon and bsds500 (train and val), an equal share of each where not all are
// asked for.
func (b *bench) readPhotos() ([]photo, error) {
	var all []photo
	for _, dir := range []string{"coco128/images", "bccd/images", "raccoon/images", "bsds500/train/images", "bsds500/val/images"} {
		root := b.path(filepath.FromSlash(dir))
		names, err := formats.Images(root)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			path := filepath.Join(root, filepath.FromSlash(n))
			data, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			all = append(all, photo{wire.PushFile{Path: path, UniqueID: dir + "/" + n}, data})
		}
	}
	if b.photos == 0 || b.photos >= len(all) {
		return all, nil
	}
	some := make([]photo, b.photos)
	for i := range some {
		some[i] = all[i*len(all)/len(some)]
	}
	return some, nil
}

// each calls fn for every index below n, from as many goroutines as there are workers, and returns the first error.
func each(n, workers int, fn func(i int) error) error {
	var next atomic.Int64
	var group sync.WaitGroup
	var once sync.Once
	var first error
	for range workers {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := fn(i); err != nil {
					once.Do(func() { first = err })
					return
				}
			}
		})
	}
	group.Wait()
	return first
}
