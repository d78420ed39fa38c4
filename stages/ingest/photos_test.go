package ingest_test

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/stages/ingest"
	"gleaner/stages/pixels"
)

// collections are the folders of real photos.
func collections(tb testing.TB) map[string][]string {
	tb.Helper()
	all := map[string][]string{}
	for name, globs := range map[string][]string{
		"coco128": {"images/*"}, "bccd": {"images/*"}, "raccoon": {"images/*"}, "bsds500": {"train/images/*", "val/images/*"},
	} {
		dir := realdata.Need(tb, name)
		for _, g := range globs {
			files, err := filepath.Glob(filepath.Join(dir, g))
			if err != nil || len(files) == 0 {
				tb.Fatalf("%s: %d files, %v", name, len(files), err)
			}
			for _, f := range files {
				if ext := strings.ToLower(filepath.Ext(f)); ext == ".jpg" || ext == ".png" {
					all[name] = append(all[name], f)
				}
			}
		}
	}
	return all
}

// TestPhotosComeIn runs all real photos through the step: none is a bad sample by the defaults, and the few rejects are
// photos that a collection holds twice, byte for byte.
func TestPhotosComeIn(t *testing.T) {
	for name, files := range collections(t) {
		w := newWorld()
		s := step(t, w, nil)
		reasons, grouped := map[string]int{}, 0
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := handle(t, s, w, raw(data, "dataset", name, "unique-id", filepath.Base(file)))
			switch {
			case got.reason == "" && got.sample.Group != got.sample.ID:
				grouped++
			case got.reason != "":
				reasons[got.reason]++
				if got.reason != ingest.Duplicate {
					t.Errorf("%s: %s, %.4g against %.4g (%s)", file, got.reason, got.reject.Measure, got.reject.Threshold, got.reject.Detail)
				}
			}
		}
		if reasons[ingest.Duplicate] > len(files)/20 {
			t.Errorf("%s: %d duplicates of %d", name, reasons[ingest.Duplicate], len(files))
		}
		t.Logf("%-8s %3d photos, rejected: %v, grouped with a near twin: %d", name, len(files), reasons, grouped)
	}
}

// TestSpoiledPhotosStayOut spoils real photos: a Gaussian blur of 5 pixels at the measured scale, all but black, all but white.
func TestSpoiledPhotosStayOut(t *testing.T) {
	type job struct{ collection, file string }
	var jobs []job
	for name, files := range collections(t) {
		for i := 0; i < len(files); i += 12 {
			jobs = append(jobs, job{name, files[i]})
		}
	}
	slices.SortFunc(jobs, func(a, b job) int { return strings.Compare(a.file, b.file) })
	spoil := []struct {
		name, reason string
		change       func(*pixels.Image) *pixels.Image
	}{
		{"blurred", ingest.Blurred, func(m *pixels.Image) *pixels.Image { return gaussian(m, 5*max(1, float64(max(m.W, m.H))/512)) }},
		{"dark", ingest.UnderExposed, func(m *pixels.Image) *pixels.Image { return scale(m, 0.06, 0) }},
		{"bright", ingest.OverExposed, func(m *pixels.Image) *pixels.Image { return scale(m, 0.5, 250) }},
		{"flat", ingest.NearUniform, func(m *pixels.Image) *pixels.Image { return scale(m, 0.03, 100) }},
	}
	var mu sync.Mutex
	counts := map[string]int{}
	work := make(chan job)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for j := range work {
				data, err := os.ReadFile(j.file)
				if err != nil {
					t.Error(err)
					continue
				}
				img, _, err := pixels.Decode(data, pixels.DefaultLimits())
				if err != nil {
					t.Error(err)
					continue
				}
				for _, k := range spoil {
					w := newWorld()
					got := handle(t, step(t, w, nil), w, raw(encodePNG(t, picture{k.change(img)}), "dataset", "d"))
					mu.Lock()
					counts[fmt.Sprintf("%s %s: %q", j.collection, k.name, got.reason)]++
					mu.Unlock()
					if got.reason != k.reason {
						t.Errorf("%s, %s: reason %q, %.4g against %.4g; want %q", j.file, k.name, got.reason, got.reject.Measure, got.reject.Threshold, k.reason)
					}
				}
			}
		})
	}
	for _, j := range jobs {
		work <- j
	}
	close(work)
	wg.Wait()
	t.Logf("of %d photos: %v", len(jobs), counts)
}

func scale(m *pixels.Image, by, plus float64) *pixels.Image {
	out := &pixels.Image{W: m.W, H: m.H, Pix: make([]uint8, len(m.Pix))}
	for i, v := range m.Pix {
		out.Pix[i] = uint8(max(0, min(255, by*float64(v)+plus)))
	}
	return out
}

func gaussian(m *pixels.Image, sigma float64) *pixels.Image {
	radius := int(3 * sigma)
	weights, total := make([]float64, 2*radius+1), 0.0
	for i := range weights {
		d := float64(i - radius)
		weights[i] = math.Exp(-d * d / (2 * sigma * sigma))
		total += weights[i]
	}
	pass := func(src []float64, n, stride, count, across int) []float64 {
		dst := make([]float64, len(src))
		for c := range count {
			for i := range n {
				for ch := range 3 {
					var sum float64
					for k, weight := range weights {
						sum += weight * src[c*across+min(max(i+k-radius, 0), n-1)*stride+ch]
					}
					dst[c*across+i*stride+ch] = sum / total
				}
			}
		}
		return dst
	}
	p := make([]float64, len(m.Pix))
	for i, v := range m.Pix {
		p[i] = float64(v)
	}
	p = pass(pass(p, m.W, 3, m.H, 3*m.W), m.H, 3*m.W, m.W, 3)
	out := &pixels.Image{W: m.W, H: m.H, Pix: make([]uint8, len(p))}
	for i, v := range p {
		out.Pix[i] = uint8(v + 0.5)
	}
	return out
}

// picture shows pixels to the encoders.
type picture struct{ *pixels.Image }

func (p picture) ColorModel() color.Model { return color.RGBAModel }
func (p picture) Bounds() image.Rectangle { return image.Rect(0, 0, p.W, p.H) }
func (p picture) At(x, y int) color.Color {
	c := p.Pix[3*(y*p.W+x):]
	return color.RGBA{c[0], c[1], c[2], 255}
}

// BenchmarkIngest takes the photos of coco128 through the step, stores in memory, against decoding alone.
func BenchmarkIngest(b *testing.B) {
	var files [][]byte
	var size int64
	for _, f := range collections(b)["coco128"] {
		data, err := os.ReadFile(f)
		if err != nil {
			b.Fatal(err)
		}
		files, size = append(files, data), size+int64(len(data))
	}
	run := func(name string, each func(i int, data []byte)) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				for i, data := range files {
					each(i, data)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N*len(files)), "ms/photo")
		})
	}
	run("decode-only", func(_ int, data []byte) {
		if _, _, err := pixels.Decode(data, pixels.DefaultLimits()); err != nil {
			b.Fatal(err)
		}
	})
	w := newWorld()
	s := step(b, w, nil)
	run("ingest", func(i int, data []byte) {
		if emits, err := s.Handle(b.Context(), raw(data, "dataset", "d", "unique-id", fmt.Sprint(i))); err != nil || emits[0].Topic != schemas.Samples {
			b.Fatal(emits, err)
		}
		w.hashes = w.hashes[:0] // the exhaustive search of the test's store is no part of the step
	})
}
