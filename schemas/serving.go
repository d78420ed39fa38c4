package schemas

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// AnyDataset stands for every dataset that no models of its own serve.
const AnyDataset = "*"

// Serving says which models label the samples of a dataset first, on the models topic under ServingKey; the last record counts.
// One without models takes the dataset's own away, and of AnyDataset leaves samples unlabeled.
type Serving struct {
	Dataset string `json:"dataset"` // or AnyDataset
	ModelSet
	Previous *ModelSet `json:"previous,omitempty"` // what this replaced: where rolling back leads
	Actor    string    `json:"actor"`              // who decided: a user's name, or ActorConfiguration
	At       time.Time `json:"at"`
}

// ActorConfiguration is the actor of what the configuration file decided.
const ActorConfiguration = "configuration"

// ServingKey is the record key of what serves a dataset.
func ServingKey(dataset string) string { return "serving/" + dataset }

// ModelSet is the models that serve together, by id.
type ModelSet struct {
	Models []string `json:"models"`           // all of them look at each sample,
	Canary []string `json:"canary,omitempty"` // but for a share of the samples, at which these look instead
	Share  float64  `json:"share,omitempty"`  // (0,1): that share; 0 without a canary
}

// For returns the models that look at a sample: always the same ones, and as the share grows the canary keeps what it had.
func (s ModelSet) For(id SampleID) []string {
	if s.Share > 0 && uniform("gleaner/canary/v1/"+strings.Join(s.Canary, ","), id) < s.Share {
		return s.Canary
	}
	return s.Models
}

// All returns the models of the set, each once.
func (s ModelSet) All() []string {
	all := slices.Concat(s.Models, s.Canary)
	slices.Sort(all)
	return slices.Compact(all)
}

// Equal reports whether two sets serve every sample alike.
func (s ModelSet) Equal(t ModelSet) bool {
	return slices.Equal(s.Models, t.Models) && slices.Equal(s.Canary, t.Canary) && s.Share == t.Share
}

// Validate refuses lists that name a model twice, and a canary that replaces nothing or everything.
func (s ModelSet) Validate() error {
	for _, list := range [][]string{s.Models, s.Canary} {
		for i, id := range list {
			if _, _, err := ParseModelID(id); err != nil {
				return err
			}
			if slices.Contains(list[:i], id) {
				return fmt.Errorf("model %s is named twice", id)
			}
		}
	}
	switch canary := len(s.Canary) > 0; {
	case !(s.Share >= 0 && s.Share < 1):
		return fmt.Errorf("canary share %g: must be above 0 and below 1", s.Share)
	case canary != (s.Share > 0):
		return errors.New("a canary needs models and a share above 0")
	case canary && len(s.Models) == 0:
		return errors.New("a canary needs models for the rest of the samples")
	}
	return nil
}

// Validate refuses a set that cannot serve.
func (s Serving) Validate() error {
	if s.Dataset == "" {
		return errors.New("serving: no dataset is named")
	}
	if s.Previous != nil {
		if err := s.Previous.Validate(); err != nil {
			return fmt.Errorf("serving %s: previous: %w", s.Dataset, err)
		}
	}
	if err := s.ModelSet.Validate(); err != nil {
		return fmt.Errorf("serving %s: %w", s.Dataset, err)
	}
	return nil
}
