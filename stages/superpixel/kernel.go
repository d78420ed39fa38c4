package superpixel

// The inner loops. They exist three times, here in plain Go and in kernel_amd64.go for two widths of vectors; all give the same
// labels.

// far is the distance of a pixel that no center has reached. Distances saturate at it and lose against any other.
const far = 1<<15 - 1

// window is the part of the image that one center looks at: rows every step from the first, each of cols pixels. The
// distances and labels beyond cols, up to a vector's width, may be written too.
type window struct {
	l, a, b *int16  // the first pixel of the planes
	dist    *int16  // likewise, to the nearest center so far
	labels  *uint16 // likewise, that center
	spatial *int16  // likewise, what the distance from the center adds; far beyond the window
	stride  int     // from row to row in pixels, times step, of the planes, distances and labels
	spread  int     // likewise of spatial
	rows    int
	cols    int

	cl, ca, cb int16 // the center's color
	label      uint16
}

// kernel is one of the three.
type kernel struct {
	name string
	// assign compares the pixels of a window with its center: where |dl|+|da|+|db|+spatial is less than the distance so far, it
	// and the label replace those.
	assign func(*window)
	// edges writes the columns x in 1..w-1 whose label differs from that of x-1, in order, and returns how many there are. Row
	// has at least w+pad elements, at has at least w.
	edges func(row []uint16, w int, at []int32) int
	// calm gives each of the pixels 1..w-2 of a row the label that three of its four neighbors have, else its own. The rows
	// have pad elements more, of which those of to may be written.
	calm func(above, row, below, to []uint16, w int)
	// borders sets in a row of bits those of the w pixels whose label differs from one of the four neighbors', clears the others,
	// and leaves the bits from w on undefined. Row begins with the pixel left of the first; the rows have pad elements more.
	borders func(above, row, below []uint16, w int, set []uint64)
	// smooth weighs the 3x3 surroundings of w pixels binomially. Sum is memory for it; all slices have pad elements more.
	smooth func(above, row, below, sum, to []int16, w int)
	// lab turns w roots of Y, X and Z, in this order, into L, a and b. The slices have pad elements more.
	lab func(l, a, b []int16, w int)
}

var scalar = kernel{"scalar", assignScalar, edgesScalar, calmScalar, bordersScalar, smoothScalar, labScalar}

func assignScalar(v *window) {
	for y := range v.rows {
		i, j := y*v.stride, y*v.spread
		l, a, b := run(v.l, i, v.cols), run(v.a, i, v.cols), run(v.b, i, v.cols)
		dist, labels, spatial := run(v.dist, i, v.cols), run(v.labels, i, v.cols), run(v.spatial, j, v.cols)
		for x := range l {
			d := min(int32(abs(l[x]-v.cl)+abs(a[x]-v.ca)+abs(b[x]-v.cb))+int32(spatial[x]), far)
			if d < int32(dist[x]) {
				dist[x], labels[x] = int16(d), v.label
			}
		}
	}
}

func abs(x int16) int16 { return max(x, -x) }

func edgesScalar(row []uint16, w int, at []int32) int {
	n := 0
	for x := 1; x < w; x++ {
		if row[x] != row[x-1] {
			at[n] = int32(x)
			n++
		}
	}
	return n
}

func calmScalar(above, row, below, to []uint16, w int) {
	for x := 1; x < w-1; x++ {
		l, r, u, d := row[x-1], row[x+1], above[x], below[x]
		to[x] = row[x]
		if l == r && (l == u || l == d) {
			to[x] = l
		} else if u == d && (u == l || u == r) {
			to[x] = u
		}
	}
}

func bordersScalar(above, row, below []uint16, w int, set []uint64) {
	clear(set[:w/64+1])
	for x := range w {
		if k := row[x+1]; k != row[x] || k != row[x+2] || k != above[x] || k != below[x] {
			set[x/64] |= 1 << (x % 64)
		}
	}
}

func smoothScalar(above, row, below, sum, to []int16, w int) {
	for x := range w {
		sum[x+1] = above[x] + 2*row[x] + below[x]
	}
	sum[0], sum[w+1] = sum[1], sum[w]
	for x := range w {
		to[x] = int16((uint16(sum[x]) + 2*uint16(sum[x+1]) + uint16(sum[x+2]) + 8) >> 4)
	}
}

func labScalar(l, a, b []int16, w int) {
	for i := range w {
		l[i], a[i], b[i] = labOf(int32(a[i]), int32(l[i]), int32(b[i]))
	}
}
