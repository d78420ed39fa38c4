package kafka

// The contiguous-prefix tracker of one assigned partition.

import "sync"

// tracker knows which records of one partition were handed out and acknowledged, and up to where they were acknowledged
// without a break. It queues records, not offsets: logs have holes. All methods may be called concurrently.
type tracker struct {
	mu        sync.Mutex
	window    []tracked // records from the oldest one not acknowledged on, in offset order
	base      int       // sequence number of window[0]
	next      int64     // offset to commit: one past the last record of the acknowledged prefix
	committed int64     // offset known to be committed, or -1
	sealed    bool
	moved     chan struct{} // has an element after the prefix grew
}

type tracked struct {
	offset int64
	done   bool
}

func newTracker() *tracker {
	return &tracker{next: -1, committed: -1, moved: make(chan struct{}, 1)}
}

// add queues a record that is about to be handed out, and returns its sequence number.
func (t *tracker) add(offset int64) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.window = append(t.window, tracked{offset: offset})
	return t.base + len(t.window) - 1
}

// drop takes back the newest n records: they were not handed out.
func (t *tracker) drop(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.window = t.window[:len(t.window)-n]
}

// ack marks the record as done. It does nothing for a record that is done already, or once the tracker is sealed.
func (t *tracker) ack(seq int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sealed || seq < t.base {
		return
	}
	t.window[seq-t.base].done = true
	n := 0
	for n < len(t.window) && t.window[n].done {
		n++
	}
	if n == 0 {
		return
	}
	t.next = t.window[n-1].offset + 1
	t.window, t.base = t.window[n:], t.base+n
	select {
	case t.moved <- struct{}{}:
	default:
	}
}

// unacked is the number of records handed out from the oldest one not acknowledged on.
func (t *tracker) unacked() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.window)
}

// dirty returns the offset to commit, if it is not committed yet.
func (t *tracker) dirty() (int64, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next, t.next > t.committed
}

func (t *tracker) setCommitted(offset int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.committed = offset
}

// seal makes every later ack do nothing.
func (t *tracker) seal() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sealed = true
}
