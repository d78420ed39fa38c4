package wire

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"
	"time"

	"gleaner/connectors/blob"
	"gleaner/schemas"
)

// pullWithin is how long a model may take to come.
const pullWithin = time.Hour

// PullModel fetches a model file over https, of at most limit bytes, which must have the given digest. progress is told the
// bytes that have come, of how many, or of -1 where the server does not say. The address is an operator's, not a producer's,
// so it may be private.
func (c *Connections) PullModel(ctx context.Context, address string, digest schemas.Hash, limit schemas.ByteSize, progress func(done, total int64)) ([]byte, error) {
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("pull %q: want an https address", address)
	}
	fetcher, err := blob.NewFetcher(blob.FetchConfig{MaxBytes: limit, Timeout: pullWithin, AllowPrivate: true})
	if err != nil {
		return nil, fmt.Errorf("pull %s: %w", address, err)
	}
	fetcher.Progress = progress
	data, err := fetcher.Fetch(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("pull: %w", err)
	}
	if got := schemas.Hash(sha256.Sum256(data)); got != digest {
		return nil, fmt.Errorf("pull %s: what came has digest %s, not the one that was asked for", address, got)
	}
	return data, nil
}
