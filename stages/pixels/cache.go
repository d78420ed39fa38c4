package pixels

// The decoded-image cache that the steps of one process share.

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"golang.org/x/sync/singleflight"

	"gleaner/schemas"
)

// Cache keeps decoded images by content hash, the least recently used leaving first, within a limit of bytes that it never
// exceeds: an image larger than the limit is handed out but not kept. Any number of goroutines may use it; those that ask
// for one image at once share one fetch and one decode.
type Cache struct {
	limit  int64
	fetch  func(ctx context.Context, key string) ([]byte, error)
	flight singleflight.Group

	mu      sync.Mutex
	size    int64
	recent  *list.List // of *cached, most recently used first
	entries map[schemas.Hash]*list.Element
}

type cached struct {
	key schemas.Hash
	img *Image
}

// NewCache returns an empty cache. fetch reads an image's encoded bytes from the blob store by schemas.ImageKey; its error
// for a key that is not there wraps fs.ErrNotExist.
func NewCache(limit schemas.ByteSize, fetch func(ctx context.Context, key string) ([]byte, error)) *Cache {
	return &Cache{limit: int64(limit), fetch: fetch, recent: list.New(), entries: map[schemas.Hash]*list.Element{}}
}

// Image returns the decoded image of a reference: the kept one, else decoded from the inline bytes, else fetched. The
// image is shared and read-only. A caller whose context ends leaves; the fetch goes on for the others. Errors are not
// kept. Bytes that do not decode, or are not what the reference says, are a schemas.Fault ("undecodable"), since ingest
// had decoded them; so is a blob that does not exist ("missing-blob"), since ingest had stored it: the sample was erased.
func (c *Cache) Image(ctx context.Context, ref schemas.ImageRef) (*Image, error) {
	if img := c.get(ref.SHA256); img != nil {
		return img, nil
	}
	shared := context.WithoutCancel(ctx)
	ch := c.flight.DoChan(string(ref.SHA256[:]), func() (any, error) {
		if img := c.get(ref.SHA256); img != nil { // put since the caller looked
			return img, nil
		}
		img, err := c.load(shared, ref)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", ref.SHA256, err)
		}
		c.Put(ref.SHA256, img)
		return img, nil
	})
	select {
	case r := <-ch:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*Image), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Put keeps an image that the caller has decoded, so that later steps need not. It may be dropped at any time.
func (c *Cache) Put(key schemas.Hash, img *Image) {
	cost := int64(len(img.Pix))
	if cost > c.limit {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[key]; ok {
		c.recent.MoveToFront(e)
		return
	}
	for c.size+cost > c.limit {
		e := c.recent.Back()
		old := c.recent.Remove(e).(*cached)
		delete(c.entries, old.key)
		c.size -= int64(len(old.img.Pix))
	}
	c.entries[key] = c.recent.PushFront(&cached{key, img})
	c.size += cost
}

func (c *Cache) get(key schemas.Hash) *Image {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return nil
	}
	c.recent.MoveToFront(e)
	return e.Value.(*cached).img
}

// load decodes under limits that are the reference's own figures: ingest has checked them against its limits.
func (c *Cache) load(ctx context.Context, ref schemas.ImageRef) (*Image, error) {
	data := ref.Inline
	if len(data) == 0 {
		key := schemas.ImageKey(ref.SHA256)
		var err error
		data, err = c.fetch(ctx, key)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, schemas.NewFault("missing-blob", fmt.Errorf("fetch %s: %w", key, err))
		}
		if err != nil {
			return nil, fmt.Errorf("fetch %s: %w", key, err)
		}
		if got := schemas.Hash(sha256.Sum256(data)); got != ref.SHA256 {
			return nil, schemas.NewFault("undecodable", fmt.Errorf("blob %s holds other bytes, of digest %s", key, got))
		}
	}
	limits := Limits{MaxBytes: schemas.ByteSize(len(data)), MaxPixels: int64(ref.W) * int64(ref.H), MaxSide: max(ref.W, ref.H)}
	img, _, err := Decode(data, limits)
	if err != nil {
		return nil, schemas.NewFault("undecodable", err)
	}
	if img.W != ref.W || img.H != ref.H {
		return nil, schemas.NewFault("undecodable", fmt.Errorf(
			"image is %dx%d, its reference says %dx%d", img.W, img.H, ref.W, ref.H))
	}
	return img, nil
}
