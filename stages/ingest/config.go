package ingest

import (
	"fmt"

	"gleaner/schemas"
	"gleaner/stages/pixels"
)

// Config sets what ingest lets in.
type Config struct {
	Limits     pixels.Limits        `yaml:"limits"`     // safety: no header takes an image over these back
	Inline     schemas.ByteSize     `yaml:"inline"`     // images up to this size travel in the messages too, which saves a bucket's readers a call; a folder's have none to save
	Thresholds Thresholds           `yaml:"thresholds"` // of every dataset
	Datasets   map[string]Overrides `yaml:"datasets"`   // what single datasets have differently
}

// Thresholds say which images are bad samples. Photometric figures are of the luma, area-averaged so that its longer side
// is at most 512 pixels (never enlarged).
type Thresholds struct {
	MinSide        int     `yaml:"min_side"`        // pixels of the shorter side; 0: any
	MinDeviation   float64 `yaml:"min_deviation"`   // standard deviation of luma, 0..127.5; 0: any
	MaxDark        float64 `yaml:"max_dark"`        // share of pixels of luma at most 16; 1: any
	MaxBright      float64 `yaml:"max_bright"`      // share of pixels of luma at least 250; 1: any
	MinSharpness   float64 `yaml:"min_sharpness"`   // variance of the Laplacian; 0: any
	RejectAnimated bool    `yaml:"reject_animated"` // else an animation's first frame is the image

	// GroupBits and RejectBits are distances between perceptual hashes, of 64 bits, up to 11; -1: never. Twins within
	// GroupBits share a group, which no split divides. Twins within RejectBits of an image that is in are kept out: off by
	// default, since frames of a fixed camera hash alike though the workers in them have moved, and grouping already keeps
	// them from leaking between splits.
	GroupBits  int `yaml:"group_bits"`
	RejectBits int `yaml:"reject_bits"`
}

// Overrides are the thresholds that a dataset sets for itself; the others are as for every dataset.
type Overrides struct {
	MinSide        *int     `yaml:"min_side"`
	MinDeviation   *float64 `yaml:"min_deviation"`
	MaxDark        *float64 `yaml:"max_dark"`
	MaxBright      *float64 `yaml:"max_bright"`
	MinSharpness   *float64 `yaml:"min_sharpness"`
	RejectAnimated *bool    `yaml:"reject_animated"`
	GroupBits      *int     `yaml:"group_bits"`
	RejectBits     *int     `yaml:"reject_bits"`
}

// DefaultConfig lets ordinary photos in: of 992 of streets, animals, landscapes and blood under a microscope none is kept
// out, the least sharp has 5.2, the flattest deviates by 11.8, the darkest is dark to 0.76, and the same photos blurred by
// a Gaussian of 5 pixels have at most 2.6.
func DefaultConfig() Config {
	return Config{
		Limits: pixels.DefaultLimits(),
		Inline: 256 << 10,
		Thresholds: Thresholds{
			MinSide: 32, MinDeviation: 4, MaxDark: 0.95, MaxBright: 0.95, MinSharpness: 3.5, GroupBits: 6, RejectBits: -1,
		},
	}
}

// maxTwinBits is how far the search for near duplicates reaches.
const maxTwinBits = 11

// Validate refuses thresholds out of range, of every dataset.
func (c Config) Validate() error {
	if err := c.Limits.Validate(); err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	if most := schemas.ByteSize(3 << 20); c.Inline < 0 || c.Inline > most {
		return fmt.Errorf("inline: %s: must be at most %s, since a sample's message may have 4 MiB", c.Inline, most)
	}
	if err := c.Thresholds.validate(); err != nil {
		return fmt.Errorf("thresholds: %w", err)
	}
	for name := range c.Datasets {
		if err := c.For(name).validate(); err != nil {
			return fmt.Errorf("datasets: %s: %w", name, err)
		}
	}
	return nil
}

func (t Thresholds) validate() error {
	share := func(v float64) bool { return v >= 0 && v <= 1 }
	bits := func(v int) bool { return v >= -1 && v <= maxTwinBits }
	switch {
	case t.MinSide < 0:
		return fmt.Errorf("min_side: %d: must not be negative", t.MinSide)
	case !(t.MinDeviation >= 0 && t.MinDeviation <= 127.5):
		return fmt.Errorf("min_deviation: %g: must lie between 0 and 127.5", t.MinDeviation)
	case !share(t.MaxDark):
		return fmt.Errorf("max_dark: %g: must lie between 0 and 1", t.MaxDark)
	case !share(t.MaxBright):
		return fmt.Errorf("max_bright: %g: must lie between 0 and 1", t.MaxBright)
	case !(t.MinSharpness >= 0):
		return fmt.Errorf("min_sharpness: %g: must not be negative", t.MinSharpness)
	case !bits(t.GroupBits):
		return fmt.Errorf("group_bits: %d: must lie between -1 and %d", t.GroupBits, maxTwinBits)
	case !bits(t.RejectBits):
		return fmt.Errorf("reject_bits: %d: must lie between -1 and %d", t.RejectBits, maxTwinBits)
	}
	return nil
}

// For returns the thresholds of a dataset.
func (c Config) For(dataset string) Thresholds {
	t, o := c.Thresholds, c.Datasets[dataset]
	override(&t.MinSide, o.MinSide)
	override(&t.MinDeviation, o.MinDeviation)
	override(&t.MaxDark, o.MaxDark)
	override(&t.MaxBright, o.MaxBright)
	override(&t.MinSharpness, o.MinSharpness)
	override(&t.RejectAnimated, o.RejectAnimated)
	override(&t.GroupBits, o.GroupBits)
	override(&t.RejectBits, o.RejectBits)
	return t
}

func override[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}
