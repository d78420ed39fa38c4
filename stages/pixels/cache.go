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
	"time"

	"golang.org/x/sync/singleflight"

	"gleaner/schemas"
)

// Cache keeps decoded images by content hash, the least recently used leaving first, within a limit of bytes that it never
// exceeds: an image larger than the limit is handed out but not kept. Any number of goroutines may use it; those that ask
// for one image at once share one fetch and one decode.
//
// With users to Await, an image that was put leaves after those that all of them have had, and Put waits while the cache is
// full of images that they have not: so a burst of new images is decoded no faster than it is used, and each once. A wait in
// which no user came is given up, and where most images turn out to be used elsewhere, by the other processes that share the
// samples, or not at all, nobody is waited for in the half minute after it: then an image may be decoded again.
type Cache struct {
	limit  int64
	fetch  func(ctx context.Context, key string) ([]byte, error)
	flight singleflight.Group

	mu      sync.Mutex
	users   int // of each image that is put
	size    int64
	recent  *list.List // of *cached that nobody is waited for, most recently used first
	due     *list.List // of *cached whose users have not all come, oldest first
	dueSize int64
	used    chan struct{} // closed, and made anew, when a user came
	entries map[schemas.Hash]*cached

	puts, had int       // images put since a wait was given up, and those of them that all users have had
	hurry     time.Time // until then nobody is waited for
}

type cached struct {
	key  schemas.Hash
	img  *Image
	at   *list.Element // of due while left is above 0, else of recent
	left int           // users to come
	put  time.Time
}

// Users come within moments, but for those that have stopped, or whose share of the samples another process has.
const (
	patience  = 2 * time.Second  // without any user, after which a wait is given up
	forgotten = 30 * time.Second // after which an image's users are not waited for; and how long none are, where few come
)

// NewCache returns an empty cache. fetch reads an image's encoded bytes from the blob store by schemas.ImageKey; its error
// for a key that is not there wraps fs.ErrNotExist.
func NewCache(limit schemas.ByteSize, fetch func(ctx context.Context, key string) ([]byte, error)) *Cache {
	return &Cache{
		limit: int64(limit), fetch: fetch,
		recent: list.New(), due: list.New(), used: make(chan struct{}), entries: map[schemas.Hash]*cached{},
	}
}

// Await says how many steps of this process ask for each image that is put from now on; without it nobody is waited for.
func (c *Cache) Await(users int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users = users
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
		c.mu.Lock()
		c.keep(ref.SHA256, img, 0)
		c.mu.Unlock()
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

// Put keeps an image that the caller has decoded, so that its users need not. It waits for room as Cache says, until the
// context ends or no user has come for a while; the image may be dropped at any time.
func (c *Cache) Put(ctx context.Context, key schemas.Hash, img *Image) {
	cost := int64(len(img.Pix))
	if cost > c.limit {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.dueSize > 0 && c.dueSize+cost > c.limit {
		first := c.due.Front().Value.(*cached)
		if time.Since(first.put) > forgotten || time.Now().Before(c.hurry) {
			c.settle(first)
			continue
		}
		used := c.used
		c.mu.Unlock()
		wait := time.NewTimer(patience)
		alone := false
		select {
		case <-used:
		case <-wait.C:
			alone = true
		case <-ctx.Done():
		}
		wait.Stop()
		c.mu.Lock()
		if ctx.Err() != nil {
			return
		}
		if alone && c.due.Front() == first.at { // else another Put has given up, or made room
			c.giveUp()
		}
	}
	c.puts++
	c.keep(key, img, c.users)
}

// giveUp ends a wait in which no user came, and the waiting as such for a while where few come: two processes that share the
// samples have half of them each, or less.
func (c *Cache) giveUp() {
	if 4*c.had < 3*c.puts {
		c.hurry = time.Now().Add(forgotten)
	}
	c.puts, c.had = 0, 0
	for c.due.Len() > 0 {
		c.settle(c.due.Front().Value.(*cached))
	}
}

// keep holds an image, with so many users to come, within the limit. Its caller has locked the cache, as have those of giveUp
// and of the methods below.
func (c *Cache) keep(key schemas.Hash, img *Image, users int) {
	cost := int64(len(img.Pix))
	e, ok := c.entries[key]
	switch {
	case ok:
		c.leave(e)
		e.left = max(e.left, users) // not their sum: the caller may have been cut short and tries again
	case cost > c.limit:
		return
	default:
		for c.size+cost > c.limit {
			c.drop()
		}
		e = &cached{key: key, img: img, left: users}
		c.entries[key] = e
		c.size += cost
	}
	e.put = time.Now()
	c.enter(e)
}

// drop lets go of the image that is needed least.
func (c *Cache) drop() {
	at := c.recent.Back()
	if at == nil {
		at = c.due.Front()
	}
	e := at.Value.(*cached)
	c.leave(e)
	delete(c.entries, e.key)
	c.size -= int64(len(e.img.Pix))
}

// enter and leave put an entry into the list that it belongs in, and take it out.
func (c *Cache) enter(e *cached) {
	if e.left == 0 {
		e.at = c.recent.PushFront(e)
		return
	}
	e.at = c.due.PushBack(e)
	c.dueSize += int64(len(e.img.Pix))
}

func (c *Cache) leave(e *cached) {
	if e.left == 0 {
		c.recent.Remove(e.at)
		return
	}
	c.due.Remove(e.at)
	c.dueSize -= int64(len(e.img.Pix))
}

// settle says that nobody is waited for any more.
func (c *Cache) settle(e *cached) {
	c.leave(e)
	e.left = 0
	c.enter(e)
}

func (c *Cache) get(key schemas.Hash) *Image {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return nil
	}
	switch e.left {
	case 0:
		c.recent.MoveToFront(e.at)
		return e.img
	case 1:
		c.had++
		c.settle(e)
	default:
		e.left--
	}
	close(c.used)
	c.used = make(chan struct{})
	return e.img
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
