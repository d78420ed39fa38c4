package superpixel

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"

	"gleaner/schemas"
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
func check(t *testing.T, labels []uint16, n, w, h int) {
	t.Helper()
	if len(labels) != w*h {
		t.Fatalf("%d labels for %dx%d", len(labels), w, h)
	}
	seen := make([]bool, len(labels))
	next := 0
	stack := []int{}
	for start, l := range labels {
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
				x, y := i%w+d[0], i/w+d[1]
				j := y*w + x
				if x < 0 || x >= w || y < 0 || y >= h || seen[j] || labels[j] != l {
					continue
				}
				seen[j] = true
				stack = append(stack, j)
			}
		}
	}
	if next != n {
		t.Fatalf("%d regions, said to be %d", next, n)
	}
}

func TestRegionsAreConnected(t *testing.T) {
	for seed, size := range [][2]int{{1, 1}, {1, 2}, {1, 500}, {500, 1}, {2, 300}, {3, 3}, {17, 31}, {101, 67}, {160, 120}, {321, 200}} {
		for _, k := range []int{1, 2, 7, 100, 16000} {
			w, h := size[0], size[1]
			labels, n := Segment(picture(uint64(seed), w, h), w, h, Params{Regions: k, Compactness: 10, Iterations: 5})
			check(t, labels, n, w, h)
		}
	}
	w, h := 90, 70
	noise := make([]uint8, 3*w*h)
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range noise {
		noise[i] = uint8(rng.Uint32())
	}
	labels, n := Segment(noise, w, h, Params{Regions: 100, Compactness: 1, Iterations: 5})
	check(t, labels, n, w, h)
}

// The worst that k-means can leave is pieces that are all just large enough to stay: their ids must still fit in 16 bits.
func TestRegionIDsNeverWrap(t *testing.T) {
	const side = 564 // 19.9 pixels for each of maxRegions
	labels := make([]uint16, side*side)
	for i := range labels {
		x, y := i%side, i/side
		labels[i] = uint16(x/2%2 + 2*(y/2%2)) // 2x2 blocks, none of which has a neighbor of its label
	}
	img := toLab(make([]uint8, 3*side*side))
	labels, n := connect(labels, img, side, side, smallest(side, side, maxRegions))
	if top := slices.Max(labels); n > 4*maxRegions || int(top) != n-1 {
		t.Errorf("%d regions, the highest id is %d", n, top)
	}
}

