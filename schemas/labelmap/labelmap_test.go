package labelmap

import (
	"encoding/hex"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// maps are label maps of all shapes: what a codec of connected regions meets, and what it does not expect.
func maps() map[string]struct {
	w, h   int
	labels []uint16
} {
	type m = struct {
		w, h   int
		labels []uint16
	}
	rng := rand.New(rand.NewPCG(1, 2))
	fill := func(w, h int, f func(x, y int) int) m {
		l := make([]uint16, w*h)
		for i := range l {
			l[i] = uint16(f(i%w, i/w))
		}
		return m{w, h, l}
	}
	return map[string]m{
		"one pixel":          fill(1, 1, func(_, _ int) int { return 0 }),
		"one pixel, last id": fill(1, 1, func(_, _ int) int { return 65535 }),
		"row":                fill(97, 1, func(x, _ int) int { return x / 5 }),
		"column":             fill(1, 97, func(_, y int) int { return y / 5 }),
		"two wide":           fill(2, 33, func(x, y int) int { return x + y%3 }),
		"uniform":            fill(640, 480, func(_, _ int) int { return 7 }),
		"checkerboard":       fill(31, 17, func(x, y int) int { return (x + y) % 2 }),
		"stripes":            fill(64, 64, func(x, _ int) int { return x % 2 * 65535 }),
		"grid":               fill(320, 240, func(x, y int) int { return y/12*27 + x/12 }),
		"reversed grid":      fill(320, 240, func(x, y int) int { return 65535 - (y/12*27 + x/12) }),
		"noise":              fill(61, 53, func(_, _ int) int { return rng.IntN(65536) }),
		"noise of four":      fill(61, 53, func(_, _ int) int { return rng.IntN(4) }),
		"every id":           fill(256, 257, func(x, y int) int { return (y*256 + x) % 65536 }),
		"comb":               fill(40, 40, func(x, y int) int { return min(1, x%2*(39-y)) }),
	}
}

func TestRoundTrip(t *testing.T) {
	for name, m := range maps() {
		b, err := (&Map{W: m.w, H: m.h, Labels: m.labels}).Encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.W != m.w || got.H != m.h || !slices.Equal(got.Labels, m.labels) {
			t.Errorf("%s: came back as another map of %dx%d", name, got.W, got.H)
		}
	}
}

func TestRegionsAreSmall(t *testing.T) {
	m := maps()["grid"]
	b, err := (&Map{W: m.w, H: m.h, Labels: m.labels}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 700 {
		t.Errorf("a regular grid of 540 regions takes %d bytes", len(b))
	}
}

// A map that was written once must be readable for as long as its topic exists.
func TestVersion1(t *testing.T) {
	raw, err := hex.DecodeString("474c4d01060401001874eb9242fe0800")
	if err != nil {
		t.Fatal(err)
	}
	want := &Map{W: 6, H: 4, Labels: []uint16{
		0, 0, 0, 1, 1, 1,
		0, 0, 2, 2, 1, 1,
		3, 2, 2, 2, 2, 1,
		3, 3, 2, 0, 0, 0,
	}}
	if got, err := Decode(raw); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("golden map is read as %v, %v", got, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, size := range map[string][3]int{"empty": {0, 0, 0}, "negative": {-1, -1, 1}, "short": {3, 3, 8}, "huge": {1 << 20, 1 << 20, 1}} {
		if _, err := (&Map{W: size[0], H: size[1], Labels: make([]uint16, size[2])}).Encode(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDecodeRefusesEveryPrefix(t *testing.T) {
	m := maps()["noise of four"]
	b, err := (&Map{W: m.w, H: m.h, Labels: m.labels}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(b) - 4 { // the last bytes of a range coder's flush may carry nothing
		if _, err := Decode(b[:n]); err == nil {
			t.Fatalf("no error from the first %d of %d bytes", n, len(b))
		}
	}
}

func TestBorders(t *testing.T) {
	got := Borders([]uint16{
		0, 0, 1,
		0, 2, 1,
	}, 3, 2)
	want := []bool{
		false, true, false,
		true, true, false,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range maps() {
		if b, err := (&Map{W: m.w, H: m.h, Labels: m.labels}).Encode(); err == nil && len(b) < 4096 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil || m.W*m.H > 1<<16 {
			return
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Decode(again); err != nil || !reflect.DeepEqual(back, m) {
			t.Fatalf("a decoded map of %dx%d does not survive: %v", m.W, m.H, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	m := maps()["grid"]
	data, err := (&Map{W: m.w, H: m.h, Labels: m.labels}).Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(m.labels)))
	for b.Loop() {
		if _, err := Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

// three is a map of six regions, three and two.
func three() *Map {
	return &Map{W: 4, H: 2, Labels: []uint16{
		0, 1, 1, 2,
		3, 3, 4, 5,
	}, Levels: [][]uint16{{0, 1, 2, 0, 1, 2}, {0, 1, 1}}}
}

func TestLevels(t *testing.T) {
	m := three()
	if got := m.Counts(); !slices.Equal(got, []int{6, 3, 2}) {
		t.Errorf("levels have %v regions", got)
	}
	for level, want := range [][]uint16{m.Labels, {0, 1, 1, 2, 0, 0, 1, 2}, {0, 1, 1, 1, 0, 0, 1, 1}} {
		if got := m.At(level); !slices.Equal(got, want) {
			t.Errorf("level %d is %v, want %v", level, got, want)
		}
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Decode(b); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("came back as %v, %v", got, err)
	}
}
