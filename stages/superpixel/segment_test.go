package superpixel

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas/labelmap"
	"gleaner/stages/pixels"
)

// picture draws soft colored areas, edges and noise, by seed.
func picture(seed uint64, w, h int) []uint8 {
	rng := rand.New(rand.NewPCG(seed, 1))
	pix := make([]uint8, 3*w*h)
	for range 12 {
		x0, y0, cw, ch := rng.IntN(w), rng.IntN(h), 1+rng.IntN(w), 1+rng.IntN(h)
		c := [3]uint8{uint8(rng.Uint32()), uint8(rng.Uint32()), uint8(rng.Uint32())}
		for y := y0; y < min(h, y0+ch); y++ {
			for x := x0; x < min(w, x0+cw); x++ {
				copy(pix[3*(y*w+x):], c[:])
			}
		}
	}
	for i := range pix {
		pix[i] = uint8(max(0, min(255, int(pix[i])+rng.IntN(17)-8)))
	}
	return pix
}

// check fails unless the regions are 4-connected and numbered 0..n-1 in the order of first appearance.
func check(t *testing.T, m *labelmap.Map) {
	t.Helper()
	if len(m.Labels) != m.W*m.H {
		t.Fatalf("%d labels for %dx%d", len(m.Labels), m.W, m.H)
	}
	seen := make([]bool, len(m.Labels))
	next := 0
	stack := []int{}
	for start, l := range m.Labels {
		if seen[start] {
			continue
		}
		if int(l) != next {
			t.Fatalf("region %d begins at pixel %d as piece %d: not connected, or out of order", l, start, next)
		}
		next++
		seen[start] = true
		for stack = append(stack, start); len(stack) > 0; {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for _, d := range [][2]int{{-1, 0}, {1, 0}, {0, -1}, {0, 1}} {
				x, y := i%m.W+d[0], i/m.W+d[1]
				j := y*m.W + x
				if x < 0 || x >= m.W || y < 0 || y >= m.H || seen[j] || m.Labels[j] != l {
					continue
				}
				seen[j] = true
				stack = append(stack, j)
			}
		}
	}
}

// apart puts gap bytes between the rows of an image.
func apart(pix []uint8, w, h, gap int) []uint8 {
	out := make([]uint8, 0, (3*w+gap)*h)
	for y := range h {
		out = append(out, pix[3*w*y:][:3*w]...)
		if y+1 < h {
			out = append(out, bytes.Repeat([]byte{0xa5}, gap)...)
		}
	}
	return out
}

// Every kernel, number of threads and stride must give the labels of plain Go on one thread, bit for bit.
func same(t *testing.T, pix []uint8, w, h int, p Params) {
	t.Helper()
	var s Segmenter
	want, _ := s.segment(scalar, pix, w, h, p)
	check(t, want)
	for _, k := range kernels() {
		for _, threads := range []int{1, 3} {
			for _, gap := range []int{0, 1, 13} {
				p.Threads, p.Stride = threads, 3*w+gap
				got, _ := s.segment(k, apart(pix, w, h, gap), w, h, p)
				if !slices.Equal(got.Labels, want.Labels) {
					t.Fatalf("%dx%d, %+v: %s differs from plain Go on one thread", w, h, p, k.name)
				}
			}
		}
	}
}

func TestKernelsAgree(t *testing.T) {
	for seed, size := range [][2]int{
		{1, 1}, {1, 2}, {2, 1}, {3, 3}, {1, 500}, {500, 1}, {2, 300}, {300, 2}, {7, 5}, {17, 31}, {33, 64}, {101, 67}, {160, 90}, {1, 5000}, {5000, 1}, {9, 1000},
	} {
		w, h := size[0], size[1]
		pix := picture(uint64(seed), w, h)
		for i, k := range []int{1, 2, 7, 100, 4000, MaxRegions} {
			same(t, pix, w, h, Params{Regions: k, Compactness: []float64{20, 0.5, 1000}[i%3], Iterations: 4})
		}
	}
}

