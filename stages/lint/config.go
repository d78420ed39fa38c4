package lint

import (
	"fmt"

	"gleaner/schemas"
)

// Config sets when the rules speak.
type Config struct {
	Rules    Rules            `yaml:",inline"`
	Datasets map[string]Rules `yaml:"datasets"` // exceptions by dataset; what is left out there is as above
}

// Rules are the thresholds of one dataset.
type Rules struct {
	MinScore     float32               `yaml:"min_score"`     // findings below are not kept, (0,1]
	MatchIoU     float64               `yaml:"match_iou"`     // from here on a proposal and a label may be about one object, (0,1)
	DuplicateIoU float64               `yaml:"duplicate_iou"` // two labels of a class that overlap more are doubted, (0,1)
	MinSide      float32               `yaml:"min_side"`      // pixels; a box with a shorter side is doubted
	MaxAspect    float32               `yaml:"max_aspect"`    // a box whose sides have a greater ratio is doubted
	Off          []schemas.FindingType `yaml:"off"`           // rules that do not apply, such as duplicate where parts are labeled too
}

// DefaultConfig suits photographs of everyday things.
func DefaultConfig() Config {
	return Config{Rules: Rules{MinScore: 0.1, MatchIoU: 0.2, DuplicateIoU: 0.6, MinSide: 3, MaxAspect: 20}}
}

// Validate refuses thresholds out of range and rules that do not exist.
func (c Config) Validate() error {
	if err := c.Rules.validate(); err != nil {
		return err
	}
	for name := range c.Datasets {
		if err := c.rules(name).validate(); err != nil {
			return fmt.Errorf("datasets: %s: %w", name, err)
		}
	}
	return nil
}

func (r Rules) validate() error {
	switch {
	case !(r.MinScore > 0 && r.MinScore <= 1):
		return fmt.Errorf("min_score: %g: must be above 0 and at most 1", r.MinScore)
	case !(r.MatchIoU > 0 && r.MatchIoU < 1):
		return fmt.Errorf("match_iou: %g: must lie between 0 and 1", r.MatchIoU)
	case !(r.DuplicateIoU > 0 && r.DuplicateIoU < 1):
		return fmt.Errorf("duplicate_iou: %g: must lie between 0 and 1", r.DuplicateIoU)
	case !(r.MinSide > 0):
		return fmt.Errorf("min_side: %g: must be above 0", r.MinSide)
	case !(r.MaxAspect > 1):
		return fmt.Errorf("max_aspect: %g: must be above 1", r.MaxAspect)
	}
	for _, off := range r.Off {
		if !ours(off) {
			return fmt.Errorf("off: %q: there is no such rule: there are %v", off, known())
		}
	}
	return nil
}

// rules returns the thresholds of a dataset: its own, and the general ones where it has none.
func (c Config) rules(dataset string) Rules {
	r, own := c.Rules, c.Datasets[dataset]
	if own.MinScore != 0 {
		r.MinScore = own.MinScore
	}
	if own.MatchIoU != 0 {
		r.MatchIoU = own.MatchIoU
	}
	if own.DuplicateIoU != 0 {
		r.DuplicateIoU = own.DuplicateIoU
	}
	if own.MinSide != 0 {
		r.MinSide = own.MinSide
	}
	if own.MaxAspect != 0 {
		r.MaxAspect = own.MaxAspect
	}
	if own.Off != nil {
		r.Off = own.Off
	}
	return r
}