func TestAboutAsManyRegionsAsWanted(t *testing.T) {
	for _, k := range []int{50, 200, 800} {
		_, n := Segment(picture(1, 320, 240), 320, 240, Params{Regions: k, Compactness: 20, Iterations: 10})
		if n < k*8/10 || n > k*12/10 {
			t.Errorf("%d regions wanted, %d made", k, n)
		}
	}
	flat := make([]uint8, 3*320*240)
	for _, k := range []int{48, 100, 333} {
		if _, n := Segment(flat, 320, 240, Params{Regions: k, Compactness: 10, Iterations: 10}); n != k {
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
		labels, n := Segment(pix, w, h, Params{Regions: 60, Compactness: 10, Iterations: 10})
		check(t, labels, n, w, h)
		in, out := make([]int, n), make([]int, n)
		for i, l := range labels {
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

func TestSegmentIsDeterministic(t *testing.T) {
	pix := picture(9, 200, 150)
	p := Params{Regions: 150, Compactness: 10, Iterations: 10}
	one, _ := Segment(pix, 200, 150, p)
	two, _ := Segment(pix, 200, 150, p)
	if !slices.Equal(one, two) {
		t.Error("two runs give two maps")
	}
}

// Reference values of CIELAB (D65) for sRGB primaries, in steps of 1/labScale.
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
		got := toLab(c.rgb[:])
		for i, v := range []int16{got.l[0], got.a[0], got.b[0]} {
			if d := float64(v)/labScale - c.want[i]; d > 0.3 || d < -0.3 {
				t.Errorf("%v: component %d is %.2f, want %.2f", c.rgb, i, float64(v)/labScale, c.want[i])
			}
		}
	}
}

func encoded(t *testing.T, w, h int, gray bool) schemas.ImageRef {
	t.Helper()
	pix := picture(3, w, h)
	var img image.Image
	if gray {
		g := image.NewGray(image.Rect(0, 0, w, h))
		for i := range g.Pix {
			g.Pix[i] = pix[3*i]
		}
		img = g
	} else {
		c := image.NewNRGBA(image.Rect(0, 0, w, h))
		for i := range w * h {
			c.SetNRGBA(i%w, i/w, color.NRGBA{pix[3*i], pix[3*i+1], pix[3*i+2], 255})
		}
		img = c
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return schemas.ImageRef{SHA256: sha256.Sum256(b.Bytes()), Size: int64(b.Len()), MediaType: "image/png", W: w, H: h, Inline: b.Bytes()}
}

func newStep(t *testing.T, cfg Config) *Superpixel {
	t.Helper()
	cache := pixels.NewCache(1<<26, func(_ context.Context, key string) ([]byte, error) {
		return nil, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	})
	s, err := New(cfg, cache, "test")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestProcess(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Regions, cfg.MaxPixels = 100, 1<<16
	s := newStep(t, cfg)
	for name, c := range map[string]struct {
		w, h    int
		gray    bool
		regions bool
	}{
		"color":                                 {160, 120, false, true},
		"gray":                                  {160, 120, true, true},
		"tiny":                                  {20, 20, false, false},
		"larger than is segmented at full size": {401, 307, false, true},
	} {
		in := schemas.Sample{ID: schemas.SampleID{1}, Image: encoded(t, c.w, c.h, c.gray), Stamps: make([]schemas.Stamp, 1, 4)}
		out, err := s.Process(t.Context(), in)
		if err != nil || len(out) != 1 {
			t.Fatalf("%s: %d samples, %v", name, len(out), err)
		}
		got := out[0]
		if got.Stage != schemas.StageSegmented || len(got.Stamps) != 2 || got.Stamps[1].Step != "superpixel" {
			t.Errorf("%s: stage %d, stamps %v", name, got.Stage, got.Stamps)
		}
		if !c.regions {
			if got.Superpixels.Count != 0 || got.Superpixels.Data != nil {
				t.Errorf("%s: has %d regions", name, got.Superpixels.Count)
			}
			continue
		}
		m, err := labelmap.Decode(got.Superpixels.Data)
		if err != nil || m.W != c.w || m.H != c.h || got.Superpixels.Encoding != labelmap.Encoding {
			t.Fatalf("%s: map %+v in %q: %v", name, m, got.Superpixels.Encoding, err)
		}
		check(t, m.Labels, got.Superpixels.Count, m.W, m.H)
	}
}

func TestProcessSaysWhatFailed(t *testing.T) {
	ref := encoded(t, 100, 100, false)
	ref.Inline = nil
	_, err := newStep(t, DefaultConfig()).Process(t.Context(), schemas.Sample{Image: ref})
	if err == nil {
		t.Fatal("no error for an image that is nowhere")
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no regions":       func(c *Config) { c.Regions = 0 },
		"too many regions": func(c *Config) { c.Regions = 100000 },
		"no compactness":   func(c *Config) { c.Compactness = 0 },
		"no iterations":    func(c *Config) { c.Iterations = 0 },
		"negative minimum": func(c *Config) { c.MinPixels = -1 },
		"small maximum":    func(c *Config) { c.MaxPixels = 100 },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func BenchmarkSegment(b *testing.B) {
	pix := picture(1, 640, 480)
	for b.Loop() {
		Segment(pix, 640, 480, Params{Regions: 400, Compactness: 10, Iterations: 10})
	}
}
