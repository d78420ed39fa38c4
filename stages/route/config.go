package route

import (
	"fmt"
	"math"

	"gleaner/schemas"
)

// Config says what becomes of the samples of each dataset. A dataset that is not named sends everything to people.
type Config struct {
	Datasets map[string]Dataset `yaml:"datasets"`
}

// Dataset is how one dataset is routed; its zero value is the default.
type Dataset struct {
	AcceptAbove float64 `yaml:"accept_above"` // labels of at least this confidence, (0,1], are accepted without a person; 0: none is
	Priority    float64 `yaml:"priority"`     // added to the doubt, [0,2], of each task; a task gains 1 by waiting for a week
	Queue       string  `yaml:"queue"`        // where people find the tasks; empty: the dataset's name
}

// DefaultConfig accepts nothing without a person.
func DefaultConfig() Config { return Config{} }

// Validate refuses thresholds and priorities out of range.
func (c Config) Validate() error {
	for name, d := range c.Datasets {
		switch {
		case !(d.AcceptAbove >= 0 && d.AcceptAbove <= 1):
			return fmt.Errorf("datasets: %s: accept_above: %g: must lie in [0,1], 0 sends everything to people", name, d.AcceptAbove)
		case len(d.Queue) > schemas.MaxName:
			return fmt.Errorf("datasets: %s: queue: %d bytes: at most %d are allowed", name, len(d.Queue), schemas.MaxName)
		case !(math.Abs(d.Priority) <= 1e6):
			return fmt.Errorf("datasets: %s: priority: %g: must lie within a million of 0", name, d.Priority)
		}
	}
	return nil
}
