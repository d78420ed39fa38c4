package labelmap

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const magic = "GLM\x02"

var errTruncated = errors.New("label map is cut off or damaged")

// Encode compresses a map. It refuses one that is empty or larger than MaxPixels, and levels that are not numbered or nested
// as Map says.
func (m *Map) Encode() ([]byte, error) {
	if m.W <= 0 || m.H <= 0 || m.W > MaxPixels/m.H || len(m.Labels) != m.W*m.H || len(m.Levels) > MaxLevels {
		return nil, fmt.Errorf("label map of %d labels in %d levels for %dx%d pixels: want width x height, 1 to %d, and at most %d levels above the finest",
			len(m.Labels), len(m.Levels), m.W, m.H, MaxPixels, MaxLevels)
	}
	out := append(make([]byte, 0, 1<<14), magic...)
	for _, v := range []int{m.W, m.H, len(m.Levels)} {
		out = binary.AppendUvarint(out, uint64(v))
	}
	c := newWriter(out)
	if err := m.code(c); err != nil {
		return nil, err
	}
	return c.finish(), nil
}

// Decode reads what Encode writes, and label maps of version 1. It never panics. Memory is bounded by MaxPixels, whatever b
// says: about 4 bytes a pixel for maps of superpixels, up to 60 where every pixel is a region.
func Decode(b []byte) (*Map, error) {
	if len(b) < len(magic) || string(b[:len(magic)]) != magic {
		return decode1(b)
	}
	fields, payload, err := header(b[len(magic):])
	if err != nil {
		return nil, err
	}
	if fields[2] > MaxLevels {
		return nil, fmt.Errorf("label map of %d levels above the finest: want at most %d", fields[2], MaxLevels)
	}
	m := &Map{W: fields[0], H: fields[1]}
	for range fields[2] {
		m.Levels = append(m.Levels, nil)
	}
	c := newReader(payload)
	if err := m.code(c); err != nil {
		return nil, err
	}
	if !c.finished() {
		return nil, errTruncated
	}
	return m, nil
}

// header reads the width, the height and a third number.
func header(b []byte) (fields [3]int, payload []byte, err error) {
	for i := range fields {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return fields, nil, errTruncated
		}
		fields[i], b = int(min(v, MaxPixels+1)), b[n:]
	}
	if w, h := fields[0], fields[1]; w == 0 || h == 0 || w > MaxPixels/h {
		return fields, nil, fmt.Errorf("label map of %dx%d pixels: want 1 to %d", w, h, MaxPixels)
	}
	return fields, b, nil
}

// code writes or reads all that follows the header: contours, ids and levels.
func (m *Map) code(c *coder) error {
	walk := newContours(c, m.W, m.H, m.Labels)
	defer walk.free()
	if err := walk.walk(); err != nil {
		return err
	}
	ids, n, err := walk.ids()
	if err != nil {
		return err
	}
	if !c.writing {
		m.Labels = walk.paint(ids)
	}
	if len(m.Levels) == 0 {
		return nil
	}
	if n == 0 {
		return errors.New("label map has levels above regions that are not numbered in the order of first appearance")
	}
	near := walk.neighbors(ids, n)
	for i := range m.Levels {
		if !c.writing {
			m.Levels[i] = make([]uint16, n)
		}
		if len(m.Levels[i]) != n {
			return fmt.Errorf("level %d of a label map has parents of %d regions, not of %d", i+1, len(m.Levels[i]), n)
		}
		up, err := c.parents(m.Levels[i], near)
		if err != nil {
			return fmt.Errorf("level %d of a label map: %w", i+1, err)
		}
		near = near.merge(m.Levels[i], up)
		n = up
	}
	return nil
}

// ids writes or reads the id of each piece. n is how many regions there are if their ids are 0..n-1 in the order of first
// appearance, else 0.
func (c *contours) ids() (ids []uint16, n int, err error) {
	starts := c.components()
	ids = make([]uint16, len(starts)) // at first, the region of each component, numbered in the order of first appearance
	var names []uint16                // the id of each region
	n = len(starts)
	if c.writing && !c.inOrder(starts) {
		names = c.regions(starts, ids)
	}
	switch scattered := c.flag(names != nil && len(names) < n); {
	case scattered:
		if n, err = c.parents(ids, nil); err != nil {
			return nil, 0, err
		}
	case n > 1<<16:
		return nil, 0, fmt.Errorf("label map has %d regions: want at most %d", n, 1<<16)
	default:
		for i := range ids {
			ids[i] = uint16(i)
		}
	}
	if !c.flag(!inOrder(names)) {
		return c.spread(ids), n, nil
	}
	if !c.writing {
		names = make([]uint16, n)
	}
	for i := range names {
		names[i] = uint16(c.plain(int(names[i]), 16))
	}
	return c.spread(spread(ids, names)), 0, nil
}

// inOrder says that each component is the region of its number, when writing.
func (c *contours) inOrder(starts []int32) bool {
	for i, at := range starts {
		if int(c.labels[at]) != i {
			return false
		}
	}
	return true
}

// regions numbers the regions of components in the order of first appearance, when writing.
func (c *contours) regions(starts []int32, of []uint16) (names []uint16) {
	ranks := make([]uint32, 1<<16) // by id, 0 for those not seen
	for i, at := range starts {
		id := c.labels[at]
		if ranks[id] == 0 {
			names = append(names, id)
			ranks[id] = uint32(len(names))
		}
		of[i] = uint16(ranks[id] - 1)
	}
	return names
}

func inOrder(names []uint16) bool {
	for i, id := range names {
		if int(id) != i {
			return false
		}
	}
	return true
}
