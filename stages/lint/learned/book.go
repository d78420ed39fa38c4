// Package learned makes of lint's own scores the probability that a reviewer changes the label, by what reviewers did with earlier
// findings.
//
// The log-odds of a change are a line in the log-odds of the own score (stages/prelabel/calibrate): one of all judgments, below it one of
// each type of finding, and below that one of each dataset, drawn to its parent's the more so the fewer judgments it has. The line of
// a type of which nothing was judged is lint's own score.
package learned

import (
	"encoding/binary"
	"math"
	"slices"
	"sync/atomic"

	"gleaner/schemas"
	"gleaner/stages/prelabel/calibrate"
)

// Book holds what has been learned. An empty one knows nothing, and leaves scores as they are. It is safe for concurrent use.
type Book struct {
	known atomic.Pointer[Known]
}

// Known is what a book holds; it does not change.
type Known struct {
	Counts []schemas.JudgmentCount `json:"counts"`
	Lines  *calibrate.Book         `json:"lines"` // by type, then dataset
}

// enough is how many judgments of a dataset's type of finding count as they are. More are scaled down to these, which says the same and
// bounds the work.
const enough = 500

// Learn replaces what is known by what all judgments, counted, say. It takes some milliseconds for each dataset's type of finding.
func (b *Book) Learn(counts []schemas.JudgmentCount) {
	type kind struct {
		dataset string
		of      schemas.FindingType
	}
	total := map[kind]uint64{}
	for _, c := range counts {
		total[kind{c.Dataset, c.Type}] += c.Fixed + c.Kept + c.Passed
	}
	var rows []calibrate.Correction
	for _, c := range counts {
		share := min(1, enough/float64(total[kind{c.Dataset, c.Type}]))
		row := calibrate.Correction{Model: string(c.Type), Super: c.Dataset, Score: float32(c.Prior)}
		for range scaled(c.Kept+c.Passed, share) {
			rows = append(rows, row)
		}
		row.Accepted = true
		for range scaled(c.Fixed, share) {
			rows = append(rows, row)
		}
	}
	b.known.Store(&Known{slices.Clone(counts), calibrate.Fit(rows)})
}

func scaled(n uint64, share float64) int { return int(math.Round(float64(n) * share)) }

// Score is the probability, (0,1), that a reviewer changes a label of which a finding of this type has this score of its own.
func (b *Book) Score(dataset string, of schemas.FindingType, own float32) float32 {
	k := b.known.Load()
	if k == nil || k.Lines.All == nil || k.Lines.All.Below[string(of)] == nil {
		return own
	}
	return k.Lines.Probability("", dataset, string(of), own)
}

// probed is one of how many samples carries the findings that reviewers have taught lint to hold back.
const probed = 20

// Probe tells whether a sample's findings are shown by their own score, whatever was learned, though with what was learned as their score.
// A finding that is shown to nobody is judged by nobody, so that without such samples what was learned of a type could never be
// unlearned. It depends on the id alone, which is uniform.
func Probe(id schemas.SampleID) bool { return binary.BigEndian.Uint64(id[:8])%probed == 0 }

// Known returns what the book holds of a dataset: its counts, and the lines that are used for it.
func (b *Book) Known(dataset string) []Type {
	k := b.known.Load()
	if k == nil {
		return nil
	}
	var out []Type
	for _, c := range k.Counts {
		if c.Dataset != dataset {
			continue
		}
		if len(out) == 0 || out[len(out)-1].Type != c.Type {
			out = append(out, Type{Type: c.Type, AtHalf: b.Score(dataset, c.Type, 0.5)})
		}
		t := &out[len(out)-1]
		t.Fixed, t.Kept, t.Passed = t.Fixed+c.Fixed, t.Kept+c.Kept, t.Passed+c.Passed
	}
	return out
}

// Type is what is known of one type of finding in one dataset.
type Type struct {
	Type   schemas.FindingType `json:"type"`
	Fixed  uint64              `json:"fixed"`
	Kept   uint64              `json:"kept"`
	Passed uint64              `json:"passed"`
	AtHalf float32             `json:"at_half"` // the probability that an own score of 0.5 stands for
}
