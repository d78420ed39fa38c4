package superpixel

import (
	"cmp"
	"runtime"
	"sync"
	"time"

	"gleaner/schemas/labelmap"
)

// Quality says how much care a segmentation takes.
type Quality string

const (
	Fast Quality = "fast" // SLIC
	Fine Quality = "fine" // SLIC, merged to where the picture has detail, with refined borders: about 2.5 times the work
)

// Params say how an image is divided. A zero means the default.
type Params struct {
	Regions     int     // wanted at the finest level, 1 to MaxRegions; the result differs by some percent, Fine by none. Default 400
	Quality     Quality // default Fast
	Levels      int     // of the hierarchy, the finest included, each with a quarter of the regions of the one before. Default 1
	Compactness float64 // what a distance of one region's width weighs, in units of CIELAB: higher is rounder. Default 13, Fine 8.5
	Iterations  int     // of k-means, each over a third of the rows. Default 6, Fine 3
	Threads     int     // of SLIC; the result does not depend on it. Default 1
	Stride      int     // bytes from one row of the image to the next, at least 3*w. Default 3*w
}

func (p *Params) fill(w int) {
	p.Regions = cmp.Or(p.Regions, 400)
	p.Quality = cmp.Or(p.Quality, Fast)
	p.Levels = cmp.Or(p.Levels, 1)
	compactness, iterations := 13.0, 6
	if p.Quality == Fine { // borders are refined anyway
		compactness, iterations = 8.5, 3
	}
	p.Compactness = cmp.Or(p.Compactness, compactness)
	p.Iterations = cmp.Or(p.Iterations, iterations)
	p.Threads = cmp.Or(p.Threads, 1)
	p.Stride = cmp.Or(p.Stride, 3*w)
}

// MaxRegions is the most regions that can be asked for; ids have 16 bits.
const MaxRegions = 65534

// minArea is how many pixels a region must have on average.
const minArea = 4

// Segmenter divides images. It keeps its working memory between calls; the zero value is ready, for any number of
// goroutines.
type Segmenter struct {
	mu   sync.Mutex
	free []*workspace // at most one a processor
}

// take is a workspace that is free, or a new one. A sync.Pool would lose large ones, at the cost of getting all their memory
// from the system again.
func (s *Segmenter) take() *workspace {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.free) - 1
	if n < 0 {
		return new(workspace)
	}
	ws := s.free[n]
	s.free = s.free[:n]
	return ws
}

func (s *Segmenter) give(ws *workspace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) < runtime.GOMAXPROCS(0) {
		s.free = append(s.free, ws)
	}
}

// Phase is a part of the work and the time it took.
type Phase struct {
	Name string
	Took time.Duration
}

// Segment groups the pixels of an image into 4-connected regions. It is deterministic, whatever the processor and the number
// of threads. Memory is about 25 bytes a pixel, some 10 more for pure noise, up to 8 more for a handful of regions, and more for
// images narrower than some 100 pixels, whose rows are padded. An image of less than 8 pixels is one region.
//
// pix: [h,w,3] RGB, not empty; its rows begin Params.Stride apart, and nothing need follow the last one.
func (s *Segmenter) Segment(pix []uint8, w, h int, p Params) *labelmap.Map {
	m, _ := s.segment(kernels()[0], pix, w, h, p)
	return m
}

// SegmentTimed is Segment, and says what took how long.
func (s *Segmenter) SegmentTimed(pix []uint8, w, h int, p Params) (*labelmap.Map, []Phase) {
	return s.segment(kernels()[0], pix, w, h, p)
}

