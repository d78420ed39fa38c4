package superpixel

// SLIC: k-means of pixels in color and position.

import "math"

// stride is how many iterations it takes until each row was looked at once: an iteration moves the centers by the rows of
// its phase alone, which the centers do not notice, at a third of the cost. A last pass assigns all rows.
const stride = 3

// center is the mean of a cluster, in steps of 1/labScale and in pixels.
type center struct {
	lab
	x, y int32
}

// lab is a color: L, a and b in steps of 1/labScale.
type lab struct{ l, a, b int16 }

// distance is L1.
func (c lab) distance(d lab) int32 {
	return int32(abs(c.l-d.l)) + int32(abs(c.a-d.a)) + int32(abs(c.b-d.b))
}

// tally is the number of some pixels and the sums of their roots.
type tally struct{ n, x, y, z int64 }

// sums are what a cluster's means are made of.
type sums struct {
	tally
	columns, rows int64 // sums of positions
}

// span is the rows between which the centers of a row of the grid are.
type span struct{ first, last int32 }

// grid lays exactly k seeds: rows of equal height, each with its share of columns of equal width.
type grid struct {
	w, h, k, rows int
}

func newGrid(w, h, k int) grid {
	step := math.Sqrt(float64(w) * float64(h) / float64(k))
	rows := int(math.Round(float64(h) / step))
	// A row holds at most w seeds and a column h.
	rows = max(1, min(rows, h, k), (k+w-1)/w)
	return grid{w, h, k, rows}
}

// columns is the range of seeds in a row.
func (g grid) columns(row int) (from, to int) {
	return row * g.k / g.rows, (row + 1) * g.k / g.rows
}

// reach is how far from its center a cluster looks: the width or height of the largest cell, as the paper's S.
func (g grid) reach() int {
	narrow := g.k / g.rows // seeds in the emptiest row
	return max((g.w+narrow-1)/narrow, (g.h+g.rows-1)/g.rows, 1)
}

// seed labels each pixel of rows of the grid by its cell and places the centers where the gradient in the 3x3 pixels around the cell's middle
// is lowest.
func (s *slic) seed(firstRow, lastRow int) {
	g, f := s.grid, s.field
	for row := firstRow; row < lastRow; row++ {
		y0, y1 := row*g.h/g.rows, (row+1)*g.h/g.rows
		from, to := g.columns(row)
		first := s.labels[y0*f.stride:][:f.w]
		for k := from; k < to; k++ {
			x0, x1 := (k-from)*g.w/(to-from), (k-from+1)*g.w/(to-from)
			for x := x0; x < x1; x++ {
				first[x] = uint16(k)
			}
			s.centers[k] = f.flattest((x0+x1)/2, (y0+y1)/2)
		}
		for y := y0 + 1; y < y1; y++ {
			copy(s.labels[y*f.stride:], first)
		}
	}
}

// flattest is the pixel of lowest gradient among the 3x3 around x, y.
func (f *field) flattest(x, y int) center {
	best, bx, by := int32(math.MaxInt32), x, y
	for cy := max(y-1, 1); cy <= min(y+1, f.h-2); cy++ {
		for cx := max(x-1, 1); cx <= min(x+1, f.w-2); cx++ {
			if g := f.at(cx-1, cy).distance(f.at(cx+1, cy)) + f.at(cx, cy-1).distance(f.at(cx, cy+1)); g < best {
				best, bx, by = g, cx, cy
			}
		}
	}
	return center{f.at(bx, by), int32(bx), int32(by)}
}

func (f *field) at(x, y int) lab {
	i := y*f.stride + x
	return lab{f.l[i], f.a[i], f.b[i]}
}

// slic is the state of the iterations.
type slic struct {
	*field
	kernel  kernel
	grid    grid
	threads int
	reachX  int // how many columns and rows from its center a cluster looks
	reachY  int
	labels  []uint16 // [h*stride], likewise padded
	unknown []int16  // [stride] of far
	spatial []int16  // [2*reachY+1][spread] what a distance in pixels adds
	spread  int
	centers []center
	spans   []span // of the rows of the grid
	work    []work // by thread
}

