package labelmap

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write the golden file of the current version")

func draw(w, h int, id func(x, y int) int) *Map {
	m := &Map{W: w, H: h, Labels: make([]uint16, w*h)}
	for i := range m.Labels {
		m.Labels[i] = uint16(id(i%w, i/w))
	}
	return m
}

// mosaic is a map of about n regions with rough contours, as of superpixels, and coarser levels of a fifth of the regions each.
func mosaic(w, h, n, levels int) *Map {
	rng := rand.New(rand.NewPCG(uint64(w), uint64(n)))
	type site struct{ x, y int }
	sites := make([]site, n)
	for i := range sites {
		sites[i] = site{rng.IntN(w), rng.IntN(h)}
	}
	nearest := func(sites []site, x, y, noise int) int {
		best, at := 1<<30, 0
		for i, s := range sites {
			d := (s.x-x)*(s.x-x) + (s.y-y)*(s.y-y)
			if noise > 0 {
				d += rng.IntN(noise)
			}
			if d < best {
				best, at = d, i
			}
		}
		return at
	}
	m := draw(w, h, func(x, y int) int { return nearest(sites, x, y, 12) })
	of := renumber(m.Labels) // of each region, its site
	for range levels {
		coarse := make([]site, max(1, len(of)/5))
		for i := range coarse {
			coarse[i] = sites[rng.IntN(len(sites))]
		}
		parents := make([]uint16, len(of))
		for r, s := range of {
			parents[r] = uint16(nearest(coarse, sites[s].x, sites[s].y, 0))
		}
		of = renumber(parents)
		sites = coarse
		m.Levels = append(m.Levels, parents)
	}
	return m
}

// renumber makes ids those of first appearance, in place, and returns what they were.
func renumber(ids []uint16) (were []uint16) {
	for i, id := range ids {
		at := slices.Index(were, id)
		if at < 0 {
			at = len(were)
			were = append(were, id)
		}
		ids[i] = uint16(at)
	}
	return were
}

// maps are label maps of all shapes: what a codec of connected regions meets, and what it does not expect.
func maps() map[string]*Map {
	rng := rand.New(rand.NewPCG(1, 2))
	return map[string]*Map{
		"one pixel":          draw(1, 1, func(_, _ int) int { return 0 }),
		"one pixel, last id": draw(1, 1, func(_, _ int) int { return 65535 }),
		"row":                draw(97, 1, func(x, _ int) int { return x / 5 }),
		"column":             draw(1, 97, func(_, y int) int { return y / 5 }),
		"two wide":           draw(2, 33, func(x, y int) int { return x + y%3 }),
		"uniform":            draw(640, 480, func(_, _ int) int { return 7 }),
		"checkerboard":       draw(31, 17, func(x, y int) int { return (x + y) % 2 }),
		"stripes":            draw(64, 64, func(x, _ int) int { return x % 2 * 65535 }),
		"grid":               draw(320, 240, func(x, y int) int { return y/12*27 + x/12 }),
		"reversed grid":      draw(320, 240, func(x, y int) int { return 65535 - (y/12*27 + x/12) }),
		"noise":              draw(61, 53, func(_, _ int) int { return rng.IntN(65536) }),
		"noise of four":      draw(61, 53, func(_, _ int) int { return rng.IntN(4) }),
		"every id":           draw(256, 257, func(x, y int) int { return (y*256 + x) % 65536 }),
		"every id once":      draw(256, 256, func(x, y int) int { return y*256 + x }),
		"comb":               draw(40, 40, func(x, y int) int { return min(1, x%2*(39-y)) }),
		"spiral":             draw(41, 41, func(x, y int) int { return max(x-20, 20-x, y-20, 20-y) % 2 * min(1, max(0, x+y-38)) }),
		"islands":            draw(60, 60, func(x, y int) int { return min(1, x%6*(y%5)) }),
		"diagonals":          draw(70, 50, func(x, y int) int { return (x + 3*y) / 40 }),
		"mosaic":             mosaic(60, 45, 40, 0),
		"levels":             mosaic(64, 48, 60, 3),
		"levels of a pixel":  {W: 1, H: 1, Labels: []uint16{0}, Levels: [][]uint16{{0}, {0}}},
		"levels of a row":    {W: 4, H: 1, Labels: []uint16{0, 1, 2, 3}, Levels: [][]uint16{{0, 1, 1, 0}}},
		"levels of a column": {W: 1, H: 5, Labels: []uint16{0, 1, 0, 2, 2}, Levels: [][]uint16{{0, 1, 2}, {0, 0, 1}}},
		"levels far apart":   three(),
	}
}

