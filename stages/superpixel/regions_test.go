package superpixel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gleaner/schemas/labelmap"
)

// base is an image with the regions that k-means gives.
type base struct {
	*field
	labels  []uint16
	n       int
	tallies []tally
}

func newBase(pix []uint8, w, h, k int) base {
	m := new(Segmenter).Segment(pix, w, h, Params{Regions: k})
	f := new(workspace).prepare(scalar, w, h, 1, 1).field
	f.convert(scalar, pix, 3*w, 0, h)
	n := m.Counts()[0]
	return base{f, m.Labels, n, tallies(f, m.Labels, n)}
}

// tallies are those of n regions of a map of [h*w].
func tallies(f *field, labels []uint16, n int) []tally {
	sums := make([]tally, n)
	for i, k := range labels {
		sums[k].add(f, i/f.w, i%f.w, i%f.w+1)
	}
	return sums
}

// fine must give k connected regions, or all there are, with every kernel the same.
func (b base) fine(t *testing.T, k int) *labelmap.Map {
	t.Helper()
	var r regions
	want := &labelmap.Map{W: b.w, H: b.h, Labels: slices.Clone(b.labels)}
	got := r.fine(b.field, scalar, want.Labels, b.tallies, k)
	n := len(got)
	check(t, want)
	if !slices.Equal(got, tallies(b.field, want.Labels, n)) {
		t.Fatalf("%dx%d: the tallies are not those of the regions", b.w, b.h)
	}
	if n != min(b.n, k) || want.Counts()[0] != n {
		t.Fatalf("%dx%d: %d of %d regions wanted, %d made, said to be %d", b.w, b.h, k, b.n, want.Counts()[0], n)
	}
	for _, kernel := range kernels() {
		got := slices.Clone(b.labels)
		if r.fine(b.field, kernel, got, b.tallies, k); !slices.Equal(got, want.Labels) {
			t.Fatalf("%dx%d, %d regions: %s differs from plain Go", b.w, b.h, k, kernel.name)
		}
	}
	return want
}

// levels must be nested maps of connected regions, as many as wanted, with every kernel the same.
func (b base) levels(t *testing.T, counts ...int) *labelmap.Map {
	t.Helper()
	var r regions
	m := &labelmap.Map{W: b.w, H: b.h, Labels: b.labels, Levels: r.hierarchy(b.field, scalar, b.labels, b.tallies, counts)}
	labels, n := slices.Clone(b.labels), b.n
	for i, level := range m.Levels {
		if len(level) != n {
			t.Fatalf("level %d is of %d regions where the one before has %d", i, len(level), n)
		}
		for p, l := range labels {
			labels[p] = level[l]
		}
		check(t, &labelmap.Map{W: b.w, H: b.h, Labels: labels})
		if n = min(n, max(counts[i], 1)); int(slices.Max(level)) != n-1 {
			t.Fatalf("level %d: %d regions wanted, %d made", i, n, slices.Max(level)+1)
		}
	}
	for _, kernel := range kernels() {
		got := r.hierarchy(b.field, kernel, b.labels, b.tallies, counts)
		if !slices.EqualFunc(got, m.Levels, slices.Equal) {
			t.Fatalf("%dx%d, %v: %s differs from plain Go", b.w, b.h, counts, kernel.name)
		}
	}
	return m
}

func TestRegionsOfManySizes(t *testing.T) {
	for seed, size := range [][2]int{{1, 1}, {1, 2}, {2, 1}, {3, 3}, {1, 500}, {500, 1}, {2, 300}, {7, 5}, {17, 31}, {160, 120}, {321, 200}} {
		w, h := size[0], size[1]
		for _, pix := range [][]uint8{picture(uint64(seed), w, h), make([]uint8, 3*w*h)} {
			for _, k := range []int{1, 2, 30, 1000} {
				b := newBase(pix, w, h, baseRegions(k))
				b.fine(t, k)
				b.levels(t, 4*k, k, k, k/2, 3, 0)
			}
		}
	}
}

func FuzzRegions(f *testing.F) {
	f.Add(uint16(97), uint16(41), uint16(50), uint64(2))
	f.Add(uint16(640), uint16(3), uint16(65534), uint64(3))
	f.Fuzz(func(t *testing.T, w, h, k uint16, seed uint64) {
		pw, ph := int(w)%700+1, int(h)%700+1
		for pw*ph > 30000 { // keeps a run short; extreme aspects stay
			pw, ph = (pw+1)/2, (ph+1)/2
		}
		pix := picture(seed, pw, ph)
		rng := rand.New(rand.NewPCG(seed, 3))
		for i := range pix[:len(pix)*int(seed%4)/4] { // a part of pure noise
			pix[i] = uint8(rng.Uint32())
		}
		b := newBase(pix, pw, ph, int(k))
		b.fine(t, int(k)/2)
		b.levels(t, int(k)/2, int(k)/3, int(k)/20)
	})
}

