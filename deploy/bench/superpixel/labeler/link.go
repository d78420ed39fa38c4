package labeler

import "math"

// link is a way between the middles of two neighboring regions that leaves neither. Where a region is in pieces there may be
// none: the path is empty, its length infinite.
type link struct {
	path   []Point // from the region of the smaller number
	length float64 // pixels
}

// link finds the way from a to b: the straight one, or the shortest from pixel to pixel.
func (l *level) link(a, b int32) link {
	key := [2]int32{min(a, b), max(a, b)}
	k, ok := l.links[key]
	if !ok {
		from, to := l.heart[key[0]], l.heart[key[1]]
		path := []Point{l.point(from), l.point(to)}
		if !l.straight(path[0], path[1], key) {
			path = l.detour(from, to, key)
		}
		k = link{path, length(path)}
		if len(path) == 0 {
			k.length = math.Inf(1)
		}
		l.links[key] = k
	}
	if a != key[0] {
		back := make([]Point, len(k.path))
		for i, p := range k.path {
			back[len(back)-1-i] = p
		}
		k.path = back
	}
	return k
}

// distance is the length of the link from a region to its i-th neighbor.
func (l *level) distance(r int32, i int) float64 {
	n := &l.around[r][i]
	if n.far == 0 {
		n.far = l.link(r, n.region).length
	}
	return n.far
}

// straight says whether the line between two points stays in two regions.
func (l *level) straight(from, to Point, regions [2]int32) bool {
	ok := true
	line(from, to, func(p Point) {
		r := int32(l.labels[p.Y*l.w+p.X])
		ok = ok && (r == regions[0] || r == regions[1])
	})
	return ok
}

// detour is the way of fewest steps over the pixels of two regions, with corners only where its direction changes.
func (l *level) detour(from, to int32, regions [2]int32) []Point {
	before := map[int32]int32{to: to}
	for queue := []int32{to}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at == from {
			break
		}
		p := l.point(at)
		for _, step := range [8][2]int{{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, 1}, {1, -1}, {-1, 1}, {-1, -1}} {
			x, y := p.X+step[0], p.Y+step[1]
			if x < 0 || y < 0 || x >= l.w || y >= l.h {
				continue
			}
			next := int32(y*l.w + x)
			if r := int32(l.labels[next]); r != regions[0] && r != regions[1] {
				continue
			}
			if _, seen := before[next]; !seen {
				before[next] = at
				queue = append(queue, next)
			}
		}
	}
	if _, ok := before[from]; !ok {
		return nil
	}
	path := []Point{l.point(from)}
	for at := from; at != to; at = before[at] {
		p := l.point(before[at])
		if n := len(path); n > 1 {
			last, corner := path[n-2], path[n-1]
			if (corner.X-last.X)*(p.Y-corner.Y) == (corner.Y-last.Y)*(p.X-corner.X) { // steps never turn back
				path[n-1] = p
				continue
			}
		}
		path = append(path, p)
	}
	return path
}

// length is that of a line through points, in pixels.
func length(path []Point) float64 {
	sum := 0.0
	for i := 1; i < len(path); i++ {
		sum += math.Hypot(float64(path[i].X-path[i-1].X), float64(path[i].Y-path[i-1].Y))
	}
	return sum
}

// line calls visit for the pixels of the straight line between two points, both included, whichever comes first (Bresenham
// 1965).
func line(from, to Point, visit func(Point)) {
	if to.X < from.X || to.X == from.X && to.Y < from.Y {
		from, to = to, from
	}
	dx, dy := to.X-from.X, to.Y-from.Y
	sy := 1
	if dy < 0 {
		dy, sy = -dy, -1
	}
	p, off := from, dx-dy
	for {
		visit(p)
		if p == to {
			return
		}
		twice := 2 * off
		if twice > -dy {
			off, p.X = off-dy, p.X+1
		}
		if twice < dx {
			off, p.Y = off+dx, p.Y+sy
		}
	}
}
