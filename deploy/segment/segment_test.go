package segment

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/deploy/scenes"
	"gleaner/stages/pixels"
	"gleaner/stages/superpixel"
)

func options(out string) Options {
	return Options{
		Params: superpixel.Params{Regions: 160, Quality: superpixel.Fast, Levels: 1, Threads: 1},
		Out:    out, Jobs: 2, Limits: pixels.DefaultLimits(),
	}
}

// photos draws some scenes and returns their folder.
func photos(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	c := scenes.DefaultConfig()
	c.W, c.H, c.Count = 160, 120, 3
	if err := scenes.Write(t.Context(), c, dir, func(int) {}); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "images")
}

func runAll(t *testing.T, paths []string, o Options) map[string]Result {
	t.Helper()
	jobs, err := Plan(paths, o)
	if err != nil {
		t.Fatal(err)
	}
	results := map[string]Result{}
	if err := Run(t.Context(), jobs, o, func(r Result) { results[filepath.Base(r.Image)] = r }); err != nil {
		t.Fatal(err)
	}
	return results
}

func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func readMap(t *testing.T, path string) (labels []uint16, w, h int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	m, ok := img.(*image.Gray16)
	if !ok {
		t.Fatalf("%s is a %T, want 16-bit gray", path, img)
	}
	b := m.Bounds()
	for y := range b.Dy() {
		for x := range b.Dx() {
			labels = append(labels, m.Gray16At(x, y).Y)
		}
	}
	return labels, b.Dx(), b.Dy()
}

func regions(labels []uint16) int {
	seen := map[uint16]bool{}
	for _, l := range labels {
		seen[l] = true
	}
	return len(seen)
}

func TestOneLevel(t *testing.T) {
	in, o := photos(t), options(filepath.Join(t.TempDir(), "new", "out"))
	results := runAll(t, []string{in}, o)
	if want := []string{"scene_000000.png", "scene_000001.png", "scene_000002.png"}; !cmp.Equal(listing(t, o.Out), want) {
		t.Fatalf("files %v, want %v", listing(t, o.Out), want)
	}
	for name, r := range results {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		labels, w, h := readMap(t, filepath.Join(o.Out, strings.TrimSuffix(name, filepath.Ext(name))+".png"))
		if w != 160 || h != 120 || len(r.Regions) != 1 || regions(labels) != r.Regions[0] || r.Regions[0] < 2 {
			t.Errorf("%s: %dx%d with %d regions, said to be %v", name, w, h, regions(labels), r.Regions)
		}
	}
}

