package labeler

import (
	"fmt"
	"math"
)

// Picture is the nested levels of regions of an image. It keeps what it learns about distances, and is for one goroutine.
type Picture struct {
	w, h   int
	levels []*level // finest first
}

// level is a label map and what follows from it. Regions are 0..n-1.
type level struct {
	w, h     int
	labels   []uint16
	members  [][]int32 // pixels of each region
	heart    []int32   // of each region, the pixel of it that is nearest to its mean: where it is clicked
	parent   []int32   // region of the next coarser level
	children [][]int32 // regions of the next finer level
	around   [][]neighbor
	links    map[[2]int32]link
	marks    marks
}

// neighbor is a region beside another.
type neighbor struct {
	region int32
	far    float64 // length of the link to it, in pixels; 0 until it is asked for
}

// marks are what a search for near regions writes down: what holds of a region in the search numbered now.
type marks struct {
	far    []float64
	before []int32
	node   []int32 // the tour's index of the region, from 1 on; 0: it is not in the tour
	met    []int32 // the last search that found a way to the region
	done   []int32 // the last search that found the shortest
	now    int32
}

// New makes a picture of label maps, [h*w] each, finest first, of ids 0..n-1. It fails where a region does not lie within
// one region of the next level.
func New(w, h int, maps ...[]uint16) (*Picture, error) {
	p := &Picture{w: w, h: h}
	for i, labels := range maps {
		l := newLevel(labels, w, h)
		if i > 0 {
			below := p.levels[i-1]
			l.children = make([][]int32, len(l.members))
			below.parent = make([]int32, len(below.members))
			for r, pixels := range below.members {
				up := labels[pixels[0]]
				for _, at := range pixels {
					if labels[at] != up {
						return nil, fmt.Errorf("region %d of level %d lies in several of the next level", r, i-1)
					}
				}
				below.parent[r] = int32(up)
				l.children[up] = append(l.children[up], int32(r))
			}
		}
		p.levels = append(p.levels, l)
	}
	return p, nil
}

func newLevel(labels []uint16, w, h int) *level {
	n := 0
	for _, r := range labels {
		n = max(n, int(r)+1)
	}
	l := &level{w: w, h: h, labels: labels, members: make([][]int32, n), heart: make([]int32, n), around: make([][]neighbor, n), links: map[[2]int32]link{}}
	met := map[[2]int32]bool{}
	meet := func(i, j int) {
		a, b := int32(labels[i]), int32(labels[j])
		if a == b || met[[2]int32{a, b}] {
			return
		}
		met[[2]int32{a, b}], met[[2]int32{b, a}] = true, true
		l.around[a], l.around[b] = append(l.around[a], neighbor{region: b}), append(l.around[b], neighbor{region: a})
	}
	for i, r := range labels {
		l.members[r] = append(l.members[r], int32(i))
		if (i+1)%w != 0 {
			meet(i, i+1)
		}
		if i+w < len(labels) {
			meet(i, i+w)
		}
	}
	for r, pixels := range l.members {
		l.heart[r] = l.middle(pixels)
	}
	ids := make([]int32, 4*n)
	l.marks = marks{far: make([]float64, n), before: ids[:n], node: ids[n : 2*n], met: ids[2*n : 3*n], done: ids[3*n:]}
	return l
}

func (l *level) middle(pixels []int32) int32 {
	var x, y float64
	for _, i := range pixels {
		x, y = x+float64(int(i)%l.w), y+float64(int(i)/l.w)
	}
	n := float64(len(pixels))
	best, nearest := int32(0), math.Inf(1)
	for _, i := range pixels {
		dx, dy := float64(int(i)%l.w)-x/n, float64(int(i)/l.w)-y/n
		if d := dx*dx + dy*dy; d < nearest {
			best, nearest = i, d
		}
	}
	return best
}

func (l *level) point(i int32) Point { return Point{int(i) % l.w, int(i) / l.w} }

// spacing is about how far the middles of neighboring regions are apart, in pixels.
func (l *level) spacing() float64 { return math.Sqrt(float64(l.w*l.h) / float64(len(l.members))) }