// three is a map of six regions, three and two, of which some hang together nowhere.
func three() *Map {
	return &Map{W: 4, H: 2, Labels: []uint16{
		0, 1, 1, 2,
		3, 3, 4, 5,
	}, Levels: [][]uint16{{0, 1, 2, 0, 1, 2}, {0, 1, 1}}}
}

func encode(t testing.TB, m *Map) []byte {
	t.Helper()
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func equal(a, b *Map) bool {
	return a.W == b.W && a.H == b.H && slices.Equal(a.Labels, b.Labels) && slices.EqualFunc(a.Levels, b.Levels, slices.Equal)
}

func TestRoundTrip(t *testing.T) {
	for name, m := range maps() {
		got, err := Decode(encode(t, m))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !equal(got, m) {
			t.Errorf("%s: came back as another map of %dx%d", name, got.W, got.H)
		}
	}
}

func TestRegionsAreSmall(t *testing.T) {
	if n := len(encode(t, maps()["grid"])); n > 100 {
		t.Errorf("a regular grid of 540 regions takes %d bytes", n)
	}
	m := mosaic(100, 80, 150, 3)
	all := len(encode(t, m))
	m.Levels = nil
	if n := all - len(encode(t, m)); n > 100 {
		t.Errorf("three levels above 150 regions take %d bytes", n)
	}
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
}

// golden is a map in testdata, which the decoders in other languages read too.
type golden struct {
	Name   string     `json:"name"`
	Bytes  string     `json:"bytes"` // hex
	W      int        `json:"w"`
	H      int        `json:"h"`
	Labels []uint16   `json:"labels"`
	Levels [][]uint16 `json:"levels"`
}

// A map that was written once must be readable for as long as its topic exists.
func TestGolden(t *testing.T) {
	const path = "testdata/labelmap2.json"
	if *update {
		all := maps()
		all["levels"] = mosaic(48, 32, 60, 2)
		all["mosaic"] = mosaic(37, 29, 25, 0)
		var list []golden
		for _, name := range []string{
			"one pixel", "one pixel, last id", "row", "column", "two wide", "checkerboard", "stripes", "comb", "islands", "diagonals",
			"mosaic", "levels", "levels of a pixel", "levels of a row", "levels of a column", "levels far apart",
		} {
			m := all[name]
			list = append(list, golden{name, hex.EncodeToString(encode(t, m)), m.W, m.H, m.Labels, append([][]uint16{}, m.Levels...)})
		}
		var b bytes.Buffer
		b.WriteString("[\n")
		for i, g := range list {
			line, err := json.Marshal(g)
			if err != nil {
				t.Fatal(err)
			}
			if i > 0 {
				b.WriteString(",\n")
			}
			b.Write(line)
		}
		b.WriteString("\n]\n")
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: write it with go test ./schemas/labelmap -run TestGolden -update", err)
	}
	var list []golden
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	for _, g := range list {
		m := &Map{W: g.W, H: g.H, Labels: g.Labels, Levels: g.Levels}
		if got := hex.EncodeToString(encode(t, m)); got != g.Bytes {
			t.Errorf("%s: encoded as %s, want %s", g.Name, got, g.Bytes)
		}
		raw, err := hex.DecodeString(g.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decode(raw); err != nil || !equal(got, m) {
			t.Errorf("%s: read as %+v, %v", g.Name, got, err)
		}
	}
}

func TestGoldenOfVersion1(t *testing.T) {
	for code, want := range map[string]*Map{
		"474c4d01060401001874eb9242fe0800": {W: 6, H: 4, Labels: []uint16{
			0, 0, 0, 1, 1, 1,
			0, 0, 2, 2, 1, 1,
			3, 2, 2, 2, 2, 1,
			3, 3, 2, 0, 0, 0,
		}},
	} {
		raw, err := hex.DecodeString(code)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decode(raw); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("read as %+v, %v", got, err)
		}
		for n := range raw[:len(raw)-4] {
			if _, err := Decode(raw[:n]); err == nil {
				t.Errorf("no error from the first %d of %d bytes", n, len(raw))
			}
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, m := range map[string]*Map{
		"empty":                     {},
		"negative":                  {W: -1, H: -1, Labels: make([]uint16, 1)},
		"short":                     {W: 3, H: 3, Labels: make([]uint16, 8)},
		"huge":                      {W: 1 << 20, H: 1 << 20, Labels: make([]uint16, 1)},
		"too few parents":           {W: 2, H: 1, Labels: []uint16{0, 1}, Levels: [][]uint16{{0}}},
		"too many parents":          {W: 2, H: 1, Labels: []uint16{0, 1}, Levels: [][]uint16{{0, 0, 0}}},
		"levels above other ids":    {W: 2, H: 1, Labels: []uint16{1, 0}, Levels: [][]uint16{{0, 0}}},
		"levels out of order":       {W: 2, H: 1, Labels: []uint16{0, 1}, Levels: [][]uint16{{1, 0}}},
		"too few parents on top":    {W: 2, H: 1, Labels: []uint16{0, 1}, Levels: [][]uint16{{0, 1}, {0}}},
		"more levels than there be": {W: 1, H: 1, Labels: []uint16{0}, Levels: slices.Repeat([][]uint16{{0}}, MaxLevels+1)},
	} {
		if _, err := m.Encode(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDecodeRefusesEveryPrefix(t *testing.T) {
	for _, name := range []string{"mosaic", "levels"} {
		b := encode(t, maps()[name])
		for n := range b {
			if _, err := Decode(b[:n]); err == nil {
				t.Fatalf("%s: no error from the first %d of %d bytes", name, n, len(b))
			}
		}
	}
}

// TestDecodeAllocatesForWhatIsThere decodes a few bytes that claim millions of pixels, of which the zeros that are read past the
// end would make regions of one pixel each.
func TestDecodeAllocatesForWhatIsThere(t *testing.T) {
	const most = 4 << 20
	for _, b := range [][]byte{
		{'G', 'L', 'M', 2, 0x80, 0x80, 0x80, 2, 1, 0},
		{'G', 'L', 'M', 2, 0x80, 0x80, 0x80, 1, 2, 0, 0},
		{'G', 'L', 'M', 2, 1, 0x80, 0x80, 0x80, 2, 0},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(b)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; err == nil || n > most {
			t.Errorf("% x: %v after %d bytes of memory, want an error after at most %d", b, err, n, most)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range maps() {
		if b := encode(f, m); len(b) < 4096 {
			f.Add(b)
		}
	}
	v1, _ := hex.DecodeString("474c4d01060401001874eb9242fe0800")
	f.Add(v1)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < len(magic) {
			return
		}
		if fields, _, err := header(b[len(magic):]); err != nil || fields[0]*fields[1] > 1<<16 {
			return // larger maps take long
		}
		m, err := Decode(b)
		if err != nil {
			return
		}
		if back, err := Decode(encode(t, m)); err != nil || !equal(back, m) {
			t.Fatalf("a decoded map of %dx%d does not survive: %v", m.W, m.H, err)
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add(uint8(7), uint8(3), []byte("a map of any bytes"))
	f.Fuzz(func(t *testing.T, w, colors uint8, b []byte) {
		if w == 0 || colors == 0 || len(b) < int(w) {
			return
		}
		h := len(b) / int(w)
		m := draw(int(w), h, func(x, y int) int { return int(b[y*int(w)+x] % colors) })
		if got, err := Decode(encode(t, m)); err != nil || !equal(got, m) {
			t.Fatalf("came back as another map: %v", err)
		}
		// The same partition with ids in order, and a level of halves.
		n := len(renumber(m.Labels))
		parents := make([]uint16, n)
		for r := range parents {
			parents[r] = uint16(b[r%len(b)]) % 8
		}
		renumber(parents)
		m.Levels = [][]uint16{parents}
		if got, err := Decode(encode(t, m)); err != nil || !equal(got, m) {
			t.Fatalf("came back with other levels: %v", err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	m := mosaic(320, 240, 200, 2)
	b.SetBytes(int64(len(m.Labels)))
	for b.Loop() {
		encode(b, m)
	}
}

func BenchmarkDecode(b *testing.B) {
	m := mosaic(320, 240, 200, 2)
	data := encode(b, m)
	b.SetBytes(int64(len(m.Labels)))
	for b.Loop() {
		if _, err := Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func TestRecent(t *testing.T) {
	r := NewRecent(2 * 64 * 48)
	var data [3][]byte
	var maps [3]*Map
	for i := range data {
		maps[i] = mosaic(64, 48, 20+i, 1)
		var err error
		if data[i], err = r.Encode(maps[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i, b := range data {
		m, err := r.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if kept := m == maps[i]; kept != (i > 0) {
			t.Errorf("map %d of three where two have room: kept %v", i, kept)
		}
		if !slices.Equal(m.Labels, maps[i].Labels) {
			t.Errorf("map %d comes back changed", i)
		}
	}
	if _, err := r.Encode(maps[1]); err != nil || r.pixels != 2*64*48 {
		t.Errorf("a map encoded twice: error %v, %d pixels are kept", err, r.pixels)
	}
	var none *Recent
	if data, err := none.Encode(maps[0]); err != nil {
		t.Error(err)
	} else if m, err := none.Decode(data); err != nil || !slices.Equal(m.Labels, maps[0].Labels) {
		t.Errorf("without a store: %v", err)
	}
}
