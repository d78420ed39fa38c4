package ingest_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
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
			for i := 0; i < len(files); i += photoStride {
				f := files[i]
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
		t.Run(name, func(t *testing.T) {
			t.Parallel()
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
				t.Errorf("%d duplicates of %d", reasons[ingest.Duplicate], len(files))
			}
			t.Logf("%d photos, rejected: %v, grouped with a near twin: %d", len(files), reasons, grouped)
		})
	}
}

// TestSpoiledPhotosStayOut spoils real photos: a Gaussian blur of 5 pixels at the measured scale, all but black, all but white.
func TestSpoiledPhotosStayOut(t *testing.T) {
	type job struct{ collection, file string }
	var jobs []job
	for name, files := range collections(t) {
		for i := 0; i < len(files); i += 40 {
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
					got := handle(t, step(t, w, nil), w, raw(encodeImage(t, k.change(img)), "dataset", "d"))
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

// gaussian blurs by three box averages, which come within a few percent of a Gaussian.
func gaussian(m *pixels.Image, sigma float64) *pixels.Image {
	radius := int(math.Round((math.Sqrt(4*sigma*sigma+1) - 1) / 2))
	out := &pixels.Image{W: m.W, H: m.H, Pix: bytes.Clone(m.Pix)}
	box := func(n, stride, count, across int) {
		line := make([]int, n)
		for c := range count {
			for ch := range 3 {
				at := c*across + ch
				sum := 0
				for i := range line {
					line[i] = int(out.Pix[at+i*stride])
				}
				for i := -radius; i <= radius; i++ {
					sum += line[min(max(i, 0), n-1)]
				}
				for i := range line {
					out.Pix[at+i*stride] = uint8((sum + radius) / (2*radius + 1))
					sum += line[min(i+radius+1, n-1)] - line[max(i-radius, 0)]
				}
			}
		}
	}
	for range 3 {
		box(m.W, 3, m.H, 3*m.W)
		box(m.H, 3*m.W, m.W, 3)
	}
	return out
}

func encodeImage(t testing.TB, m *pixels.Image) []byte {
	t.Helper()
	rgba := image.NewNRGBA(image.Rect(0, 0, m.W, m.H))
	for i := range m.W * m.H {
		copy(rgba.Pix[4*i:], m.Pix[3*i:3*i+3])
		rgba.Pix[4*i+3] = 255
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, rgba); err != nil {
		t.Error(err)
	}
	return b.Bytes()
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
