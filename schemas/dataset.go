package schemas

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
)

// DatasetVersion is an immutable registry entry on the datasets topic, keyed by ID: which samples, which labels, which splits.
type DatasetVersion struct {
	ID       string         `json:"id"` // dataset@version
	Dataset  string         `json:"dataset"`
	Version  string         `json:"version"` // first 12 hex digits of SHA256
	SHA256   Hash           `json:"sha256"`  // of the rule and the member list: the same members, labels and rule give the same version
	Members  BlobRef        `json:"members"` // JSON lines of Member, ordered by sample id
	Count    int            `json:"count"`
	Splits   map[string]int `json:"splits"`  // samples per split
	Classes  map[string]int `json:"classes"` // objects per class
	Rule     SplitRule      `json:"rule"`
	Previous string         `json:"previous,omitempty"`
	Note     string         `json:"note,omitempty"`
	At       time.Time      `json:"at"`
}

// Member is one sample of a dataset version.
type Member struct {
	SampleID SampleID          `json:"sample_id"`
	UniqueID string            `json:"unique_id,omitempty"`
	Image    Hash              `json:"image"`
	Group    SampleID          `json:"group"`
	Split    Split             `json:"split"`
	Rank     Rank              `json:"rank"`
	Revision uint64            `json:"revision"`
	Objects  int               `json:"objects"`
	Labels   Hash              `json:"labels"` // digest of the objects' classes, boxes and attributes, whatever their order
	Slices   map[string]string `json:"slices,omitempty"`
}

// Split is the part of a dataset that a sample belongs to.
type Split string

// The splits.
const (
	SplitTrain Split = "train"
	SplitVal   Split = "val"
	SplitTest  Split = "test"
)

// SplitRule fixes the split of every sample, present or to come: it depends on the sample's near-duplicate group and Salt
// alone, so twins never straddle and adding samples moves none.
type SplitRule struct {
	Salt string  `json:"salt"`
	Val  float64 `json:"val"`  // share, [0,1]
	Test float64 `json:"test"` // share, [0,1]; the rest is train
}

// DefaultSplitRule keeps a tenth for validation and a tenth for testing.
func DefaultSplitRule() SplitRule { return SplitRule{Salt: "gleaner/split/v1", Val: 0.1, Test: 0.1} }

// Validate refuses shares that are negative or leave nothing to train on.
func (r SplitRule) Validate() error {
	if !(r.Val >= 0 && r.Test >= 0 && r.Val+r.Test < 1) {
		return fmt.Errorf("split rule: val %g and test %g must be at least 0 and leave something to train on", r.Val, r.Test)
	}
	return nil
}

// Of returns the split of a near-duplicate group.
func (r SplitRule) Of(group SampleID) Split {
	switch u := uniform(r.Salt, group); {
	case u < r.Test:
		return SplitTest
	case u < r.Test+r.Val:
		return SplitVal
	}
	return SplitTrain
}

// uniform draws a number in [0,1) that depends on nothing but its arguments.
func uniform(salt string, id SampleID) float64 {
	sum := sha256.Sum256(append([]byte(salt+"\x00"), id[:]...))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
}
