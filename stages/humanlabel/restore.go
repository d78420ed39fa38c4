package humanlabel

// Restoring: from the newest snapshot that belongs to the log, else from the log's start.

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"gleaner/schemas"
)

// Log is the desk topic. Its methods may be called concurrently.
type Log interface {
	// Append blocks until the record is durable. After any error but schemas.ErrTooLarge it may be durable all the same.
	Append(ctx context.Context, rec schemas.Record) error
	// Follow calls fn for each record of a partition from an offset on, in order, forever: until fn fails, and then it returns
	// that error wrapped or as it is, or until ctx is done.
	Follow(ctx context.Context, topic schemas.Topic, partition int, from int64, fn func(schemas.Record) error) error
	// Bounds returns what each partition holds at the moment.
	Bounds(ctx context.Context, topic schemas.Topic) (map[int]schemas.Bounds, error)
}

// Blobs is the blob store. Get's error for a key that is not there wraps fs.ErrNotExist.
type Blobs interface {
	Put(ctx context.Context, key string, data []byte) error
	Get(ctx context.Context, key string) ([]byte, error)
	Delete(ctx context.Context, key string) error
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
}

// partition is the one partition of the desk topic.
const partition = 0

// errEnough ends a Follow that has read what it was asked for.
var errEnough = errors.New("enough")

// snapshotKey names a snapshot by the offset of the last record in it.
func snapshotKey(genesis string, offset int64) string {
	return fmt.Sprintf("%s%020d.snapshot", schemas.DeskSnapshotPrefix(genesis), offset)
}

// snapshots lists the keys of snapshots under a prefix with their offsets, the newest first.
func snapshots(ctx context.Context, blobs Blobs, prefix string) ([]snapshotAt, error) {
	var found []snapshotAt
	for key, err := range blobs.List(ctx, prefix) {
		if err != nil {
			return nil, fmt.Errorf("list snapshots: %w", err)
		}
		digits, ok := strings.CutSuffix(path.Base(key), ".snapshot")
		if offset, err := strconv.ParseInt(digits, 10, 64); ok && err == nil {
			found = append(found, snapshotAt{key, offset})
		}
	}
	slices.SortFunc(found, func(a, b snapshotAt) int { return cmp.Compare(b.offset, a.offset) })
	return found, nil
}

type snapshotAt struct {
	key    string
	offset int64
}

// restorer finds the state to start from.
type restorer struct {
	log    Log
	blobs  Blobs
	logger *slog.Logger
}

// restore returns the state of the newest snapshot that ends before the given offset and belongs to the log, else the empty
// state. It fails when the log's start is gone and no snapshot covers the loss.
func (r restorer) restore(ctx context.Context, before int64) (*State, error) {
	all, err := r.log.Bounds(ctx, schemas.Desk)
	if err != nil {
		return nil, fmt.Errorf("desk: bounds of the log: %w", err)
	}
	bounds := all[partition]
	// A log whose start is there names its genesis itself, and its snapshots alone can belong to it.
	prefix := "desk/"
	if bounds.First == 0 {
		genesis, err := r.genesis(ctx, bounds)
		if err != nil {
			return nil, err
		}
		if genesis == "" {
			return NewState(), nil
		}
		prefix = schemas.DeskSnapshotPrefix(genesis)
	}
	found, err := snapshots(ctx, r.blobs, prefix)
	if err != nil {
		return nil, fmt.Errorf("desk: %w", err)
	}
	for _, snap := range found {
		if snap.offset >= before || snap.offset+1 < bounds.First {
			continue
		}
		state, err := r.load(ctx, snap, bounds)
		if err == nil {
			return state, nil
		}
		if errors.Is(err, ErrFoldVersion) || ctx.Err() != nil {
			return nil, fmt.Errorf("desk: snapshot %s: %w", snap.key, err)
		}
		r.logger.Error("desk: snapshot refused, trying an older one", "key", snap.key, "error", err)
	}
	if bounds.First > 0 {
		return nil, fmt.Errorf("desk: the log begins at offset %d and no snapshot covers what was cut off: restore the topic %s, "+
			"or the blobs under desk/", bounds.First, schemas.Desk)
	}
	return NewState(), nil
}

// load reads one snapshot and compares it with the log: the record at its offset must be the one that it folded last.
func (r restorer) load(ctx context.Context, snap snapshotAt, bounds schemas.Bounds) (*State, error) {
	if snap.offset >= bounds.End {
		return nil, fmt.Errorf("it reaches offset %d and the log ends at %d: the log has lost commands", snap.offset, bounds.End)
	}
	data, err := r.blobs.Get(ctx, snap.key)
	if err != nil {
		return nil, err
	}
	state, err := Decode(data)
	if err != nil {
		return nil, err
	}
	if state.offset != snap.offset || snapshotKey(state.genesis, state.offset) != snap.key {
		return nil, fmt.Errorf("it holds genesis %q at offset %d", state.genesis, state.offset)
	}
	if snap.offset < bounds.First {
		return state, nil
	}
	err = r.read(ctx, snap.offset, snap.offset+1, func(rec schemas.Record) error {
		if sha256.Sum256(rec.Value) != state.last {
			return errors.New("the log holds another record at its offset")
		}
		return nil
	})
	return state, err
}

// genesis returns the id that the log's first genesis gave, or nothing when there is none yet.
func (r restorer) genesis(ctx context.Context, bounds schemas.Bounds) (string, error) {
	state := NewState()
	err := r.read(ctx, bounds.First, bounds.End, func(rec schemas.Record) error {
		if _, err := state.Fold(rec.Offset, rec.Value); err != nil {
			return err
		}
		if state.genesis != "" {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return "", err
	}
	return state.genesis, nil
}

// read calls fn for the records in [from, end), which must all be there.
func (r restorer) read(ctx context.Context, from, end int64, fn func(schemas.Record) error) error {
	if from >= end {
		return nil
	}
	next, finished := from, false
	err := r.log.Follow(ctx, schemas.Desk, partition, from, func(rec schemas.Record) error {
		if rec.Offset < next {
			return nil // read twice over a reconnection
		}
		if rec.Offset > next {
			return gap(next, rec.Offset)
		}
		if err := fn(rec); err != nil {
			return err
		}
		if next++; next == end {
			finished = true
			return errEnough
		}
		return nil
	})
	if finished {
		return nil
	}
	return err
}

// fold brings a state up to, and not including, the record at end.
func (r restorer) fold(ctx context.Context, s *State, end int64) error {
	return r.read(ctx, s.offset+1, end, func(rec schemas.Record) error {
		_, err := s.Fold(rec.Offset, rec.Value)
		return err
	})
}

// gap says that records are missing in the middle of the log, which no fold can mend.
func gap(want, got int64) error {
	return fmt.Errorf("the log jumps from offset %d to %d: commands are lost, restore the topic %s", want, got, schemas.Desk)
}

// everything is an offset past the end of any log.
const everything = int64(math.MaxInt64)
