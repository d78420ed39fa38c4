package blob

// The S3-compatible bucket, through gocloud.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcerrors"
)

type bucket struct {
	b       *blob.Bucket
	timeout time.Duration // of a call; 0: none
}

// bound is ctx for one call.
func (s *bucket) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.timeout == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.timeout)
}

func openBucket(ctx context.Context, u *url.URL, timeout time.Duration) (*bucket, error) {
	q := u.Query()
	prefix := q.Get("prefix")
	q.Del("prefix")
	u.RawQuery = q.Encode()
	b, err := new(s3blob.URLOpener).OpenBucketURL(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	if prefix != "" {
		b = blob.PrefixedBucket(b, prefix)
	}
	s := &bucket{b, timeout}
	ctx, cancel := s.bound(ctx)
	defer cancel()
	ok, err := b.IsAccessible(ctx)
	if err == nil && !ok {
		err = errors.New("it does not exist")
	}
	if err != nil {
		_ = b.Close()
		return nil, fmt.Errorf("blob: bucket %s: %w", u.Host, err)
	}
	return s, nil
}

func (s *bucket) Put(ctx context.Context, key string, data []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	ctx, cancel := s.bound(ctx)
	defer cancel()
	if err := s.write(ctx, key, data, false); err != nil {
		return fmt.Errorf("blob: put %s: %w", key, err)
	}
	return nil
}

func (s *bucket) write(ctx context.Context, key string, data []byte, exclusive bool) error {
	return s.b.WriteAll(ctx, key, data, &blob.WriterOptions{ContentType: "application/octet-stream", IfNotExist: exclusive})
}

func (s *bucket) PutNew(ctx context.Context, key string, data []byte) (existing []byte, created bool, err error) {
	if err := checkKey(key); err != nil {
		return nil, false, err
	}
	ctx, cancel := s.bound(ctx)
	defer cancel()
	for range 100 {
		if err = s.write(ctx, key, data, true); err == nil {
			return nil, true, nil
		}
		if gcerrors.Code(err) != gcerrors.FailedPrecondition {
			return nil, false, fmt.Errorf("blob: create %s: %w", key, err)
		}
		existing, err = s.Get(ctx, key)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return existing, false, err
		}
	}
	return nil, false, fmt.Errorf("blob: create %s: %w", key, errContended)
}

func (s *bucket) PutNewEach(ctx context.Context, data []byte, keys ...string) (n int, existing []byte, err error) {
	return putNewEach(data, keys, func(key string) ([]byte, bool, error) { return s.PutNew(ctx, key, data) })
}

func (s *bucket) Get(ctx context.Context, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	ctx, cancel := s.bound(ctx)
	defer cancel()
	data, err := s.b.ReadAll(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("blob: get %s: %w", key, err)
	}
	return data, nil
}

func (s *bucket) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	ctx, cancel := s.bound(ctx)
	defer cancel()
	if err := s.b.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("blob: delete %s: %w", key, err)
	}
	return nil
}

func (s *bucket) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		it := s.b.List(&blob.ListOptions{Prefix: prefix})
		for {
			ctx, cancel := s.bound(ctx)
			o, err := it.Next(ctx)
			cancel()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield("", fmt.Errorf("blob: list %s: %w", prefix, err))
				return
			}
			if !yield(o.Key, nil) {
				return
			}
		}
	}
}

func (s *bucket) Close() error { return s.b.Close() }
