package pixels

// What lies beside the pixels: the EXIF orientation tag, and whether there are more frames. Only these are read; whatever
// does not parse counts as absent, since a photo with a broken EXIF block is still a photo.

import (
	"bytes"
	"encoding/binary"
)

// orientation returns the EXIF orientation of a file, 1 (upright) where there is none.
func orientation(data []byte, mediaType string) int {
	switch mediaType {
	case "image/jpeg":
		for i := 2; i+4 <= len(data) && data[i] == 0xff; {
			marker, n := data[i+1], int(binary.BigEndian.Uint16(data[i+2:]))
			switch {
			case marker == 0xff: // fill byte
				i++
				continue
			case marker == 0xda || marker == 0xd9 || n < 2 || i+2+n > len(data):
				return 1
			case marker == 0xe1 && bytes.HasPrefix(data[i+4:i+2+n], []byte("Exif\x00\x00")):
				return tiffOrientation(data[i+10 : i+2+n])
			}
			i += 2 + n
		}
	case "image/png":
		for i := 8; i+12 <= len(data); {
			n, kind := int64(binary.BigEndian.Uint32(data[i:])), string(data[i+4:i+8])
			if int64(i)+12+n > int64(len(data)) {
				return 1
			}
			if kind == "eXIf" {
				return tiffOrientation(data[i+8 : i+8+int(n)])
			}
			i += 12 + int(n)
		}
	case "image/webp":
		if exif, ok := riffChunk(data, "EXIF"); ok {
			return tiffOrientation(bytes.TrimPrefix(exif, []byte("Exif\x00\x00")))
		}
	case "image/tiff":
		return tiffOrientation(data)
	}
	return 1
}

// tiffOrientation reads tag 0x0112 of the first directory of a TIFF structure.
func tiffOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(b[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return 1
	}
	dir := b[at+2:]
	for n := order.Uint16(b[at:]); n > 0 && len(dir) >= 12; n, dir = n-1, dir[12:] {
		if order.Uint16(dir) != 0x0112 {
			continue
		}
		const short = 3
		if v := order.Uint16(dir[8:]); order.Uint16(dir[2:]) == short && v >= 1 && v <= 8 {
			return int(v)
		}
		return 1
	}
	return 1
}

// animated tells whether a file holds more than one frame.
func animated(data []byte, mediaType string) bool {
	switch mediaType {
	case "image/gif":
		return gifFrames(data) > 1
	case "image/png": // APNG: acTL stands before the image data
		head := data
		if i := bytes.Index(head, []byte("IDAT")); i >= 0 {
			head = head[:i]
		}
		return bytes.Contains(head, []byte("\x00\x00\x00\x08acTL"))
	case "image/webp":
		vp8x, ok := riffChunk(data, "VP8X")
		return ok && len(vp8x) > 0 && vp8x[0]&(1<<1) != 0
	}
	return false
}

// gifFrames counts the image descriptors of a GIF, up to two.
func gifFrames(data []byte) (frames int) {
	if len(data) < 13 {
		return 0
	}
	table := func(flags byte) int {
		if flags&0x80 == 0 {
			return 0
		}
		return 3 << (flags&7 + 1)
	}
	i := 13 + table(data[10])
	for i < len(data) && frames < 2 {
		switch data[i] {
		case 0x21: // extension: label, then sub-blocks
			i += 2
		case 0x2c: // image descriptor, local table, code size, then sub-blocks
			if i+10 > len(data) {
				return frames
			}
			frames++
			i += 10 + table(data[i+9]) + 1
		default:
			return frames
		}
		for i < len(data) && data[i] != 0 {
			i += int(data[i]) + 1
		}
		i++
	}
	return frames
}

// riffChunk returns the first chunk of a WebP file with the given four-character name.
func riffChunk(data []byte, name string) ([]byte, bool) {
	for i := int64(12); i+8 <= int64(len(data)); {
		n := int64(binary.LittleEndian.Uint32(data[i+4:]))
		if i+8+n > int64(len(data)) {
			return nil, false
		}
		if string(data[i:i+4]) == name {
			return data[i+8 : i+8+n], true
		}
		i += 8 + n + n&1
	}
	return nil, false
}

// upright undoes an EXIF orientation. It returns m itself where there is nothing to do.
func upright(m *Image, orientation int) *Image {
	if orientation <= 1 || orientation > 8 {
		return m
	}
	w, h := m.W, m.H
	if orientation >= 5 {
		w, h = h, w
	}
	// The source pixel of the first, and the steps to the source of the next pixel and of the next row.
	var at, dx, dy int
	right, down := 3, 3*m.W
	switch orientation {
	case 2: // mirrored left to right
		at, dx, dy = right*(m.W-1), -right, down
	case 3: // turned by 180 degrees
		at, dx, dy = right*(m.W-1)+down*(m.H-1), -right, -down
	case 4: // mirrored top to bottom
		at, dx, dy = down*(m.H-1), right, -down
	case 5: // transposed
		at, dx, dy = 0, down, right
	case 6: // to be turned right
		at, dx, dy = down*(m.H-1), -down, right
	case 7: // transposed over the other diagonal
		at, dx, dy = right*(m.W-1)+down*(m.H-1), -down, -right
	case 8: // to be turned left
		at, dx, dy = right*(m.W-1), down, -right
	}
	dst := newImage(w, h)
	d := dst.Pix
	for y := range h {
		s := at + y*dy
		for range w {
			d[0], d[1], d[2] = m.Pix[s], m.Pix[s+1], m.Pix[s+2]
			d, s = d[3:], s+dx
		}
	}
	return dst
}
