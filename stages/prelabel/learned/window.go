package learned

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// MaxSamples is how many corrected samples of a dataset are held, the newest: some 150 bytes for each proposal.
const MaxSamples = 1000

// window holds the newest corrected samples of a dataset.
type window struct {
	samples map[schemas.SampleID]sample
	names   map[string]string // of classes and models, so that each is in memory once
	changed int               // samples put since the last fit
}

// sample is what models found in an image and what people labeled.
type sample struct {
	id     schemas.SampleID
	at     time.Time
	w, h   int      // pixels
	models []string // that looked, ordered
	found  []detection
	labels []label
}

type detection struct {
	model, class string
	score        float32
	box          geometry.Box
	label        int // place among the labels; -1: rejected
}

type label struct {
	class string
	box   geometry.Box
}

func newWindow() *window {
	return &window{samples: map[schemas.SampleID]sample{}, names: map[string]string{}}
}

func (w *window) name(s string) string {
	if known, ok := w.names[s]; ok {
		return known
	}
	w.names[s] = strings.Clone(s)
	return w.names[s]
}

// put replaces a sample by what its corrections say.
func (w *window) put(rows []schemas.Correction) {
	rows = slices.SortedFunc(slices.Values(rows), func(a, b schemas.Correction) int {
		return cmp.Or(strings.Compare(a.ProposalID, b.ProposalID), strings.Compare(a.ObjectID, b.ObjectID))
	})
	s := sample{id: rows[0].SampleID, at: rows[0].At, w: rows[0].W, h: rows[0].H}
	for _, m := range rows[0].Models {
		s.models = append(s.models, w.name(m))
	}
	places := map[string]int{}
	for _, r := range rows {
		at := -1
		if r.ObjectID != "" {
			known, ok := places[r.ObjectID]
			if at = known; !ok {
				at = len(s.labels)
				places[r.ObjectID] = at
				s.labels = append(s.labels, label{w.name(r.Labeled), r.Label})
			}
		}
		if r.ProposalID != "" {
			s.found = append(s.found, detection{w.name(r.Source), w.name(r.Class), r.Score, r.Proposal, at})
		}
	}
	s.found, s.labels = slices.Clip(s.found), slices.Clip(s.labels)
	w.samples[s.id] = s
	w.changed++
}

// cut keeps the newest samples, and returns those that it lets go.
func (w *window) cut() []sample {
	if len(w.samples) <= MaxSamples {
		return nil
	}
	gone := w.newest()[MaxSamples:]
	for _, s := range gone {
		delete(w.samples, s.id)
	}
	return gone
}

// meaning is all that a taxonomy says of the names met.
func (w *window) meaning(classes lookup) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(w.names)) {
		yes, known := classes.Annotated(classes.dataset, name)
		fmt.Fprintf(&b, "%q %t %t\n", classes.path(name), yes, known)
	}
	return b.String()
}

// newest are the samples, the newest first.
func (w *window) newest() []sample {
	return slices.SortedFunc(maps.Values(w.samples), func(a, b sample) int {
		return cmp.Or(b.at.Compare(a.at), slices.Compare(a.id[:], b.id[:]))
	})
}
