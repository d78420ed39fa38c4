package superpixel

// framed is a label map with a frame of outside around it, and room for a vector behind each row.
type framed struct {
	w, h, stride int
	labels       []uint16 // [(h+2)*stride]
}

// outside is the label of what is not in the image; no region has it.
const outside = 1<<16 - 1

// load takes a label map of [h*w].
func (m *framed) load(labels []uint16, w, h int) {
	m.w, m.h, m.stride = w, h, w+1+pad
	m.labels = grown(m.labels, (h+2)*m.stride)
	frame := m.labels[:m.stride]
	for i := range frame {
		frame[i] = outside
	}
	for y := range h {
		line := m.labels[(y+1)*m.stride:]
		copy(line, frame)
		copy(line[1:], labels[y*w:][:w])
	}
	copy(m.labels[(h+1)*m.stride:], frame)
}

// row has w labels and pad more, for y of -1 to h.
func (m *framed) row(y int) []uint16 {
	return m.labels[(y+1)*m.stride+1:][:m.w+pad]
}

// relabel replaces each label by its element of ids.
func (m *framed) relabel(ids []uint16) {
	for y := range m.h {
		row := m.row(y)[:m.w]
		for x, k := range row {
			row[x] = ids[k]
		}
	}
}

// store writes the labels to a map of [h*w], its n regions numbered in the order of first appearance, and returns the new
// number of each.
func (m *framed) store(labels []uint16, n int) []uint16 {
	ids := make([]uint16, n)
	for i := range ids {
		ids[i] = outside
	}
	next := uint16(0)
	for y := range m.h {
		to := labels[y*m.w:][:m.w]
		for x, k := range m.row(y)[:m.w] {
			id := ids[k]
			if id == outside {
				id = next
				ids[k] = id
				next++
			}
			to[x] = id
		}
	}
	return ids
}