func (s *Segmenter) segment(kernel kernel, pix []uint8, w, h int, p Params) (*labelmap.Map, []Phase) {
	ws := s.take()
	defer s.give(ws)
	var phases []Phase
	from := time.Now()
	phase := func(name string) {
		now := time.Now()
		phases = append(phases, Phase{name, now.Sub(from)})
		from = now
	}
	p.fill(w)
	most := max(1, min(w*h/minArea, MaxRegions))
	k := min(max(p.Regions, 1), most)
	base := k
	if p.Quality == Fine {
		base = min(baseRegions(k), most)
	}
	threads := max(1, min(p.Threads, h))
	sl := ws.prepare(kernel, w, h, base, threads)
	parallel(threads, h, func(_, y0, y1 int) { sl.convert(kernel, pix, p.Stride, y0, y1) })
	phase("Lab")
	parallel(threads, sl.grid.rows, func(_, from, to int) { sl.seed(from, to) })
	sl.patch(p.Compactness)
	sl.iterate(p.Iterations)
	phase("k-means")
	ws.pieces.find(sl, smallest(w, h, base))
	ws.pieces.merge()
	labels := make([]uint16, w*h)
	tallies := ws.pieces.number(labels)
	phase("connect")
	m := &labelmap.Map{W: w, H: h, Labels: labels}
	if p.Quality == Fine {
		tallies = ws.regions.fine(sl.field, kernel, labels, tallies, k)
		phase("refine")
	}
	if p.Levels > 1 {
		m.Levels = ws.regions.hierarchy(sl.field, kernel, labels, tallies, quarters(k, p.Levels-1))
		phase("hierarchy")
	}
	return m, phases
}

// quarters is k divided by four again and again, each at least 1.
func quarters(k, n int) []int {
	counts := make([]int, n)
	for i := range counts {
		k = max(k/4, 1)
		counts[i] = k
	}
	return counts
}

// smallest is how many pixels a region must have to stay: a quarter of the mean, and so many that ids stay in 16 bits.
func smallest(w, h, k int) int {
	const ids = 1<<16 - 1
	return max((w*h+4*k-1)/(4*k), (w*h+ids-1)/ids)
}

// parallel calls fn for bands of rows that together are 0..h, one a thread.
func parallel(threads, h int, fn func(thread, y0, y1 int)) {
	if threads == 1 {
		fn(0, 0, h)
		return
	}
	var wait sync.WaitGroup
	for t := range threads {
		wait.Go(func() { fn(t, t*h/threads, (t+1)*h/threads) })
	}
	wait.Wait()
}

// workspace is the memory of one call, kept for the next.
type workspace struct {
	field  field
	slic   slic
	pieces pieces

	regions regions
}

// strideOf is that of w pixels: an odd number of cache lines, since the rows of an even one, above all of a power of two, would
// contend for few sets of the cache.
func strideOf(w int) int { return ((w+31)/32 + pad/32 | 1) * 32 }

func (ws *workspace) prepare(kernel kernel, w, h, k, threads int) *slic {
	f, s := &ws.field, &ws.slic
	f.w, f.h, f.stride = w, h, strideOf(w)
	n := h*f.stride + pad
	f.l, f.a, f.b = grown(f.l, n), grown(f.a, n), grown(f.b, n)
	f.sums = grown(f.sums, h*(w+1))
	s.field, s.kernel, s.grid, s.threads = f, kernel, newGrid(w, h, k), threads
	reach := s.grid.reach()
	s.reachX, s.reachY = min(reach, w-1), min(reach, h-1)
	s.labels, s.unknown = grown(s.labels, n), grown(s.unknown, f.stride)
	for i := range s.unknown {
		s.unknown[i] = far
	}
	s.spread = 2*s.reachX + 1 + pad
	s.spatial = grown(s.spatial, (2*s.reachY+1)*s.spread+pad)
	s.centers, s.spans = grown(s.centers, k), grown(s.spans, s.grid.rows)
	s.work = grown(s.work, threads)
	_, tileRows := f.tileSize(stride)
	for t := range s.work {
		o := &s.work[t]
		o.dist, o.sums, o.edges = grown(o.dist, tileRows*f.stride+pad), grown(o.sums, k), grown(o.edges, w+pad)
	}
	return s
}

// grown returns a slice of n elements, the given one if it has room. What they hold is undefined.
func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/8)
	}
	return s[:n]
}
