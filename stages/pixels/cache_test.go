package pixels_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"gleaner/schemas"
	"gleaner/stages/pixels"
)

// shelf serves encoded images by key and counts how often.
type shelf struct {
	mu      sync.Mutex
	blobs   map[string][]byte
	fetches atomic.Int64
	wait    chan struct{} // closed to let fetches go; nil: at once
}

func (s *shelf) fetch(ctx context.Context, key string) ([]byte, error) {
	s.fetches.Add(1)
	if s.wait != nil {
		select {
		case <-s.wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if data, ok := s.blobs[key]; ok {
		return data, nil
	}
	return nil, errors.New("store is away")
}

// add stores a PNG of w x h and returns its reference. Decoded it takes 3*w*h bytes.
func (s *shelf) add(t testing.TB, w, h int, seed uint64) schemas.ImageRef {
	n := noise(w, h, seed)
	data := encodePNG(t, rgba{n})
	sum := schemas.Hash(sha256.Sum256(data))
	if s.blobs == nil {
		s.blobs = map[string][]byte{}
	}
	s.blobs[schemas.ImageKey(sum)] = data
	return schemas.ImageRef{SHA256: sum, Size: int64(len(data)), MediaType: "image/png", W: w, H: h}
}

func TestCacheBound(t *testing.T) {
	var s shelf
	c := pixels.NewCache(3000, s.fetch) // three images of 1000 bytes, about
	var refs []schemas.ImageRef
	for i := range 4 {
		refs = append(refs, s.add(t, 33, 10, uint64(i))) // 990 bytes
	}
	get := func(i int) {
		t.Helper()
		img, err := c.Image(t.Context(), refs[i])
		if err != nil || img.W != 33 || img.H != 10 {
			t.Fatalf("image %d: %v, %v", i, img, err)
		}
	}
	for _, step := range []struct{ image, fetches int }{
		{0, 1}, {1, 2}, {2, 3}, {0, 3}, // 0 is fresh again, 1 is the oldest
		{3, 4}, {0, 4}, {2, 4}, {3, 4}, {1, 5}, // 1 had left, and drives out 0
		{0, 6},
	} {
		get(step.image)
		if n := int(s.fetches.Load()); n != step.fetches {
			t.Errorf("after image %d: %d fetches, want %d", step.image, n, step.fetches)
		}
	}
	big := s.add(t, 100, 11, 9) // 3300 bytes: handed out, not kept, and nothing leaves for it
	for range 2 {
		if _, err := c.Image(t.Context(), big); err != nil {
			t.Fatal(err)
		}
	}
	get(0)
	if n := s.fetches.Load(); n != 8 {
		t.Errorf("%d fetches, want 8", n)
	}
}

func TestCacheInlineAndPut(t *testing.T) {
	var s shelf
	ref := s.add(t, 8, 8, 1)
	c := pixels.NewCache(1<<20, s.fetch)
	inline := ref
	inline.Inline = s.blobs[schemas.ImageKey(ref.SHA256)]
	first, err := c.Image(t.Context(), inline)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Image(t.Context(), ref); err != nil || again != first {
		t.Errorf("%p, %v, want the image kept before", again, err)
	}
	other := s.add(t, 9, 9, 2)
	own := noise(9, 9, 2)
	c.Put(t.Context(), other.SHA256, own)
	if got, err := c.Image(t.Context(), other); err != nil || got != own {
		t.Errorf("%p, %v, want the image put", got, err)
	}
	if n := s.fetches.Load(); n != 0 {
		t.Errorf("%d fetches, want none", n)
	}
}

// TestCacheShares lets many ask at once, some of whom give up: one fetch serves those who stay.
func TestCacheShares(t *testing.T) {
	var s shelf
	ref := s.add(t, 16, 16, 3)
	synctest.Test(t, func(t *testing.T) {
		s.wait = make(chan struct{})
		c := pixels.NewCache(1<<20, s.fetch)
		impatient, cancel := context.WithCancel(t.Context())
		var served, left atomic.Int64
		for i := range 50 {
			ctx := t.Context()
			if i%5 == 0 {
				ctx = impatient
			}
			go func() {
				switch img, err := c.Image(ctx, ref); {
				case err == nil && img.W == 16:
					served.Add(1)
				case errors.Is(err, context.Canceled):
					left.Add(1)
				}
			}()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		if left.Load() != 10 || served.Load() != 0 {
			t.Errorf("%d left and %d served before the fetch ended, want 10 and 0", left.Load(), served.Load())
		}
		close(s.wait)
		synctest.Wait()
		if served.Load() != 40 || s.fetches.Load() != 1 {
			t.Errorf("%d served by %d fetches, want 40 by 1", served.Load(), s.fetches.Load())
		}
	})
}

func TestCacheErrors(t *testing.T) {
	var s shelf
	c := pixels.NewCache(1<<20, s.fetch)
	absent := schemas.ImageRef{SHA256: schemas.Hash{1}, W: 1, H: 1}
	_, err := c.Image(t.Context(), absent)
	if _, fault := schemas.AsFault(err); err == nil || fault {
		t.Errorf("a store that is away: %v, want an error worth a retry", err)
	}
	erased := pixels.NewCache(1<<20, func(_ context.Context, key string) ([]byte, error) {
		return nil, fmt.Errorf("get %s: %w", key, fs.ErrNotExist)
	})
	if _, err := erased.Image(t.Context(), absent); !isFault(err, "missing-blob") {
		t.Errorf("a blob that is gone: %v, want a fault: no retry brings it back", err)
	}
	swapped := s.add(t, 4, 4, 5)
	s.blobs[schemas.ImageKey(swapped.SHA256)] = encodePNG(t, corners())
	lying := s.add(t, 5, 5, 6)
	lying.W = 6
	broken := s.add(t, 7, 7, 7)
	broken.Inline = s.blobs[schemas.ImageKey(broken.SHA256)][:40]
	for name, ref := range map[string]schemas.ImageRef{"other bytes": swapped, "other size": lying, "cut": broken} {
		if _, err := c.Image(t.Context(), ref); !isFault(err, "undecodable") {
			t.Errorf("%s: %v, want a fault", name, err)
		}
	}
	// Errors are not kept.
	s.blobs[schemas.ImageKey(swapped.SHA256)] = encodePNG(t, rgba{noise(4, 4, 5)})
	if _, err := c.Image(t.Context(), swapped); err != nil {
		t.Error(err)
	}
}

func isFault(err error, reason string) bool {
	f, ok := schemas.AsFault(err)
	return ok && f.Reason == reason
}

// TestCacheConcurrent is for the race detector: more images than room, many readers.
func TestCacheConcurrent(t *testing.T) {
	var s shelf
	var refs []schemas.ImageRef
	for i := range 10 {
		refs = append(refs, s.add(t, 20, 20, uint64(i)))
	}
	c := pixels.NewCache(4*1200, s.fetch)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				ref := refs[(i*7+g)%len(refs)]
				img, err := c.Image(t.Context(), ref)
				if err != nil {
					t.Error(err)
					return
				}
				if i%3 == 0 {
					c.Put(t.Context(), ref.SHA256, img)
				}
			}
		})
	}
	wg.Wait()
}