// work is a thread's memory.
type work struct {
	dist  []int16 // [rows of a tile][stride] from the pixels of a tile to their centers
	sums  []sums  // by center
	edges []int32 // [w+pad]
}

// patch fills the spatial part: compactness is what a distance of one region's width weighs, in units of 8-bit Lab.
func (s *slic) patch(compactness float64) {
	step := math.Sqrt(float64(s.w) * float64(s.h) / float64(s.grid.k))
	weight := compactness * labScale / step
	for y := -s.reachY; y <= s.reachY; y++ {
		row := s.spatial[(y+s.reachY)*s.spread:][:s.spread]
		for x := -s.reachX; x <= s.reachX; x++ {
			row[x+s.reachX] = int16(min(math.Round(math.Sqrt(float64(x*x+y*y))*weight), far-1))
		}
		for i := 2*s.reachX + 1; i < len(row); i++ {
			row[i] = far
		}
	}
}

const (
	// tileBytes is how much of the planes, distances and labels is worked on at a time, so that it stays in a processor's own
	// cache.
	tileBytes = 256 << 10
	// tileWidth is the most columns of a tile: so few that it has the rows for windows to be seen whole, mostly.
	tileWidth = 1024
)

// tile is the pixels x0 to x1 of the rows y0 to y1 that are phase modulo step.
type tile struct{ x0, x1, y0, y1, phase, step int }

// tileSize is that of the tiles of an image, given that one row in step of them is looked at.
func (f *field) tileSize(step int) (w, h int) {
	n := (f.w + tileWidth - 1) / tileWidth
	w = (f.w + n - 1) / n
	const pixel = 5 * 2 // bytes
	return w, min(max(tileBytes/(pixel*(w+pad)), 1)*step, f.h)
}

// tiles calls fn for the rows y0 to y1, tile by tile, from left to right.
func (s *slic) tiles(y0, y1, phase, step int, fn func(tile)) {
	w, h := s.tileSize(step)
	for ; y0 < y1; y0 += h {
		for x0 := 0; x0 < s.w; x0 += w {
			fn(tile{x0, min(x0+w, s.w), y0, min(y0+h, y1), phase, step})
		}
	}
}

// iterate runs k-means and leaves the labels.
func (s *slic) iterate(iterations int) {
	s.bound()
	for i := range iterations {
		step := min(stride, s.h)
		parallel(s.threads, s.h, func(thread, y0, y1 int) {
			clear(s.work[thread].sums)
			s.tiles(y0, y1, i%step, step, func(t tile) {
				s.assign(&s.work[thread], t)
				s.collect(&s.work[thread], t)
			})
		})
		parallel(s.threads, len(s.centers), func(_, from, to int) { s.move(from, to) })
		s.bound()
	}
	parallel(s.threads, s.h, func(thread, y0, y1 int) {
		s.tiles(y0, y1, 0, 1, func(t tile) { s.assign(&s.work[thread], t) })
	})
}

// assign gives every pixel of a tile to the nearest of the centers within reach; ties go to the first. A pixel that no center
// reaches keeps its label. What lies right of the tile, up to a vector's width, may get a label of a center that reaches it.
func (s *slic) assign(w *work, t tile) {
	for y := nextRow(t.y0, t.phase, t.step); y < t.y1; y += t.step {
		copy(w.dist[(y-t.y0)*s.stride:], s.unknown[:t.x1-t.x0])
	}
	v := window{stride: t.step * s.stride, spread: t.step * s.spread}
	for row := range s.grid.rows {
		if span := s.spans[row]; int(span.last)+s.reachY < t.y0 || int(span.first)-s.reachY >= t.y1 {
			continue
		}
		from, to := s.grid.columns(row)
		for k := from; k < to; k++ {
			if x := int(s.centers[k].x); x+s.reachX >= t.x0 && x-s.reachX < t.x1 {
				s.look(&v, w.dist, k, t)
			}
		}
	}
}

