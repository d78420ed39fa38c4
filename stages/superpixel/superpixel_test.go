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
	"testing"

	"gleaner/schemas"
	"gleaner/schemas/labelmap"
	"gleaner/stages/pixels"
)

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
	s, err := New(cfg, cache, nil, "test")
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
		if got.Stage != schemas.StageSegmented || len(got.Stamps) != 2 || got.Stamps[1].Step != "superpixel" || got.Image.Inline != nil {
			t.Errorf("%s: stage %d, stamps %v, %d inline bytes", name, got.Stage, got.Stamps, len(got.Image.Inline))
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
		check(t, m)
		if n := m.Counts()[0]; n != got.Superpixels.Count {
			t.Errorf("%s: %d regions, said to be %d", name, n, got.Superpixels.Count)
		}
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
		"bad compactness":  func(c *Config) { c.Compactness = -1 },
		"unknown quality":  func(c *Config) { c.Quality = "finest" },
		"no levels":        func(c *Config) { c.Levels = 0 },
		"bad iterations":   func(c *Config) { c.Iterations = -1 },
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
