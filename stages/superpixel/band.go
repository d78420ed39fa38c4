package superpixel

// Pieces of a band of rows, one thread's: found in one pass by runs, what lies between two changes of label in a row.

import "slices"

// band is what one thread finds in its rows. Its pieces are parts of those of the image: they end at its first and last row.
type band struct {
	calmed   [2][]uint16 // the labels of a row and of the one before
	rows     []int32     // of each row, its first run; and the end
	starts   []int32     // of each run, its first column
	of       []int32     // of each run, its part
	parts    []part      // in the order of first appearance
	contacts []pair      // of parts of different labels, by their numbers in the band, which go on into the bands around

	first int32  // of its parts among those of all bands
	links []pair // of small pieces: a part by its number in the band, and a piece that it borders on
	at    int32  // where they are among the neighbors
}

// part is a piece of a band, or of one that has turned out to be a part of another.
type part struct {
	tally
	root  int32 // a part of the same piece that is not after it
	right int32 // the last part that was found right of it, -1 for none
	below int32 // likewise
	label uint16
}

type pair struct{ a, b int32 }

// find makes the parts of the rows y0 to y1.
func (b *band) find(s *slic, y0, y1 int, least int64) {
	b.rows, b.starts, b.of = b.rows[:0], b.starts[:0], b.of[:0]
	b.parts, b.contacts = b.parts[:0], b.contacts[:0]
	for i := range b.calmed {
		b.calmed[i] = grown(b.calmed[i], s.stride)
	}
	above := int32(0) // first run of the row before
	for y := y0; y < y1; y++ {
		row := b.calmed[y&1]
		s.calm(y, row)
		first := int32(len(b.starts))
		b.rows = append(b.rows, first)
		b.starts = append(slices.Grow(b.starts, s.w+pad), 0)
		n := s.kernel.edges(row, s.w, b.starts[len(b.starts):cap(b.starts)])
		b.starts = b.starts[:len(b.starts)+n]
		b.of = slices.Grow(b.of, n+1)[:len(b.starts)]
		b.join(s, y, above, first, least)
		above = first
	}
	b.rows = append(b.rows, int32(len(b.starts)))
}

// calm writes a row's labels without specks and teeth of a single pixel.
func (s *slic) calm(y int, to []uint16) {
	row := s.labels[y*s.stride:][:s.stride]
	if y > 0 && y < s.h-1 && s.w > 2 {
		s.kernel.calm(s.labels[(y-1)*s.stride:], row, s.labels[(y+1)*s.stride:], to, s.w)
		to[0], to[s.w-1] = row[0], row[s.w-1]
	} else {
		copy(to, row)
	}
}

// join gives the runs of row y, from first on, to the parts of the runs above that touch them and have their label, or to new
// ones, and notes the contacts that a piece of less than least pixels may be of. Above is the first run above.
func (b *band) join(s *slic, y int, above, first int32, least int64) {
	row, starts, of, parts := b.calmed[y&1], b.starts, b.of, b.parts
	last, left := int32(len(starts)), int32(-1)
	for r, q := first, above; r < last; r++ {
		from, to := starts[r], b.end(r, last, s.w)
		label, own := row[from], int32(-1)
		end := q // of the runs above that touch it
		for ; end < first && starts[end] < to; end++ {
			if parts[of[end]].label != label {
				continue
			}
			o := b.root(of[end])
			of[end] = o
			if own < 0 || own == o {
				own = o
				continue
			}
			own, o = min(own, o), max(own, o)
			parts[o].root = own
			parts[own].merge(&parts[o].tally)
		}
		if own < 0 {
			own = int32(len(parts))
			parts = append(parts, part{root: own, right: -1, below: -1, label: label})
			b.parts = parts
		}
		of[r] = own
		mine := &parts[own]
		mine.add(s.field, y, int(from), int(to))
		small := mine.n < least
		if left >= 0 {
			if o := &parts[left]; (small || o.n < least) && o.right != own {
				o.right = own
				b.contacts = append(b.contacts, pair{left, own})
			}
		}
		for ; q < end; q++ {
			if o := &parts[of[q]]; o.label != label && (small || o.n < least) && o.below != own {
				o.below = own
				b.contacts = append(b.contacts, pair{of[q], own})
			}
		}
		if q > above && (q == first || starts[q] > to) {
			q-- // reaches beyond this run
		}
		left = own
	}
}

// root is the part that a part has turned out to be of.
func (b *band) root(i int32) int32 {
	for b.parts[i].root != i {
		b.parts[i].root = b.parts[b.parts[i].root].root
		i = b.parts[i].root
	}
	return i
}

// end is the column after a run, given the first run of the next row.
func (b *band) end(r, last int32, w int) int32 {
	if r+1 < last {
		return b.starts[r+1]
	}
	return int32(w)
}

// write sets the labels of a band.
//
// labels: [rows*w]. regions: of each part.
func (b *band) write(labels, regions []uint16, w int) {
	from := 0
	for y, r := range b.rows[:len(b.rows)-1] {
		for last := b.rows[y+1]; r < last; r++ {
			to := y*w + int(b.end(r, last, w))
			id := regions[b.of[r]]
			if to+fillOver <= len(labels) {
				fill(&labels[from], to-from, id)
			} else {
				for i := from; i < to; i++ { // what is behind may be another thread's
					labels[i] = id
				}
			}
			from = to
		}
	}
}