// Every merge must be the cheapest there is, by costs that are found anew from the label map.
func TestCheapestMergesFirst(t *testing.T) {
	b := newBase(picture(4, 90, 60), 90, 60, 60)
	var g, anew graph
	var m framed
	m.load(b.labels, b.w, b.h)
	g.build(b.field, scalar, &m, b.tallies)
	counts := make([]int, b.n-1)
	for i := range counts {
		counts[i] = b.n - 1 - i
	}
	for i, level := range g.mergeTo(evenly, counts...) {
		labels := make([]uint16, b.w*b.h)
		for y := range b.h {
			copy(labels[y*b.w:], m.row(y)[:b.w])
		}
		anew.build(b.field, scalar, &m, tallies(b.field, labels, b.n-i))
		least, merged := float32(math.Inf(1)), float32(-1)
		for j := range anew.edges {
			e := &anew.edges[j]
			cost := evenly.cost(&anew.nodes[e.node[0]], &anew.nodes[e.node[1]], e)
			least = min(least, cost)
			if level[e.node[0]] == level[e.node[1]] {
				merged = cost
			}
		}
		if merged != least {
			t.Fatalf("of %d regions two were merged at the cost of %g, the least is %g", b.n-i, merged, least)
		}
		m.relabel(level)
	}
}

// A strong straight edge must be crossed only when nothing else is left to merge.
func TestStrongEdgesStay(t *testing.T) {
	const w, h = 150, 110
	for name, inside := range map[string]func(x, y int) bool{
		"upright":  func(x, _ int) bool { return x < 61 },
		"level":    func(_, y int) bool { return y < 37 },
		"diagonal": func(x, y int) bool { return 2*x+y < 180 },
	} {
		rng := rand.New(rand.NewPCG(1, 4))
		pix := make([]uint8, 3*w*h)
		for i := range pix {
			pix[i] = uint8(90 + rng.IntN(21) - 10)
			if inside(i/3%w, i/3/w) {
				pix[i] += 60
			}
		}
		b := newBase(pix, w, h, 400)
		m := b.levels(t, 100, 20, 5, 2)
		wrong := 0
		labels := m.At(len(m.Levels))
		for i, l := range labels {
			if (l == labels[0]) != (inside(i%w, i/w) == inside(0, 0)) {
				wrong++
			}
		}
		if wrong > 2*(w+h) {
			t.Errorf("%s: %d pixels are on the wrong side", name, wrong)
		}
	}
}

// Of regions wanted, most must go where the detail is.
func TestFineGoesWhereDetailIs(t *testing.T) {
	const w, h, k = 160, 120, 120
	pix := make([]uint8, 3*w*h)
	for i := range w * h {
		x, y := i%w, i/w
		v := uint8(128 + y/20)
		if x >= w/2 {
			v = uint8(60 + 120*((x/8+y/8)%2))
		}
		pix[3*i], pix[3*i+1], pix[3*i+2] = v, v, v
	}
	m := newBase(pix, w, h, baseRegions(k)).fine(t, k)
	plain, detailed := map[uint16]bool{}, map[uint16]bool{}
	for i, l := range m.Labels {
		if i%w < w/2-1 {
			plain[l] = true
		} else if i%w > w/2 {
			detailed[l] = true
		}
	}
	if len(detailed) < 3*len(plain) {
		t.Errorf("%d regions on the plain half, %d on the detailed one", len(plain), len(detailed))
	}
}

// A pixel is loose if its neighbors of the same label are not all four, and stay connected within the 3x3 square without it: by
// flood fill.
func TestLoosePixels(t *testing.T) {
	for set := range 1 << 9 {
		rows := [3]uint64{0xabcd << 48, 0xabcd << 48, 0xabcd << 48}
		sides := 0
		for i := range 9 {
			label := 0xfff0 + uint64(i) // of another region
			if set>>i&1 == 1 {
				label = 7
				sides += i & 1
			}
			rows[i/3] |= label << (i % 3 * 16)
		}
		var seen [9]bool
		pieces := 0
		var flood func(i int)
		flood = func(i int) {
			if seen[i] || i == 4 || set>>i&1 == 0 {
				return
			}
			seen[i] = true
			if i%3 > 0 {
				flood(i - 1)
			}
			if i%3 < 2 {
				flood(i + 1)
			}
			if i >= 3 {
				flood(i - 3)
			}
			if i < 6 {
				flood(i + 3)
			}
		}
		for _, side := range []int{1, 3, 5, 7} {
			if set>>side&1 == 1 && !seen[side] {
				pieces++
				flood(side)
			}
		}
		around := surroundings(rows[0], rows[1], rows[2])
		own, others := around.same(7)
		if want := pieces == 1 && sides < 4; loose[own] != want {
			t.Fatalf("set %09b: %d pieces, %d sides, loose %v", set, pieces, sides, loose[own])
		}
		for _, side := range []int{1, 3, 5, 7} { // in this order
			if set>>side&1 == 1 {
				continue
			}
			label := around.first(others)
			if want := 0xfff0 + uint16(side); label != want {
				t.Fatalf("set %09b: the next other label is %#x, want %#x", set, label, want)
			}
			_, differ := around.same(label)
			others &= differ
		}
		if others != 0 {
			t.Fatalf("set %09b: %x is left of the other labels", set, others)
		}
	}
}

func BenchmarkFine(b *testing.B) {
	pix := picture(1, 481, 321)
	base := newBase(pix, 481, 321, baseRegions(400))
	labels := make([]uint16, len(base.labels))
	var r regions
	for b.Loop() {
		copy(labels, base.labels)
		r.fine(base.field, kernels()[0], labels, base.tallies, 400)
	}
}

func BenchmarkHierarchy(b *testing.B) {
	base := newBase(picture(1, 640, 480), 640, 480, 3200)
	var r regions
	for b.Loop() {
		r.hierarchy(base.field, kernels()[0], base.labels, base.tallies, []int{800, 200, 50})
	}
}
