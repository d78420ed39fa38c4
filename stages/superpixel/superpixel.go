package superpixel

import (
	"context"
	"fmt"
	"time"

	"gleaner/schemas"
	"gleaner/schemas/labelmap"
	"gleaner/stages/pixels"
)

// Config sets how fine the regions are.
type Config struct {
	Regions     int     `yaml:"regions"`     // wanted in an image, 2 to 65534; the result differs by some percent
	Compactness float64 `yaml:"compactness"` // above 0: higher is rounder and less true to edges; 10 to 40 are usual
	Iterations  int     `yaml:"iterations"`  // of k-means, 1 to 100, each over a third of the rows
	MinPixels   int     `yaml:"min_pixels"`  // smaller images pass without regions
	MaxPixels   int     `yaml:"max_pixels"`  // larger images are segmented at a smaller size, to bound time and memory
}

// DefaultConfig gives regions of about 20 by 20 pixels in an image of 640 by 480.
func DefaultConfig() Config {
	return Config{Regions: 800, Compactness: 20, Iterations: 6, MinPixels: 32 * 32, MaxPixels: 4_000_000}
}

// Validate refuses values out of range.
func (c Config) Validate() error {
	switch {
	case c.Regions < 2 || c.Regions > MaxRegions:
		return fmt.Errorf("regions: %d: must lie between 2 and %d", c.Regions, MaxRegions)
	case !(c.Compactness > 0 && c.Compactness <= 1000):
		return fmt.Errorf("compactness: %g: must be above 0 and at most 1000", c.Compactness)
	case c.Iterations < 1 || c.Iterations > 100:
		return fmt.Errorf("iterations: %d: must lie between 1 and 100", c.Iterations)
	case c.MinPixels < 0:
		return fmt.Errorf("min_pixels: %d: must not be negative", c.MinPixels)
	case c.MaxPixels < 1<<16:
		return fmt.Errorf("max_pixels: %d: must be at least %d", c.MaxPixels, 1<<16)
	}
	return nil
}

// Superpixel is the step. It is safe for concurrent use.
type Superpixel struct {
	cfg       Config
	images    *pixels.Cache
	version   string
	segmenter Segmenter
}

// New makes the step; version is the binary's, for provenance.
func New(cfg Config, images *pixels.Cache, version string) (*Superpixel, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("superpixel: %w", err)
	}
	return &Superpixel{cfg: cfg, images: images, version: version}, nil
}

// Process adds the label map to a sample, for an image that is not too small to be divided. Errors come from fetching or
// decoding the image.
func (s *Superpixel) Process(ctx context.Context, in schemas.Sample) ([]schemas.Sample, error) {
	start := time.Now()
	in.Superpixels = schemas.Superpixels{}
	if n := in.Image.W * in.Image.H; n >= s.cfg.MinPixels && n <= labelmap.MaxPixels {
		img, err := s.images.Image(ctx, in.Image)
		if err != nil {
			return nil, fmt.Errorf("superpixel: sample %s: %w", in.ID, err)
		}
		m := s.segment(img)
		data, err := m.Encode()
		if err != nil {
			return nil, fmt.Errorf("superpixel: sample %s: %w", in.ID, err)
		}
		in.Superpixels = schemas.Superpixels{Count: m.Counts()[0], Encoding: labelmap.Encoding, Data: data}
	}
	in.Stage = schemas.StageSegmented
	in.Stamps = append(in.Stamps[:len(in.Stamps):len(in.Stamps)], schemas.Stamp{
		Step: "superpixel", Version: s.version, Model: "slic@1",
		At: time.Now().UTC().Truncate(time.Microsecond), Millis: float32(time.Since(start).Seconds() * 1000),
	})
	return []schemas.Sample{in}, nil
}

// segment divides an image, at full size or, above MaxPixels, at an even fraction of it whose labels are then spread.
func (s *Superpixel) segment(img *pixels.Image) *labelmap.Map {
	p := Params{Regions: s.cfg.Regions, Compactness: s.cfg.Compactness, Iterations: s.cfg.Iterations}
	f := 1
	for img.W/f*(img.H/f) > s.cfg.MaxPixels {
		f++
	}
	if f == 1 || img.W < f || img.H < f {
		return s.segmenter.Segment(img.Pix, img.W, img.H, p)
	}
	small := pixels.Area(img, img.W/f, img.H/f)
	m := s.segmenter.Segment(small.Pix, small.W, small.H, p)
	labels := make([]uint16, img.W*img.H)
	for y := range img.H {
		row := m.Labels[min(y/f, small.H-1)*small.W:]
		for x := range img.W {
			labels[y*img.W+x] = row[min(x/f, small.W-1)]
		}
	}
	return &labelmap.Map{W: img.W, H: img.H, Labels: labels, Levels: m.Levels}
}
