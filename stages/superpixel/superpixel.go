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
	Regions     int     `yaml:"regions"`     // wanted in an image at the finest level, 2 to 65534; fast comes within about a fifth
	Quality     Quality `yaml:"quality"`     // fast, or fine: truer to edges, at about 2.5 times the work
	Levels      int     `yaml:"levels"`      // of the hierarchy, 1 to MaxLevels: each has a quarter of the regions of the one before
	Compactness float64 `yaml:"compactness"` // higher is rounder and less true to edges; 5 to 20 are usual. 0: the quality's own
	Iterations  int     `yaml:"iterations"`  // of k-means, up to 100, each over a third of the rows. 0: the quality's own
	MinPixels   int     `yaml:"min_pixels"`  // smaller images pass without regions
	MaxPixels   int     `yaml:"max_pixels"`  // larger images are segmented at a smaller size, to bound time and memory
}

// DefaultConfig gives regions of about 20 by 20 pixels in an image of 640 by 480, and two coarser levels. They are rounder
// than Segment's own, for maps that are a tenth smaller.
func DefaultConfig() Config {
	return Config{Regions: 800, Quality: Fast, Levels: 3, Compactness: 20, MinPixels: 32 * 32, MaxPixels: 4_000_000}
}

// MaxLevels is the most levels of a hierarchy: MaxRegions, divided by four eight times, is one region.
const MaxLevels = 9

// Validate refuses values out of range.
func (c Config) Validate() error {
	switch {
	case c.Regions < 2 || c.Regions > MaxRegions:
		return fmt.Errorf("regions: %d: must lie between 2 and %d", c.Regions, MaxRegions)
	case c.Quality != Fast && c.Quality != Fine:
		return fmt.Errorf("quality: %q: must be %s or %s", c.Quality, Fast, Fine)
	case c.Levels < 1 || c.Levels > MaxLevels:
		return fmt.Errorf("levels: %d: must lie between 1 and %d", c.Levels, MaxLevels)
	case !(c.Compactness >= 0 && c.Compactness <= 1000):
		return fmt.Errorf("compactness: %g: must be 0 to 1000", c.Compactness)
	case c.Iterations < 0 || c.Iterations > 100:
		return fmt.Errorf("iterations: %d: must lie between 0 and 100", c.Iterations)
	case c.MinPixels < 0:
		return fmt.Errorf("min_pixels: %d: must not be negative", c.MinPixels)
	case c.MaxPixels < 1<<16:
		return fmt.Errorf("max_pixels: %d: must be at least %d", c.MaxPixels, 1<<16)
	}
	return nil
}

// Params are those of the segmentation.
func (c Config) Params() Params {
	return Params{Regions: c.Regions, Quality: c.Quality, Levels: c.Levels, Compactness: c.Compactness, Iterations: c.Iterations}
}

// Superpixel is the step. It is safe for concurrent use.
type Superpixel struct {
	cfg       Config
	images    *pixels.Cache
	maps      *labelmap.Recent
	version   string
	segmenter Segmenter
}

// New makes the step. It keeps its maps in maps, which may be nil; version is the binary's, for provenance.
func New(cfg Config, images *pixels.Cache, maps *labelmap.Recent, version string) (*Superpixel, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("superpixel: %w", err)
	}
	return &Superpixel{cfg: cfg, images: images, maps: maps, version: version}, nil
}

// Process adds the label map to a sample, for an image that is not too small to be divided, and leaves out its inline pixels.
// Errors come from fetching or decoding the image.
func (s *Superpixel) Process(ctx context.Context, in schemas.Sample) ([]schemas.Sample, error) {
	start := time.Now()
	in.Superpixels = schemas.Superpixels{}
	if n := in.Image.W * in.Image.H; n >= s.cfg.MinPixels && n <= labelmap.MaxPixels {
		img, err := s.images.Image(ctx, in.Image)
		if err != nil {
			return nil, fmt.Errorf("superpixel: sample %s: %w", in.ID, err)
		}
		m := s.segment(img)
		data, err := s.maps.Encode(m)
		if err != nil {
			return nil, fmt.Errorf("superpixel: sample %s: %w", in.ID, err)
		}
		in.Superpixels = schemas.Superpixels{Count: m.Counts()[0], Encoding: labelmap.Encoding, Data: data}
	}
	in.Image.Inline = nil // lint finds the pixels decoded, or in the blob store, and no step after it looks at them
	in.Stage = schemas.StageSegmented
	in.Stamps = append(in.Stamps[:len(in.Stamps):len(in.Stamps)], schemas.Stamp{
		Step: "superpixel", Version: s.version, Model: "slic-" + string(s.cfg.Quality) + "@3",
		At: time.Now().UTC().Truncate(time.Microsecond), Millis: float32(time.Since(start).Seconds() * 1000),
	})
	return []schemas.Sample{in}, nil
}

// segment divides an image, at full size or, above MaxPixels, at an even fraction of it whose labels are then spread.
func (s *Superpixel) segment(img *pixels.Image) *labelmap.Map {
	p := s.cfg.Params()
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
