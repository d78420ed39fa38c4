package stages

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"gleaner/schemas"
)

// Blobs is where tombstones lie. Get's error is fs.ErrNotExist where nothing lies under the key.
type Blobs interface {
	Get(ctx context.Context, key string) ([]byte, error)
}

// Erased tells whether the sample has a tombstone. The answer holds only for the moment: a step asks after its work, just
// before it emits, and keeps no answer for another record.
func Erased(ctx context.Context, blobs Blobs, id schemas.SampleID) (bool, error) {
	_, err := blobs.Get(ctx, schemas.TombstoneKey(id))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, fmt.Errorf("look for the tombstone of sample %s: %w", id, err)
}
