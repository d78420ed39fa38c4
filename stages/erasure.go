package stages

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

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

// lookups is how many tombstones are looked up at once.
const lookups = 16

// ErasedOf tells which of the samples have a tombstone, as Erased does of one.
func ErasedOf(ctx context.Context, blobs Blobs, ids []schemas.SampleID) (map[schemas.SampleID]bool, error) {
	var mu sync.Mutex
	asked, erased := make(map[schemas.SampleID]bool, len(ids)), map[schemas.SampleID]bool{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for _, id := range ids {
		if asked[id] {
			continue
		}
		asked[id] = true
		g.Go(func() error {
			gone, err := Erased(ctx, blobs, id)
			if gone {
				mu.Lock()
				defer mu.Unlock()
				erased[id] = true
			}
			return err
		})
	}
	return erased, g.Wait()
}

// Tombstones lists the samples that have one, for the moment as Erased does. They are few: where a step has many samples, one listing
// costs less than a question for each.
func Tombstones(ctx context.Context, blobs interface {
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
},
) (map[schemas.SampleID]bool, error) {
	erased := map[schemas.SampleID]bool{}
	for key, err := range blobs.List(ctx, schemas.TombstonePrefix) {
		if err != nil {
			return nil, fmt.Errorf("list tombstones: %w", err)
		}
		id, err := schemas.ParseSampleID(strings.TrimPrefix(key, schemas.TombstonePrefix))
		if err != nil {
			return nil, fmt.Errorf("tombstone %s: %w", key, err)
		}
		erased[id] = true
	}
	return erased, nil
}
