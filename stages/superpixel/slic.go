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

// seed labels each pixel by its cell and places the centers where the gradient in the 3x3 pixels around the cell's middle
// is lowest.
func (s *slic) seed() {
	g, f := s.grid, s.field
	for row := range g.rows {
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
	calmed  []uint16 // [h*stride] labels to be
	dist    []int16  // [h*stride] to the pixel's center
	unknown []int16  // [stride] of far
	spatial []int16  // [2*reachY+1][spread] what a distance in pixels adds
	spread  int
	centers []center
	spans   []span    // of the rows of the grid
	sums    [][]sums  // by thread and center
	edges   [][]int32 // by thread, [w]
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

// chunk is how many bytes of the planes, distances and labels are worked on before the next rows, so that they stay in a
// processor's own cache.
const chunk = 256 << 10

// iterate runs k-means and leaves the labels.
func (s *slic) iterate(iterations int) {
	s.bound()
	for i := range iterations {
		step := min(stride, s.h)
		phase := i % step
		parallel(s.threads, s.h, func(thread, y0, y1 int) {
			clear(s.sums[thread])
			s.chunks(y0, y1, step, func(y0, y1 int) {
				s.assign(y0, y1, phase, step)
				s.collect(thread, y0, y1, phase, step)
			})
		})
		s.move()
		s.bound()
	}
	parallel(s.threads, s.h, func(_, y0, y1 int) {
		s.chunks(y0, y1, 1, func(y0, y1 int) { s.assign(y0, y1, 0, 1) })
	})
}

// calm takes specks and teeth of a single pixel out of the labels.
func (s *slic) calm() {
	parallel(s.threads, s.h, func(_, y0, y1 int) {
		for y := y0; y < y1; y++ {
			row, to := s.labels[y*s.stride:][:s.stride], s.calmed[y*s.stride:][:s.stride]
			if y > 0 && y < s.h-1 && s.w > 2 {
				s.kernel.calm(s.labels[(y-1)*s.stride:], row, s.labels[(y+1)*s.stride:], to, s.w)
				to[0], to[s.w-1] = row[0], row[s.w-1]
			} else {
				copy(to, row)
			}
		}
	})
	s.labels, s.calmed = s.calmed, s.labels
}

// chunks calls fn for the rows y0 to y1, some at a time, given that one in step of them is looked at.
func (s *slic) chunks(y0, y1, step int, fn func(y0, y1 int)) {
	const pixel = 5 * 2 // bytes
	rows := max(step*chunk/(pixel*s.stride), step)
	for ; y0 < y1; y0 += rows {
		fn(y0, min(y0+rows, y1))
	}
}

// assign gives every pixel of the rows y0 to y1 that are phase modulo step to the nearest of the centers within reach; ties
// go to the first. A pixel that no center reaches keeps its label.
func (s *slic) assign(y0, y1, phase, step int) {
	for y := nextRow(y0, phase, step); y < y1; y += step {
		copy(s.dist[y*s.stride:], s.unknown)
	}
	v := window{stride: step * s.stride, spread: step * s.spread}
	for row := range s.grid.rows {
		if span := s.spans[row]; int(span.last)+s.reachY < y0 || int(span.first)-s.reachY >= y1 {
			continue
		}
		from, to := s.grid.columns(row)
		for k := from; k < to; k++ {
			s.look(&v, k, y0, y1, phase, step)
		}
	}
}

// look shows a center the pixels of its window in the rows y0 to y1.
func (s *slic) look(v *window, k, y0, y1, phase, step int) {
	c := &s.centers[k]
	cx, cy := int(c.x), int(c.y)
	top, bottom := nextRow(max(cy-s.reachY, y0), phase, step), min(cy+s.reachY+1, y1)
	if top >= bottom {
		return
	}
	left, right := max(cx-s.reachX, 0), min(cx+s.reachX+1, s.w)
	i := top*s.stride + left
	v.l, v.a, v.b, v.dist, v.labels = &s.l[i], &s.a[i], &s.b[i], &s.dist[i], &s.labels[i]
	v.spatial = &s.spatial[(top-cy+s.reachY)*s.spread+left-cx+s.reachX]
	v.rows, v.cols = (bottom-top+step-1)/step, right-left
	v.cl, v.ca, v.cb, v.label = c.l, c.a, c.b, uint16(k)
	s.kernel.assign(v)
}

// nextRow is the first row from y on that is phase modulo step.
func nextRow(y, phase, step int) int { return y + ((phase-y)%step+step)%step }

// collect sums up the pixels of each cluster in the rows y0 to y1 that are phase modulo step, run by run.
func (s *slic) collect(thread, y0, y1, phase, step int) {
	total, edges := s.sums[thread], s.edges[thread]
	for y := nextRow(y0, phase, step); y < y1; y += step {
		row := s.labels[y*s.stride:][:s.stride]
		n := s.kernel.edges(row, s.w, edges)
		edges[n] = int32(s.w)
		from := 0
		for _, e := range edges[:n+1] {
			to := int(e)
			total[row[from]].add(s.field, y, from, to)
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

// move puts the centers at the means of their pixels. An empty cluster stays where it is.
func (s *slic) move() {
	total := s.sums[0]
	for k := range s.centers {
		t := total[k]
		for _, other := range s.sums[1:] {
			o := &other[k]
			t.merge(&o.tally)
			t.columns, t.rows = t.columns+o.columns, t.rows+o.rows
		}
		if t.n > 0 {
			s.centers[k] = center{t.color(), int32((2*t.columns + t.n) / (2 * t.n)), int32((2*t.rows + t.n) / (2 * t.n))}
		}
	}
}