// decoded is what the decoder makes of an image that is stored as 8-bit RGB (0), gray (1), 16-bit RGB (2) or 16-bit gray (3).
func decoded(t *testing.T, pix []uint8, w, h int, format uint8) []uint8 {
	t.Helper()
	to := []draw.Image{image.NewNRGBA(image.Rect(0, 0, w, h)), image.NewGray(image.Rect(0, 0, w, h)), image.NewNRGBA64(image.Rect(0, 0, w, h)), image.NewGray16(image.Rect(0, 0, w, h))}[format]
	for i := range w * h {
		p := pix[3*i:]
		to.Set(i%w, i/w, color.NRGBA64{R: uint16(p[0])<<8 | uint16(p[1]), G: uint16(p[1])<<8 | uint16(p[2]), B: uint16(p[2])<<8 | uint16(p[0]), A: 0xffff})
	}
	var file bytes.Buffer
	if err := png.Encode(&file, to); err != nil {
		t.Fatal(err)
	}
	img, _, err := pixels.Decode(file.Bytes(), pixels.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return img.Pix
}

func FuzzKernelsAgree(f *testing.F) {
	f.Add(uint16(1), uint16(1), uint16(1), uint8(20), uint64(1), uint8(0))
	f.Add(uint16(97), uint16(41), uint16(50), uint8(20), uint64(2), uint8(0))
	f.Add(uint16(640), uint16(3), uint16(65534), uint8(1), uint64(3), uint8(1))
	f.Add(uint16(60), uint16(51), uint16(300), uint8(10), uint64(4), uint8(2))
	f.Add(uint16(51), uint16(60), uint16(300), uint8(10), uint64(5), uint8(3))
	f.Fuzz(func(t *testing.T, w, h, k uint16, compactness uint8, seed uint64, format uint8) {
		pw, ph := int(w)%700+1, int(h)%700+1
		for pw*ph > 20000 { // keeps a run short; extreme aspects stay
			pw, ph = (pw+1)/2, (ph+1)/2
		}
		pix := picture(seed, pw, ph)
		rng := rand.New(rand.NewPCG(seed, 2))
		for i := range pix[:len(pix)*int(seed%4)/4] { // a part of pure noise
			pix[i] = uint8(rng.Uint32())
		}
		pix = decoded(t, pix, pw, ph, format%4)
		same(t, pix, pw, ph, Params{Regions: int(k), Compactness: float64(compactness) + 0.5, Iterations: 1 + int(seed%7)})
	})
}

func TestKernelsAgreeOnPhotos(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(realdata.Need(t, "bsds500", "val", "images"), "*.jpg"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d photos, %v", len(files), err)
	}
	for _, file := range files[:2] {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		img, _, err := pixels.Decode(data, pixels.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []int{400} {
			same(t, img.Pix, img.W, img.H/3, Params{Regions: k, Iterations: 3})
		}
	}
}

// The worst that k-means can leave is pieces that are all just large enough to stay: their ids must still fit in 16 bits.
func TestRegionIDsNeverWrap(t *testing.T) {
	const side = 1030 // 4.05 pixels for each of 2^18 blocks
	ws := new(workspace)
	s := ws.prepare(scalar, side, side, MaxRegions, 1)
	s.convert(scalar, make([]uint8, 3*side*side), 3*side, 0, side)
	for y := range side {
		for x := range side {
			s.labels[y*s.stride+x] = uint16(x/2%2 + 2*(y/2%2)) // 2x2 blocks, none of which has a neighbor of its label
		}
	}
	ws.pieces.find(s, smallest(side, side, MaxRegions))
	ws.pieces.merge()
	m := &labelmap.Map{W: side, H: side, Labels: make([]uint16, side*side)}
	ws.pieces.number(m.Labels)
	check(t, m)
}

func TestAboutAsManyRegionsAsWanted(t *testing.T) {
	var s Segmenter
	for _, k := range []int{50, 200, 800} {
		if n := s.Segment(picture(1, 320, 240), 320, 240, Params{Regions: k}).Counts()[0]; n < k*8/10 || n > k*12/10 {
			t.Errorf("%d regions wanted, %d made", k, n)
		}
	}
	flat := make([]uint8, 3*320*240)
	for _, k := range []int{48, 100, 333} {
		if n := s.Segment(flat, 320, 240, Params{Regions: k}).Counts()[0]; n != k {
			t.Errorf("%d regions wanted of an even image, %d made", k, n)
		}
	}
}

func TestRegionsFollowEdges(t *testing.T) {
	w, h := 120, 90
	for name, ink := range map[string][3]uint8{"color": {200, 40, 30}, "gray": {90, 90, 90}} {
		pix := make([]uint8, 3*w*h)
		inside := func(x, y int) bool { return (x-61)*(x-61)+(y-43)*(y-43) < 29*29 }
		for i := range w * h {
			c := [3]uint8{140, 140, 140}
			if inside(i%w, i/w) {
				c = ink
			}
			copy(pix[3*i:], c[:])
		}
		m := new(Segmenter).Segment(pix, w, h, Params{Regions: 60, Compactness: 10})
		check(t, m)
		n := m.Counts()[0]
		in, out := make([]int, n), make([]int, n)
		for i, l := range m.Labels {
			if inside(i%w, i/w) {
				in[l]++
			} else {
				out[l]++
			}
		}
		leak := 0
		for l := range in {
			leak += min(in[l], out[l])
		}
		if leak > w*h/500 {
			t.Errorf("%s: %d pixels are on the wrong side of a clear edge", name, leak)
		}
	}
}

// Reference values of CIELAB (D65) for sRGB primaries.
func TestLab(t *testing.T) {
	for _, c := range []struct {
		rgb  [3]uint8
		want [3]float64
	}{
		{[3]uint8{0, 0, 0}, [3]float64{0, 0, 0}},
		{[3]uint8{255, 255, 255}, [3]float64{100, 0, 0}},
		{[3]uint8{119, 119, 119}, [3]float64{50.03, 0, 0}},
		{[3]uint8{255, 0, 0}, [3]float64{53.24, 80.09, 67.20}},
		{[3]uint8{0, 255, 0}, [3]float64{87.74, -86.18, 83.18}},
		{[3]uint8{0, 0, 255}, [3]float64{32.30, 79.19, -107.86}},
	} {
		f := new(workspace).prepare(scalar, 1, 1, 1, 1).field
		f.convert(scalar, c.rgb[:], 3, 0, 1)
		got := [3]float64{float64(f.l[0]) / labScale / 1.275, float64(f.a[0])/labScale - 128, float64(f.b[0])/labScale - 128}
		for i, want := range c.want {
			if d := got[i] - want; d > 0.4 || d < -0.4 {
				t.Errorf("%v: component %d is %.2f, want %.2f", c.rgb, i, got[i], want)
			}
		}
	}
}

func BenchmarkSegment(b *testing.B) {
	pix := picture(1, 640, 480)
	for _, k := range kernels() {
		b.Run(fmt.Sprintf("kernel=%s", k.name), func(b *testing.B) {
			var s Segmenter
			b.SetBytes(640 * 480)
			for b.Loop() {
				s.segment(k, pix, 640, 480, Params{Regions: 1500})
			}
		})
	}
}
