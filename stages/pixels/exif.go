package pixels

// What lies beside the pixels: the EXIF orientation tag, and whether there are more frames. Only these are read; whatever
// does not parse counts as absent, since a photo with a broken EXIF block is still a photo.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// part is n bytes of a file, nil where it does not have them.
func part(file *io.SectionReader, at, n int64) []byte {
	if at < 0 || n < 0 || at+n > file.Size() {
		return nil
	}
	b := make([]byte, n)
	if _, err := file.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return b
}

// orientation returns the EXIF orientation of a file, 1 (upright) where there is none. It reads little else of the file.
func orientation(file *io.SectionReader, mediaType string) int {
	switch mediaType {
	case "image/jpeg":
		for i := int64(2); ; {
			head := part(file, i, 4)
			if head == nil || head[0] != 0xff {
				return 1
			}
			marker, n := head[1], int64(binary.BigEndian.Uint16(head[2:]))
			switch {
			case marker == 0xff: // fill byte
				i++
				continue
			case marker == 0xda || marker == 0xd9 || n < 2:
				return 1
			case marker == 0xe1:
				if exif, ok := bytes.CutPrefix(part(file, i+4, n-2), []byte("Exif\x00\x00")); ok {
					return tiffOrientation(sectionOf(exif))
				}
			}
			i += 2 + n
		}
	case "image/png":
		for i := int64(8); ; {
			head := part(file, i, 8)
			if head == nil {
				return 1
			}
			n := int64(binary.BigEndian.Uint32(head))
			if string(head[4:]) == "eXIf" {
				return tiffOrientation(sectionOf(part(file, i+8, n)))
			}
			i += 12 + n
		}
	case "image/webp":
		exif, _ := riffChunk(file, "EXIF")
		return tiffOrientation(sectionOf(bytes.TrimPrefix(exif, []byte("Exif\x00\x00"))))
	case "image/tiff":
		return tiffOrientation(file)
	}
	return 1
}

func sectionOf(data []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
}

// tiffOrientation reads tag 0x0112 of the first directory of a TIFF structure.
func tiffOrientation(tiff *io.SectionReader) int {
	head := part(tiff, 0, 8)
	if head == nil {
		return 1
	}
	var order binary.ByteOrder
	switch string(head[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := int64(order.Uint32(head[4:]))
	count := part(tiff, at, 2)
	if count == nil {
		return 1
	}
	entries := min(int64(order.Uint16(count)), (tiff.Size()-at-2)/12)
	for dir := part(tiff, at+2, 12*entries); len(dir) > 0; dir = dir[12:] {
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
		vp8x, ok := riffChunk(sectionOf(data), "VP8X")
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
func riffChunk(file *io.SectionReader, name string) ([]byte, bool) {
	for i := int64(12); ; {
		head := part(file, i, 8)
		if head == nil {
			return nil, false
		}
		n := int64(binary.LittleEndian.Uint32(head[4:]))
		if string(head[:4]) == name {
			data := part(file, i+8, n)
			return data, data != nil
		}
		i += 8 + n + n&1
	}
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
