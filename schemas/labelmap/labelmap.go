package labelmap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// MaxPixels bounds the maps that are read and written: 64 megapixels.
const MaxPixels = 1 << 26

// maxPixelsPerByte is more than the range coder can pack into a byte (the models never let a pixel cost less than
// about 1/360 bit), so that a short message cannot ask for much memory.
const maxPixelsPerByte = 1 << 13

const (
	magic       = "GLM\x01"
	flagOrdered = 1
	outside     = -1 // the id of pixels outside of the image
)

// encodeLabels compresses a label map of one level.
//
// labels: [h*w] row-major region ids, any uint16.
func encodeLabels(labels []uint16, w, h int) ([]byte, error) {
	if w <= 0 || h <= 0 || w > MaxPixels/h || len(labels) != w*h {
		return nil, fmt.Errorf("label map of %d labels for %dx%d pixels: want width x height, 1 to %d", len(labels), w, h, MaxPixels)
	}
	ranks, ordered := rankIDs(labels)
	out := binary.AppendUvarint([]byte(magic), uint64(w))
	out = binary.AppendUvarint(out, uint64(h))
	flags := uint64(0)
	if ordered {
		flags = flagOrdered
	}
	out = binary.AppendUvarint(out, flags)

	enc := newEncoder(out)
	m, win := newModels(), newWindow(w)
	seen := int32(0)
	for y := range h {
		for x := range w {
			label := labels[y*w+x]
			id := ranks[label]
			ctx := win.context(x)
			found := false
			for slot := range slots {
				c := win.candidate(slot, x)
				if c == outside {
					continue
				}
				found = c == id
				enc.bit(&m.same[slot][ctx], found)
				if found {
					break
				}
			}
			if !found {
				enc.bit(&m.fresh, id == seen)
				switch {
				case id == seen && ordered:
					seen++
				case id == seen:
					enc.plain(uint32(label), 16)
					seen++
				default:
					enc.plain(uint32(id), rankBits(seen))
				}
			}
			win.set(x, id)
		}
		win.next()
	}
	return enc.finish(), nil
}

// rankIDs numbers the ids in the order of their first appearance; ordered says that each is its own rank.
func rankIDs(labels []uint16) (ranks []int32, ordered bool) {
	ranks = make([]int32, 1<<16)
	for i := range ranks {
		ranks[i] = outside
	}
	seen := int32(0)
	ordered = true
	for _, l := range labels {
		if ranks[l] == outside {
			ranks[l] = seen
			ordered = ordered && int32(l) == seen
			seen++
		}
	}
	return ranks, ordered
}

func rankBits(seen int32) int { return bits.Len32(uint32(max(seen-1, 0))) }

var errTruncated = errors.New("label map is cut off")

// decodeLabels reads what encodeLabels writes. It never panics; memory is bounded by MaxPixels and by the length of b.
//
// labels: [h*w] row-major region ids.
func decodeLabels(b []byte) (labels []uint16, w, h int, err error) {
	w, h, flags, payload, err := decodeHeader(b)
	if err != nil {
		return nil, 0, 0, err
	}
	ordered := flags&flagOrdered != 0
	labels = make([]uint16, w*h)
	var ids []uint16 // by rank, when not ordered
	dec := newDecoder(payload)
	m, win := newModels(), newWindow(w)
	seen := int32(0)
	for y := range h {
		for x := range w {
			ctx := win.context(x)
			id := int32(outside)
			for slot := range slots {
				c := win.candidate(slot, x)
				if c != outside && dec.bit(&m.same[slot][ctx]) {
					id = c
					break
				}
			}
			if id == outside {
				if dec.bit(&m.fresh) {
					if seen > 0xFFFF {
						return nil, 0, 0, fmt.Errorf("label map has more than %d ids", 1<<16)
					}
					id = seen
					seen++
					if !ordered {
						ids = append(ids, uint16(dec.plain(16)))
					}
				} else if id = int32(dec.plain(rankBits(seen))); id >= seen {
					return nil, 0, 0, fmt.Errorf("label map refers to region %d of %d at pixel %d,%d", id, seen, x, y)
				}
			}
			win.set(x, id)
			if ordered {
				labels[y*w+x] = uint16(id)
			} else {
				labels[y*w+x] = ids[id]
			}
		}
		win.next()
		if dec.overrun() {
			return nil, 0, 0, errTruncated
		}
	}
	return labels, w, h, nil
}

func decodeHeader(b []byte) (w, h int, flags uint64, payload []byte, err error) {
	if len(b) < len(magic) || string(b[:len(magic)]) != magic {
		return 0, 0, 0, nil, fmt.Errorf("not a label map")
	}
	b = b[len(magic):]
	var fields [3]uint64
	for i := range fields {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, 0, 0, nil, errTruncated
		}
		fields[i], b = v, b[n:]
	}
	uw, uh, flags := fields[0], fields[1], fields[2]
	if uw == 0 || uh == 0 || uw > MaxPixels || uh > MaxPixels || uw*uh > MaxPixels {
		return 0, 0, 0, nil, fmt.Errorf("label map of %dx%d pixels: want 1 to %d", uw, uh, MaxPixels)
	}
	if flags > flagOrdered {
		return 0, 0, 0, nil, fmt.Errorf("label map with flags %#x: want a newer encoding", flags)
	}
	if uw*uh > uint64(len(b))*maxPixelsPerByte {
		return 0, 0, 0, nil, errTruncated
	}
	return int(uw), int(uh), flags, b, nil
}
