package runner

import (
	"context"
	"sync"

	"gleaner/schemas"
)

// overhead is what a record costs in memory besides its payload, in bytes: structs, slices and bookkeeping.
const overhead = 512

func cost(r schemas.Record) int64 { return int64(r.Size()) + overhead }

// budget bounds what a step holds, in records and bytes. Inputs wait for room; outputs only add to the count, since the
// record that gave them must finish to free anything, and so keep inputs waiting longer.
type budget struct {
	maxRecords int
	maxBytes   int64

	mu      sync.Mutex
	freed   sync.Cond
	records int
	bytes   int64
}

func newBudget(records int, bytes int64) *budget {
	b := &budget{maxRecords: records, maxBytes: bytes}
	b.freed.L = &b.mu
	return b
}

// fits says whether one more record of n bytes may come in; one larger than all the room comes in alone.
func (b *budget) fits(n int64) bool {
	return b.records == 0 || b.records < b.maxRecords && b.bytes+n <= b.maxBytes
}

// try takes room for one record of n bytes if there is room now.
func (b *budget) try(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.fits(n) {
		return false
	}
	b.records++
	b.bytes += n
	return true
}

// acquire waits for room; it reports false when ctx is done first.
func (b *budget) acquire(ctx context.Context, n int64) bool {
	stop := context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.freed.Broadcast()
	})
	defer stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.fits(n) {
		if ctx.Err() != nil {
			return false
		}
		b.freed.Wait()
	}
	b.records++
	b.bytes += n
	return true
}

// add counts n more bytes, of outputs, without waiting.
func (b *budget) add(n int64) {
	b.mu.Lock()
	b.bytes += n
	b.mu.Unlock()
}

// release gives back records and bytes.
func (b *budget) release(records int, n int64) {
	b.mu.Lock()
	b.records -= records
	b.bytes -= n
	b.mu.Unlock()
	b.freed.Broadcast()
}

// held returns what is in flight.
func (b *budget) held() (records int, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.records, b.bytes
}
