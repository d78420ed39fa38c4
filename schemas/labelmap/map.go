package labelmap

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Map is a label map with the coarser levels of its hierarchy.
type Map struct {
	W, H   int
	Labels []uint16   // [H*W] row-major, the finest level: ids 0..n-1 in the order of first appearance
	Levels [][]uint16 // Levels[i][r] is the region of level i+1 that region r of level i is part of; ids 0..m-1 in the order of first appearance
}

// MaxLevels bounds the levels above the finest.
const MaxLevels = 16

const magic2 = "GLM\x02"

// Counts is how many regions each level has, finest first: len(Levels)+1 numbers.
func (m *Map) Counts() []int {
	n := make([]int, 0, len(m.Levels)+1)
	n = append(n, regions(m.Labels))
	for _, parents := range m.Levels {
		n = append(n, regions(parents))
	}
	return n
}

// regions is how many ids there are when they are 0..n-1.
func regions(ids []uint16) int {
	n := 0
	for _, id := range ids {
		n = max(n, int(id)+1)
	}
	return n
}

// At is the label map of a level: [H*W] row-major. Level 0 is Labels itself; do not write to it.
func (m *Map) At(level int) []uint16 {
	if level == 0 {
		return m.Labels
	}
	up := m.Levels[0]
	for _, parents := range m.Levels[1:level] {
		next := make([]uint16, len(up))
		for r, id := range up {
			next[r] = parents[id]
		}
		up = next
	}
	labels := make([]uint16, len(m.Labels))
	for i, r := range m.Labels {
		labels[i] = up[r]
	}
	return labels
}

// Encode compresses a label map.
func (m *Map) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	out := binary.AppendUvarint([]byte(magic2), uint64(len(m.Levels)))
	for _, parents := range m.Levels {
		out = binary.AppendUvarint(out, uint64(len(parents)))
		for _, id := range parents {
			out = binary.LittleEndian.AppendUint16(out, id)
		}
	}
	labels, err := encodeLabels(m.Labels, m.W, m.H)
	return append(out, labels...), err
}

// check refuses levels that are not nested or not numbered in the order of first appearance.
func (m *Map) check() error {
	if len(m.Levels) > MaxLevels {
		return fmt.Errorf("label map of %d levels: want at most %d", len(m.Levels), MaxLevels)
	}
	ids := m.Labels
	for i, parents := range m.Levels {
		if n, ok := ordered(ids); !ok || len(parents) != n {
			return fmt.Errorf("label map: level %d of %d regions on one of %d, or ids out of order", i+1, len(parents), n)
		}
		ids = parents
	}
	if len(m.Levels) > 0 {
		if _, ok := ordered(ids); !ok {
			return fmt.Errorf("label map: ids of level %d are out of order", len(m.Levels))
		}
	}
	return nil
}

// ordered says that ids are 0..n-1 in the order of first appearance.
func ordered(ids []uint16) (n int, ok bool) {
	for _, id := range ids {
		switch {
		case int(id) > n:
			return n, false
		case int(id) == n:
			n++
		}
	}
	return n, true
}

// Decode reads what Encode writes, and label maps of version 1. It never panics; memory is bounded by MaxPixels and by the
// length of b.
func Decode(b []byte) (*Map, error) {
	m := new(Map)
	if len(b) >= len(magic2) && string(b[:len(magic2)]) == magic2 {
		b = b[len(magic2):]
		levels, n := binary.Uvarint(b)
		if n <= 0 || levels > MaxLevels {
			return nil, errTruncated
		}
		b = b[n:]
		for range levels {
			count, n := binary.Uvarint(b)
			if n <= 0 || count > uint64(len(b)-n)/2 {
				return nil, errTruncated
			}
			b = b[n:]
			parents := make([]uint16, count)
			for i := range parents {
				parents[i] = binary.LittleEndian.Uint16(b[2*i:])
			}
			b = b[2*count:]
			m.Levels = append(m.Levels, parents)
		}
	}
	var err error
	if m.Labels, m.W, m.H, err = decodeLabels(b); err != nil {
		return nil, err
	}
	if m.check() != nil {
		return nil, errors.New("label map with levels that are not nested")
	}
	return m, nil
}
