package learned

import (
	"cmp"
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
	changed int               // samples that came or went since the last fit
}

// sample is what models found in an image and what people labeled.
type sample struct {
	id       schemas.SampleID
	revision uint64
	at       time.Time
	w, h     int      // pixels
	models   []string // that looked, ordered
	found    []detection
	labels   []label
}

type detection struct {
	id, model, class string
	score            float32
	box              geometry.Box
	label            int // place among the labels; -1: rejected
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
	s := sample{id: rows[0].SampleID, revision: rows[0].Revision, at: rows[0].At, w: rows[0].W, h: rows[0].H}
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
			s.found = append(s.found, detection{r.ProposalID, w.name(r.Source), w.name(r.Class), r.Score, r.Proposal, at})
		}
	}
	s.found, s.labels = slices.Clip(s.found), slices.Clip(s.labels)
	w.samples[s.id] = s
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

// rename lets go of the names of samples that went.
func (w *window) rename() {
	names := map[string]string{}
	keep := func(name string) { names[name] = name }
	for _, s := range w.samples {
		for _, m := range s.models {
			keep(m)
		}
		for _, d := range s.found {
			keep(d.model)
			keep(d.class)
		}
		for _, l := range s.labels {
			keep(l.class)
		}
	}
	w.names = names
}

// accepted are the corrections that conventions are learned from.
func (w *window) accepted(dataset string) []schemas.Correction {
	var out []schemas.Correction
	for _, s := range w.samples {
		row := schemas.Correction{SampleID: s.id, Dataset: dataset, Accepted: true, W: s.w, H: s.h, At: s.at}
		for _, d := range s.found {
			if d.label >= 0 {
				row.ProposalID, row.Source, row.Class, row.Proposal, row.Label = d.id, d.model, d.class, d.box, s.labels[d.label].box
				out = append(out, row)
			}
		}
	}
	return out
}

// newest are the samples, the newest first.
func (w *window) newest() []sample {
	return slices.SortedFunc(maps.Values(w.samples), func(a, b sample) int {
		return cmp.Or(b.at.Compare(a.at), slices.Compare(a.id[:], b.id[:]))
	})
}
