package labelmap

import (
	"crypto/sha256"
	"sync"
)

// Recent keeps the maps that one step of a process has encoded last, so that another need not decode them. A nil one keeps
// nothing. Any number of goroutines may use it; its maps are shared and read-only.
type Recent struct {
	limit int // pixels

	mu     sync.Mutex
	pixels int
	maps   map[key]*Map
	order  []key // oldest first
}

type key = [sha256.Size]byte // of the encoded map

// NewRecent keeps as many maps as have that many pixels together, of 2 bytes each.
func NewRecent(pixels int) *Recent { return &Recent{limit: pixels, maps: map[key]*Map{}} }

// Encode is the map's Encode, and keeps it.
func (r *Recent) Encode(m *Map) ([]byte, error) {
	data, err := m.Encode()
	if err != nil || r == nil || len(m.Labels) > r.limit {
		return data, err
	}
	k := sha256.Sum256(data)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.maps[k]; ok {
		return data, nil
	}
	r.maps[k], r.order, r.pixels = m, append(r.order, k), r.pixels+len(m.Labels)
	for r.pixels > r.limit {
		r.pixels -= len(r.maps[r.order[0]].Labels)
		delete(r.maps, r.order[0])
		r.order = r.order[1:]
	}
	return data, nil
}

// Decode is the map that was encoded as b, kept or decoded.
func (r *Recent) Decode(b []byte) (*Map, error) {
	if m := r.get(b); m != nil {
		return m, nil
	}
	return Decode(b)
}

func (r *Recent) get(b []byte) *Map {
	if r == nil {
		return nil
	}
	k := sha256.Sum256(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.maps[k]
}
