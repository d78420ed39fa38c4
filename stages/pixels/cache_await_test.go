package pixels_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gleaner/schemas"
	"gleaner/stages/pixels"
)

// burst runs a test with a cache that has room for four images and awaits two users of each, and with the references and
// pixels of many more.
func burst(t *testing.T, test func(t *testing.T, c *pixels.Cache, refs []schemas.ImageRef, images []*pixels.Image)) {
	var s shelf
	var refs []schemas.ImageRef
	var images []*pixels.Image
	for i := range 40 {
		ref := s.add(t, 10, 10, uint64(i))
		img, _, err := pixels.Decode(s.blobs[schemas.ImageKey(ref.SHA256)], pixels.Limits{MaxBytes: 1 << 20, MaxPixels: 1 << 20, MaxSide: 1000})
		if err != nil {
			t.Fatal(err)
		}
		refs, images = append(refs, ref), append(images, img)
	}
	synctest.Test(t, func(t *testing.T) {
		c := pixels.NewCache(4*300, s.fetch)
		c.Await(2)
		test(t, c, refs, images)
	})
	if n := s.fetches.Load(); n != 0 {
		t.Errorf("%d images were decoded again", n)
	}
}

// However far ingest could run ahead, the slow steps after it find every image decoded.
func TestCacheSlowsABurst(t *testing.T) {
	burst(t, func(t *testing.T, c *pixels.Cache, refs []schemas.ImageRef, images []*pixels.Image) {
		steps := []chan schemas.ImageRef{make(chan schemas.ImageRef, len(refs)), make(chan schemas.ImageRef, len(refs))}
		var group sync.WaitGroup
		for i, refs := range steps {
			group.Go(func() {
				for ref := range refs {
					time.Sleep(time.Duration(100+i*50) * time.Millisecond)
					if _, err := c.Image(t.Context(), ref); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for i, ref := range refs {
			c.Put(t.Context(), ref.SHA256, images[i])
			for _, step := range steps {
				step <- ref
			}
		}
		for _, step := range steps {
			close(step)
		}
		group.Wait()
	})
}

// Steps that do not run here, or have stopped, hold up ingest for moments only, and not once for every image.
func TestCacheDoesNotWaitForTheAbsent(t *testing.T) {
	burst(t, func(t *testing.T, c *pixels.Cache, refs []schemas.ImageRef, images []*pixels.Image) {
		from := time.Now()
		for i, ref := range refs {
			c.Put(t.Context(), ref.SHA256, images[i])
		}
		if took := time.Since(from); took != 2*time.Second {
			t.Errorf("%d images took %v", len(refs), took)
		}
		time.Sleep(31 * time.Second) // then users are expected again
		for i, ref := range refs[:4] {
			c.Put(t.Context(), ref.SHA256, images[i])
		}
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		from = time.Now()
		c.Put(canceled, schemas.Hash{1}, images[0])
		if took := time.Since(from); took != 0 {
			t.Errorf("after the end of the context: %v", took)
		}
		from = time.Now()
		c.Put(t.Context(), refs[4].SHA256, images[4])
		if took := time.Since(from); took != 2*time.Second {
			t.Errorf("after half a minute: %v", took)
		}
	})
}

// Images that only another process uses make room for those that are used here.
func TestCacheForgetsWhatIsUsedElsewhere(t *testing.T) {
	burst(t, func(t *testing.T, c *pixels.Cache, refs []schemas.ImageRef, images []*pixels.Image) {
		from := time.Now()
		for i, ref := range refs {
			c.Put(t.Context(), ref.SHA256, images[i])
			if i%2 == 0 {
				continue
			}
			for range 2 {
				if _, err := c.Image(t.Context(), ref); err != nil {
					t.Fatal(err)
				}
			}
		}
		if took := time.Since(from); took != 2*time.Second {
			t.Errorf("%d images took %v", len(refs), took)
		}
	})
}

// Many that wait at once give up once, by what the cache has seen, and not each anew by the few images put since.
func TestCacheGivesUpOnce(t *testing.T) {
	burst(t, func(t *testing.T, c *pixels.Cache, refs []schemas.ImageRef, images []*pixels.Image) {
		for i, ref := range refs[:36] {
			c.Put(t.Context(), ref.SHA256, images[i])
			for range 2 {
				if i >= 32 {
					break
				}
				if _, err := c.Image(t.Context(), ref); err != nil {
					t.Fatal(err)
				}
			}
		}
		var group sync.WaitGroup
		for i, ref := range refs[36:] {
			group.Go(func() { c.Put(t.Context(), ref.SHA256, images[36+i]) })
		}
		group.Wait()
		from := time.Now()
		c.Put(t.Context(), refs[0].SHA256, images[0])
		if took := time.Since(from); took != 2*time.Second {
			t.Errorf("waited %v for users that come as a rule, want the whole patience", took)
		}
	})
}

// A caller that was cut short puts its image again, and its users come once all the same.
func TestCachePutAgain(t *testing.T) {
	burst(t, func(t *testing.T, c *pixels.Cache, refs []schemas.ImageRef, images []*pixels.Image) {
		for range 3 {
			c.Put(t.Context(), refs[0].SHA256, images[0])
		}
		for range 2 {
			if _, err := c.Image(t.Context(), refs[0]); err != nil {
				t.Fatal(err)
			}
		}
		from := time.Now()
		for i, ref := range refs[1:5] {
			c.Put(t.Context(), ref.SHA256, images[1+i])
		}
		if took := time.Since(from); took != 0 {
			t.Errorf("waited %v for users that have been", took)
		}
	})
}