// TestNothingStaleIsLeft: a run with fewer levels and no overlays leaves none of those before, and keeps what comes of other images.
func TestNothingStaleIsLeft(t *testing.T) {
	in, o := photos(t), options(t.TempDir())
	data, err := os.ReadFile(filepath.Join(in, "scene_000000.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(in, "scene_000001.L9.jpg"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	o.Params.Levels, o.Overlay = 3, true
	runAll(t, []string{in}, o)
	o.Params.Levels, o.Overlay = 1, false
	runAll(t, []string{in}, o)
	if want := []string{"scene_000000.png", "scene_000001.L9.png", "scene_000001.png", "scene_000002.png"}; !cmp.Equal(listing(t, o.Out), want) {
		t.Errorf("files %v, want %v", listing(t, o.Out), want)
	}
}

// TestLevelsAreNested checks that each region lies within one region of every coarser level, and that levels are coarser by
// about four.
func TestLevelsAreNested(t *testing.T) {
	in, o := photos(t), options(t.TempDir())
	o.Params.Levels, o.Overlay = 3, true
	results := runAll(t, []string{in}, o)
	for name := range results {
		stem := filepath.Join(o.Out, strings.TrimSuffix(name, filepath.Ext(name)))
		finest, _, _ := readMap(t, stem+".png")
		below, _, _ := readMap(t, stem+".L1.png")
		if !slices.Equal(finest, below) {
			t.Errorf("%s: L1 is not the finest level", name)
		}
		for _, level := range []string{".L2.png", ".L3.png"} {
			above, _, _ := readMap(t, stem+level)
			parent := map[uint16]uint16{}
			for i, r := range below {
				if p, ok := parent[r]; ok && p != above[i] {
					t.Fatalf("%s%s: region %d of the level below lies in %d and %d", name, level, r, p, above[i])
				}
				parent[r] = above[i]
			}
			if ratio := float64(regions(below)) / float64(regions(above)); ratio < 3 || ratio > 5 {
				t.Errorf("%s%s: the level below has %.2f times the regions, want about 4", name, level, ratio)
			}
			below = above
		}
		for _, overlay := range []string{".L1.overlay.jpg", ".L2.overlay.jpg", ".L3.overlay.jpg"} {
			data, err := os.ReadFile(stem + overlay)
			if err != nil {
				t.Fatal(err)
			}
			if c, err := jpeg.DecodeConfig(bytes.NewReader(data)); err != nil || c.Width != 160 || c.Height != 120 {
				t.Errorf("%s%s: %+v, %v", name, overlay, c, err)
			}
		}
	}
}

func TestBadFilesDoNotStopTheOthers(t *testing.T) {
	in, o := t.TempDir(), options(t.TempDir())
	put := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(in, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	encode := func(m image.Image) []byte {
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	gray := image.NewGray(image.Rect(0, 0, 40, 30))
	deep := image.NewRGBA64(image.Rect(0, 0, 40, 30))
	for i := range 40 * 30 {
		gray.SetGray(i%40, i/40, color.Gray{uint8(i * 7)})
		deep.SetRGBA64(i%40, i/40, color.RGBA64{uint16(i * 50), uint16(i * 7), uint16(i), 65535})
	}
	put("gray.png", encode(gray))
	put("deep.png", encode(deep))
	put("dot.png", encode(image.NewGray(image.Rect(0, 0, 1, 1))))
	put("line.png", encode(image.NewGray(image.Rect(0, 0, 300, 1))))
	put("empty.jpg", nil)
	put("text.jpg", []byte("no image"))
	put("cut.png", encode(gray)[:60])
	put("large.png", encode(image.NewGray(image.Rect(0, 0, 400, 400))))
	o.Limits.MaxPixels = 300 * 300
	o.Params.Levels = 2
	results := runAll(t, []string{in}, o)
	for name, want := range map[string]string{
		"gray.png": "", "deep.png": "", "dot.png": "", "line.png": "",
		"empty.jpg": "empty", "text.jpg": "text/plain", "cut.png": "cut.png", "large.png": "large.png",
	} {
		r, ok := results[name]
		switch {
		case !ok:
			t.Errorf("%s: no result", name)
		case want == "" && r.Err != nil:
			t.Errorf("%s: %v", name, r.Err)
		case want != "" && (r.Err == nil || !strings.Contains(r.Err.Error(), want) || !strings.Contains(r.Err.Error(), name)):
			t.Errorf("%s: error %v, want one with the name and %q", name, r.Err, want)
		}
	}
	if got := len(listing(t, o.Out)); got != 4*3 {
		t.Errorf("%d files, want three for each of the four images", got)
	}
	for _, name := range listing(t, o.Out) {
		if strings.HasSuffix(name, ".tmp") {
			t.Errorf("%s is left", name)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for _, path := range []string{filepath.Join(a, "x.jpg"), filepath.Join(b, "x.png"), filepath.Join(b, "x.L2.png"), filepath.Join(b, "y.png")} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	levels := options(t.TempDir())
	levels.Params.Levels = 2
	for _, c := range []struct {
		name  string
		paths []string
		o     Options
		want  string
	}{
		{"same stem", []string{a, b}, options(t.TempDir()), "would both be written to"},
		{"a level's name is another's stem", []string{b}, levels, "would both be written to"},
		{"into the folder it comes from", []string{filepath.Join(b, "y.png")}, options(b), "would be overwritten"},
		{"among the images of a folder", []string{a}, options(a), "is the folder of the images"},
		{"absent", []string{filepath.Join(a, "none.jpg")}, options(t.TempDir()), "none.jpg"},
	} {
		if _, err := Plan(c.paths, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	// An image that is a link to what another image's label map would replace.
	old, link := t.TempDir(), filepath.Join(t.TempDir(), "z.jpg")
	target := filepath.Join(old, "x.png")
	if err := errors.Join(os.WriteFile(target, nil, 0o644), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	want := link + " would be overwritten"
	if _, err := Plan([]string{filepath.Join(a, "x.jpg"), link}, options(old)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want that %s", err, want)
	}
	jobs, err := Plan([]string{b, filepath.Join(b, "y.png")}, options(t.TempDir()))
	if err != nil || len(jobs) != 3 {
		t.Errorf("%d jobs, %v, want the three images of the folder, once each", len(jobs), err)
	}
	nested := filepath.Join(a, "c", "x.jpg")
	if err := errors.Join(os.Mkdir(filepath.Dir(nested), 0o755), os.WriteFile(nested, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	o := options(filepath.Join(a, "maps"))
	if err := errors.Join(os.Mkdir(o.Out, 0o755), os.WriteFile(filepath.Join(o.Out, "x.png"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if jobs, err = Plan([]string{a}, o); err != nil || len(jobs) != 2 || jobs[0].maps[0][0] != filepath.Join(o.Out, "c", "x.png") {
		t.Errorf("%+v, %v, want x.png and c/x.png", jobs, err)
	}
	if jobs, err := Plan([]string{filepath.Join(a, "x.jpg")}, options(a)); err != nil || len(jobs) != 1 {
		t.Errorf("x.png beside x.jpg: %v", err)
	}
}

func TestRunStops(t *testing.T) {
	in, o := photos(t), options(t.TempDir())
	o.Jobs = 1
	jobs, err := Plan([]string{in}, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err = Run(ctx, jobs, o, func(Result) { n++; cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that the context ended", err)
	}
	if got := listing(t, o.Out); n == 0 || len(got) != n {
		t.Errorf("%d of %d images done, files %v", n, len(jobs), got)
	}
	for _, name := range listing(t, o.Out) {
		readMap(t, filepath.Join(o.Out, name)) // whole
	}
	if err := Run(ctx, jobs, o, func(r Result) { t.Errorf("%s was begun after the end", r.Image) }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that the context ended", err)
	}
}

func TestUnwritableFolder(t *testing.T) {
	in := photos(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	o := options(file)
	jobs, err := Plan([]string{in}, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), jobs, o, func(Result) {}); err == nil {
		t.Error("a file took the place of the folder, and no error says so")
	}
}
