package superpixel

// The SLIC kernel: k-means of pixels in color and position.

import "math"

// Params are SLIC's.
type Params struct {
	Regions     int     // wanted; the result differs by some percent
	Compactness float64 // m of the paper: how many units of CIELAB a distance of one region's width weighs
	Iterations  int
}

// maxRegions keeps the region ids in 16 bits: connecting leaves at most four times the regions wanted, since the smaller ones
// are merged.
const maxRegions = 16000

// minArea is how many pixels a region must have on average, so that regions mean something.
const minArea = 16

// center is the mean of a cluster, or the sums it is made of.
type center struct {
	l, a, b, x, y int32
}

// Segment groups the pixels of an image into 4-connected regions. It is deterministic and safe for concurrent use; memory
// is 16 bytes a pixel. An image with fewer than 2*minArea pixels is one region.
//
// pix: [h,w,3] RGB. labels: [h*w] row-major, 0..n-1 in the order of first appearance.
func Segment(pix []uint8, w, h int, p Params) (labels []uint16, n int) {
	k := max(1, min(p.Regions, maxRegions, w*h/minArea))
	img := toLab(smooth(pix, w, h))
	g := newGrid(w, h, k)
	labels = make([]uint16, w*h)
	centers := g.seed(img, labels)
	s := newSearch(img, w, h, g, p.Compactness)
	for range p.Iterations {
		s.assign(centers, labels)
		s.update(centers, labels)
	}
	return connect(labels, img, w, h, smallest(w, h, k))
}

// smallest is how many pixels a region must have to stay: a quarter of the mean, rounded up so that no more than 4*k stay.
func smallest(w, h, k int) int { return (w*h + 4*k - 1) / (4 * k) }

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
func (g grid) seed(img lab, labels []uint16) []center {
	centers := make([]center, g.k)
	for row := range g.rows {
		y0, y1 := row*g.h/g.rows, (row+1)*g.h/g.rows
		from, to := g.columns(row)
		for k := from; k < to; k++ {
			x0, x1 := (k-from)*g.w/(to-from), (k-from+1)*g.w/(to-from)
			for y := y0; y < y1; y++ {
				line := labels[y*g.w+x0 : y*g.w+x1]
				for i := range line {
					line[i] = uint16(k)
				}
			}
			centers[k] = img.flattest((x0+x1)/2, (y0+y1)/2, g.w, g.h)
		}
	}
	return centers
}

// flattest is the pixel of lowest gradient among the 3x3 around x, y.
func (img lab) flattest(x, y, w, h int) center {
	best, bx, by := int32(math.MaxInt32), x, y
	for cy := max(y-1, 1); cy <= min(y+1, h-2); cy++ {
		for cx := max(x-1, 1); cx <= min(x+1, w-2); cx++ {
			i := cy*w + cx
			if g := img.distance(i-1, i+1) + img.distance(i-w, i+w); g < best {
				best, bx, by = g, cx, cy
			}
		}
	}
	i := by*w + bx
	return center{int32(img.l[i]), int32(img.a[i]), int32(img.b[i]), int32(bx), int32(by)}
}

// distance is the squared color distance of two pixels, in steps of 1/labScale.
func (img lab) distance(i, j int) int32 {
	dl, da, db := int32(img.l[i])-int32(img.l[j]), int32(img.a[i])-int32(img.a[j]), int32(img.b[i])-int32(img.b[j])
	return dl*dl + da*da + db*db
}

// search is the state of the iterations.
type search struct {
	img   lab
	w, h  int
	reach int
	far   []int32 // [2*reach+1] what a distance of -reach..reach pixels along one axis adds to the squared distance
	dist  []int32 // [h*w] to the pixel's center
}

func newSearch(img lab, w, h int, g grid, compactness float64) *search {
	s := &search{img: img, w: w, h: h, reach: g.reach(), dist: make([]int32, w*h)}
	step := math.Sqrt(float64(w) * float64(h) / float64(g.k))
	weight := compactness * labScale / step
	s.far = make([]int32, 2*s.reach+1)
	for i := range s.far {
		d := float64(i-s.reach) * weight
		s.far[i] = int32(min(math.Round(d*d), 1<<28))
	}
	return s
}

// assign gives every pixel to the nearest of the centers within reach; ties go to the first. A pixel that no center
// reaches keeps its label.
func (s *search) assign(centers []center, labels []uint16) {
	for i := range s.dist {
		s.dist[i] = math.MaxInt32
	}
	for k, c := range centers {
		x0, x1 := max(int(c.x)-s.reach, 0), min(int(c.x)+s.reach+1, s.w)
		y0, y1 := max(int(c.y)-s.reach, 0), min(int(c.y)+s.reach+1, s.h)
		far := s.far[x0-int(c.x)+s.reach:]
		for y := y0; y < y1; y++ {
			from, to := y*s.w+x0, y*s.w+x1
			nearestRow(s.img.l[from:to], s.img.a[from:to], s.img.b[from:to], s.dist[from:to], labels[from:to],
				far, s.far[y-int(c.y)+s.reach], c, uint16(k))
		}
	}
}

// nearestRow is the inner loop: one center against a run of pixels.
func nearestRow(l, a, b []int16, dist []int32, labels []uint16, far []int32, farY int32, c center, k uint16) {
	n := len(l)
	a, b, dist, labels, far = a[:n], b[:n], dist[:n], labels[:n], far[:n]
	for i := range n {
		dl, da, db := int32(l[i])-c.l, int32(a[i])-c.a, int32(b[i])-c.b
		if d := dl*dl + da*da + db*db + far[i] + farY; d < dist[i] {
			dist[i] = d
			labels[i] = k
		}
	}
}

// update moves the centers to the means of their pixels. An empty cluster stays where it is.
func (s *search) update(centers []center, labels []uint16) {
	type sums struct{ n, l, a, b, x, y int64 }
	total := make([]sums, len(centers))
	for y := range s.h {
		row := labels[y*s.w : (y+1)*s.w]
		for x := 0; x < s.w; {
			k, from := row[x], x
			var l, a, b int64
			for ; x < s.w && row[x] == k; x++ {
				i := y*s.w + x
				l, a, b = l+int64(s.img.l[i]), a+int64(s.img.a[i]), b+int64(s.img.b[i])
			}
			t, n := &total[k], int64(x-from)
			t.n, t.l, t.a, t.b = t.n+n, t.l+l, t.a+a, t.b+b
			t.x, t.y = t.x+n*int64(from+x-1)/2, t.y+n*int64(y)
		}
	}
	for k, t := range total {
		if t.n > 0 {
			mean := func(sum int64) int32 { return int32(math.Floor(float64(sum)/float64(t.n) + 0.5)) }
			centers[k] = center{mean(t.l), mean(t.a), mean(t.b), mean(t.x), mean(t.y)}
		}
	}
}
