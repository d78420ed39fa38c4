// Package blob keeps bytes by key, in a local folder or an S3-compatible bucket: images, which outlive topics, and the small
// objects by which racing processes agree who was first.
//
// The folder store is our own, since gocloud's fileblob neither syncs what it writes nor creates exclusively between
// processes, and an offset is committed on the strength of both. S3 goes through gocloud.dev/blob/s3blob.
package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// Store keeps values under keys of slash-separated parts. All methods are safe for concurrent use, by any number of
// processes, and block until done; what they return is durable. Keys may not be empty or absolute, nor contain empty
// parts, "." or ".." or control characters; no key may be a folder of another (a, a/b).
type Store interface {
	// Put writes a value, replacing what was there. Readers see the old value or the new one, never a part.
	Put(ctx context.Context, key string, data []byte) error
	// PutNew writes a value unless the key exists, atomically: of racing callers one creates and the others get its value.
	// A caller whose own write went through unnoticed (a retry after a lost answer) gets its own value as existing.
	PutNew(ctx context.Context, key string, data []byte) (existing []byte, created bool, err error)
	// PutNewEach writes one value under each of the keys in turn, as PutNew does, up to the first that has another value: n is how
	// many have this one, and existing what the next has, nil where there is none. A folder writes the value once for all keys.
	PutNewEach(ctx context.Context, data []byte, keys ...string) (n int, existing []byte, err error)
	// Get reads a value; the error is fs.ErrNotExist where there is none.
	Get(ctx context.Context, key string) ([]byte, error)
	// Delete removes a value, if there is one.
	Delete(ctx context.Context, key string) error
	// List yields the keys that begin with prefix, in byte order. The sequence ends at its first error.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
	// Close releases connections. No call may follow.
	Close() error
}

// Config says where the store is.
type Config struct {
	// URL is file:///folder (created if absent), or
	// s3://bucket?region=…&endpoint=https://…&use_path_style=true&prefix=folder/ with credentials from the AWS environment
	// variables, profile or instance role. For servers that do not know S3's newer checksums add
	// request_checksum_calculation=when_required. The server must honor If-None-Match on PUT.
	URL string `yaml:"url"`
	// Timeout bounds one call to a bucket, its own retries included, and of List one page; 0: no bound. A folder's calls are
	// the operating system's, which lets nobody leave them.
	Timeout time.Duration `yaml:"timeout"`
}

// Local tells whether the store is a folder, whose values are as near to every step as a message.
func (c Config) Local() bool { return strings.HasPrefix(c.URL, "file:") }

// DefaultConfig names no store: the caller gives one.
func DefaultConfig() Config { return Config{Timeout: time.Minute} }

// Validate refuses what Open cannot open, as far as the text tells.
func (c Config) Validate() error {
	u, err := url.Parse(c.URL)
	if err != nil {
		return fmt.Errorf("url %q: %w", c.URL, err)
	}
	switch {
	case u.Scheme == "s3" && u.Host == "":
		return fmt.Errorf("url %q names no bucket: want s3://bucket", c.URL)
	case u.Scheme == "file" && folder(u) == "":
		return fmt.Errorf("url %q names no folder: want file:///folder", c.URL)
	case u.Scheme != "s3" && u.Scheme != "file":
		return fmt.Errorf("url %q: want file:///folder or s3://bucket", c.URL)
	case u.Scheme == "file" && u.RawQuery != "":
		return fmt.Errorf("url %q: a folder takes no options", c.URL)
	case c.Timeout < 0:
		return fmt.Errorf("timeout %s: must not be negative", c.Timeout)
	}
	return nil
}

// Open opens the store that the configuration names. ctx bounds the opening only.
func Open(ctx context.Context, c Config) (Store, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	u, _ := url.Parse(c.URL)
	if u.Scheme == "file" {
		return openLocal(folder(u))
	}
	return openBucket(ctx, u, c.Timeout)
}

// folder is the path of a file URL; file://./a and file://../a are relative to the working directory.
func folder(u *url.URL) string {
	switch u.Host {
	case "", "localhost":
		return filepath.FromSlash(u.Path)
	case ".", "..":
		return filepath.FromSlash(u.Host + u.Path)
	}
	return ""
}

func checkKey(key string) error {
	if !fs.ValidPath(key) || key == "." || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == '\\' }) {
		return fmt.Errorf("blob: key %q: want slash-separated parts, none empty, \".\" or \"..\", no control characters", key)
	}
	return nil
}

// putNewEach is PutNewEach by putNew, which is PutNew of data.
func putNewEach(data []byte, keys []string, putNew func(key string) ([]byte, bool, error)) (n int, existing []byte, err error) {
	for n, key := range keys {
		existing, created, err := putNew(key)
		if err != nil || !created && !bytes.Equal(existing, data) {
			return n, existing, err
		}
	}
	return len(keys), nil, nil
}

var errContended = errors.New("created and deleted again and again by others")