// look shows a center the pixels of its window in a tile.
func (s *slic) look(v *window, dist []int16, k int, t tile) {
	c := &s.centers[k]
	cx, cy := int(c.x), int(c.y)
	top, bottom := nextRow(max(cy-s.reachY, t.y0), t.phase, t.step), min(cy+s.reachY+1, t.y1)
	if top >= bottom {
		return
	}
	left, right := max(cx-s.reachX, t.x0), min(cx+s.reachX+1, t.x1)
	i := top*s.stride + left
	v.l, v.a, v.b, v.labels = &s.l[i], &s.a[i], &s.b[i], &s.labels[i]
	v.dist = &dist[(top-t.y0)*s.stride+left-t.x0]
	v.spatial = &s.spatial[(top-cy+s.reachY)*s.spread+left-cx+s.reachX]
	v.rows, v.cols = (bottom-top+t.step-1)/t.step, right-left
	v.cl, v.ca, v.cb, v.label = c.l, c.a, c.b, uint16(k)
	s.kernel.assign(v)
}

// nextRow is the first row from y on that is phase modulo step.
func nextRow(y, phase, step int) int { return y + ((phase-y)%step+step)%step }

// collect sums up the pixels of each cluster in a tile, run by run.
func (s *slic) collect(w *work, t tile) {
	for y := nextRow(t.y0, t.phase, t.step); y < t.y1; y += t.step {
		row := s.labels[y*s.stride+t.x0:][:t.x1-t.x0+pad]
		n := s.kernel.edges(row, t.x1-t.x0, w.edges)
		w.edges[n] = int32(t.x1 - t.x0)
		from := 0
		for _, e := range w.edges[:n+1] {
			to := int(e)
			w.sums[row[from]].add(s.field, y, t.x0+from, t.x0+to)
			from = to
		}
	}
}

// add counts the pixels from to to of row y in.
func (t *tally) add(f *field, y, from, to int) {
	row := f.sums[y*(f.w+1):][:f.w+1]
	for ; from < to; from += maxRun {
		end := min(from+maxRun, to)
		t.give(row[end]-row[from], int64(end-from))
	}
}

// add counts the pixels from to to of row y in.
func (t *sums) add(f *field, y, from, to int) {
	t.tally.add(f, y, from, to)
	n := int64(to - from)
	t.columns += n * int64(from+to-1) / 2
	t.rows += n * int64(y)
}

// give counts n pixels in, whose packed roots are given as their sum.
func (t *tally) give(packed uint64, n int64) {
	t.n += n
	t.x += int64(packed & fieldMask)
	t.y += int64(packed >> fieldBits & fieldMask)
	t.z += int64(packed >> (2 * fieldBits))
}

func (t *tally) merge(o *tally) {
	t.n, t.x, t.y, t.z = t.n+o.n, t.x+o.x, t.y+o.y, t.z+o.z
}

// take counts a pixel out.
func (t *tally) take(packed uint64) {
	t.n--
	t.x -= int64(packed & fieldMask)
	t.y -= int64(packed >> fieldBits & fieldMask)
	t.z -= int64(packed >> (2 * fieldBits))
}

// color is the mean.
func (t *tally) color() lab {
	n := uint64(t.n)
	mean := func(sum int64) int32 { return int32((2*uint64(sum) + n) / (2 * n)) }
	l, a, b := labOf(mean(t.x), mean(t.y), mean(t.z))
	return lab{l, a, b}
}

// bound finds the spans.
func (s *slic) bound() {
	for row := range s.spans {
		from, to := s.grid.columns(row)
		b := span{math.MaxInt32, 0}
		for _, c := range s.centers[from:to] {
			b.first, b.last = min(b.first, c.y), max(b.last, c.y)
		}
		s.spans[row] = b
	}
}

// move puts the centers from to to at the means of their pixels. An empty cluster stays where it is.
func (s *slic) move(from, to int) {
	for k := from; k < to; k++ {
		t := s.work[0].sums[k]
		for i := range s.work[1:] {
			o := &s.work[i+1].sums[k]
			t.merge(&o.tally)
			t.columns, t.rows = t.columns+o.columns, t.rows+o.rows
		}
		if t.n > 0 {
			s.centers[k] = center{t.color(), int32((2*t.columns + t.n) / (2 * t.n)), int32((2*t.rows + t.n) / (2 * t.n))}
		}
	}
}
