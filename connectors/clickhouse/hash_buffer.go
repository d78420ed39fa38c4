package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"gleaner/schemas"
)

// maxBufferedHashes bounds the buffer to some 10 MB; a full one makes its users wait for the server.
const maxBufferedHashes = 1 << 16

// hashRow is one sample's perceptual hash.
type hashRow struct {
	dataset   string
	id, group schemas.SampleID
	phash     uint64
}

// hashBuffer gathers hashes for a moment, since an insert for each would cost the server a part each, and answers for those
// that wait.
type hashBuffer struct {
	every time.Duration
	write func(context.Context, []hashRow) error
	log   *slog.Logger

	writing sync.Mutex // one write at a time
	mu      sync.Mutex
	rows    []hashRow
	timer   *time.Timer // runs while rows wait
	closed  bool
}

func newHashBuffer(every time.Duration, write func(context.Context, []hashRow) error, log *slog.Logger) *hashBuffer {
	return &hashBuffer{every: every, write: write, log: log}
}

func (b *hashBuffer) add(ctx context.Context, r hashRow) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return errors.New("clickhouse: put a perceptual hash: the connection is closed")
	}
	b.rows = append(b.rows, r)
	full := len(b.rows) >= maxBufferedHashes
	b.schedule()
	b.mu.Unlock()
	if full {
		return b.flush(ctx)
	}
	return nil
}

// schedule plans a write unless one is planned; b.mu is held.
func (b *hashBuffer) schedule() {
	if b.timer != nil || len(b.rows) == 0 || b.closed {
		return
	}
	b.timer = time.AfterFunc(b.every, func() {
		if err := b.flush(context.Background()); err != nil {
			b.log.Error("perceptual hashes wait in memory: near duplicates are seen by this process only", "err", err)
		}
	})
}

// close writes what waits and takes no more.
func (b *hashBuffer) close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	return b.flush(ctx)
}

// flush writes what waits. Rows stay visible to near until they are stored, and stay in the buffer when that fails.
func (b *hashBuffer) flush(ctx context.Context) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	rows := b.rows[:len(b.rows):len(b.rows)]
	b.mu.Unlock()
	if len(rows) == 0 {
		return nil
	}
	err := b.write(ctx, rows)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.rows = append([]hashRow(nil), b.rows[len(rows):]...)
	}
	b.schedule()
	if err != nil {
		return fmt.Errorf("write %d perceptual hashes: %w", len(rows), err)
	}
	return nil
}

// drop forgets a sample's hashes.
func (b *hashBuffer) drop(id schemas.SampleID) {
	b.writing.Lock() // flush relies on the rows it writes staying in front
	defer b.writing.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rows = slices.DeleteFunc(slices.Clone(b.rows), func(r hashRow) bool { return r.id == id })
}

// near is DB.Near among the rows that wait.
func (b *hashBuffer) near(dataset string, phash uint64, maxBits int, not schemas.SampleID) (best schemas.Neighbor, found bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.rows {
		d := hamming(r.phash, phash)
		if d > maxBits || r.dataset != dataset || r.id == not {
			continue
		}
		if n := (schemas.Neighbor{ID: r.id, Group: r.group, Distance: d}); !found || nearer(n, best) {
			best, found = n, true
		}
	}
	return best, found
}
