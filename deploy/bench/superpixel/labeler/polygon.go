package labeler

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Polygons outline an object: the vertices of each of its parts, in pixels of the image, x then y.
type Polygons [][][2]float64

// ParseYOLO reads a line of a YOLO segmentation file: a class, then x and y of each vertex as shares of width and height. The
// format has one polygon a line, so that writers join an object's parts by bridges that are gone over both ways; the parts
// are taken apart again where the line comes back to a vertex.
func ParseYOLO(text string, w, h int) (class string, parts Polygons, err error) {
	fields := strings.Fields(text)
	if len(fields) < 7 || len(fields)%2 == 0 {
		return "", nil, fmt.Errorf("%d numbers: want a class and at least three vertices", len(fields))
	}
	var open [][2]float64
	for i := 1; i < len(fields); i += 2 {
		x, err := strconv.ParseFloat(fields[i], 64)
		y, err2 := strconv.ParseFloat(fields[i+1], 64)
		if err != nil || err2 != nil || !(x >= 0 && x <= 1 && y >= 0 && y <= 1) {
			return "", nil, fmt.Errorf("vertex %q %q: want shares of width and height", fields[i], fields[i+1])
		}
		v := [2]float64{x * float64(w), y * float64(h)}
		if at := slices.Index(open, v); at >= 0 {
			parts = addPart(parts, open[at:])
			open = open[:at]
		}
		open = append(open, v)
	}
	if parts = addPart(parts, open); len(parts) == 0 {
		return "", nil, fmt.Errorf("the vertices enclose nothing")
	}
	return fields[0], parts, nil
}

func addPart(parts Polygons, vertices [][2]float64) Polygons {
	if len(vertices) < 3 {
		return parts
	}
	return append(parts, slices.Clone(vertices))
}

// Vertices is how many clicks the polygons take.
func (p Polygons) Vertices() int {
	n := 0
	for _, part := range p {
		n += len(part)
	}
	return n
}

// Mask is the pixels of a w x h image whose middle lies in one of the polygons, by the even-odd rule within each.
func (p Polygons) Mask(w, h int) []bool {
	mask := make([]bool, w*h)
	var cuts []float64
	for _, part := range p {
		low, high := math.Inf(1), math.Inf(-1)
		for _, v := range part {
			low, high = min(low, v[1]), max(high, v[1])
		}
		for y := max(0, int(low)-1); y <= min(h-1, int(high)+1); y++ {
			cuts = cuts[:0]
			mid := float64(y) + 0.5
			for i, b := range part {
				a := part[(i+len(part)-1)%len(part)]
				if (a[1] <= mid) != (b[1] <= mid) {
					cuts = append(cuts, a[0]+(mid-a[1])/(b[1]-a[1])*(b[0]-a[0]))
				}
			}
			slices.Sort(cuts)
			for i := 0; i+1 < len(cuts); i += 2 {
				from, to := max(0, int(math.Ceil(cuts[i]-0.5))), min(w, int(math.Ceil(cuts[i+1]-0.5)))
				for x := from; x < to; x++ {
					mask[y*w+x] = true
				}
			}
		}
	}
	return mask
}

// Simplify keeps as few of the vertices, and of the parts, as still reach Enough against all of them, by the better of two
// orders of importance: the area that a vertex takes along (Visvalingam and Whyatt 1993) and the distance that it adds
// (Douglas and Peucker 1973). Nobody who knows all vertices would click more; one who may click elsewhere might click fewer.
func (p Polygons) Simplify(w, h int) Polygons {
	target := p.Mask(w, h)
	best := p
	for _, order := range [][]Polygons{byArea(p), byDistance(p)} {
		for _, some := range order { // from few vertices to many
			if some.Vertices() >= best.Vertices() {
				break
			}
			if IoU(some.Mask(w, h), target) >= Enough {
				best = some
				break
			}
		}
	}
	return best
}

// byArea removes the vertex whose triangle with its neighbors is smallest, again and again, and a part with its last triangle.
func byArea(p Polygons) []Polygons {
	left := make(Polygons, len(p))
	for i, part := range p {
		left[i] = slices.Clone(part)
	}
	var all []Polygons
	for {
		part, vertex, least := -1, 0, math.Inf(1)
		for i, vertices := range left {
			for j := range vertices {
				n := len(vertices)
				if a := triangle(vertices[(j+n-1)%n], vertices[j], vertices[(j+1)%n]); a < least {
					part, vertex, least = i, j, a
				}
			}
		}
		if part < 0 {
			slices.Reverse(all)
			return all
		}
		if len(left[part]) == 3 {
			left[part] = nil
		} else {
			left[part] = slices.Delete(left[part], vertex, vertex+1)
		}
		var some Polygons
		for _, vertices := range left {
			some = addPart(some, vertices)
		}
		if len(some) > 0 {
			all = append(all, some)
		}
	}
}

func triangle(a, b, c [2]float64) float64 {
	return math.Abs((b[0]-a[0])*(c[1]-a[1])-(c[0]-a[0])*(b[1]-a[1])) / 2
}

// byDistance begins each part with the two vertices that are farthest apart and adds the one that is farthest from its
// segment, again and again.
func byDistance(p Polygons) []Polygons {
	kept := make([][]int, len(p))
	for i, part := range p {
		kept[i] = farthest(part)
	}
	var all []Polygons
	for {
		part, after, vertex, most := -1, 0, 0, 0.0
		for i, ids := range kept {
			for j, from := range ids {
				to := ids[(j+1)%len(ids)]
				n := len(p[i])
				for v := (from + 1) % n; v != to; v = (v + 1) % n {
					if d := offSegment(p[i][v], p[i][from], p[i][to]); d > most || part < 0 {
						part, after, vertex, most = i, j, v, d
					}
				}
			}
		}
		if part < 0 {
			return all
		}
		kept[part] = slices.Insert(kept[part], after+1, vertex)
		var some Polygons
		for i, ids := range kept {
			vertices := make([][2]float64, len(ids))
			for j, v := range ids {
				vertices[j] = p[i][v]
			}
			some = addPart(some, vertices)
		}
		all = append(all, some)
	}
}

func farthest(part [][2]float64) []int {
	pair, most := []int{0, 1}, -1.0
	for i, a := range part {
		for j := i + 1; j < len(part); j++ {
			if d := math.Hypot(a[0]-part[j][0], a[1]-part[j][1]); d > most {
				pair, most = []int{i, j}, d
			}
		}
	}
	return pair
}

func offSegment(p, a, b [2]float64) float64 {
	dx, dy := b[0]-a[0], b[1]-a[1]
	t := 0.0
	if n := dx*dx + dy*dy; n > 0 {
		t = min(1, max(0, ((p[0]-a[0])*dx+(p[1]-a[1])*dy)/n))
	}
	return math.Hypot(p[0]-a[0]-t*dx, p[1]-a[1]-t*dy)
}
