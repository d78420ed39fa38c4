// Package learned holds what people's corrections teach prelabel, dataset by dataset: where the edges of boxes belong
// (convention), the probability that a model's proposal is accepted (calibrate), and how the detections of several models become
// one list (fuse). Where nothing has been learned, everything stays as the models have it.
//
// Each is a function of the corrections that are held, those of the newest MaxSamples corrected samples of a dataset, not of the
// order in which they came. Conventions follow every correction, but where a sample that went left room in one of their windows, the
// next Fit fills it. Calibration and fusion are learned anew by Fit, when a tenth of the samples is new: so what a sample costs does
// not rise with their number, and who begins anew with the same corrections knows at least as much.
package learned

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/prelabel/calibrate"
	"gleaner/stages/prelabel/convention"
	"gleaner/stages/prelabel/fuse"
)

// Taxonomy is what is to be known of classes.
type Taxonomy interface {
	// Path lists a class of a dataset and the classes above it by the taxonomy's names, the nearest first.
	Path(dataset, class string) []string
	// Annotated tells whether a dataset labels a class; known is false where the taxonomy cannot tell.
	Annotated(dataset, class string) (yes, known bool)
}

// flat is a Taxonomy that knows nothing.
type flat struct{}

func (flat) Path(_, class string) []string              { return []string{class} }
func (flat) Annotated(string, string) (yes, known bool) { return false, false }

// Book holds what has been learned of all datasets. It is safe for concurrent use: Fuse, Move, Probability and Known never wait
// for an Update or a Fit.
type Book struct {
	taxonomy    Taxonomy
	conventions *convention.Book

	updating sync.Mutex
	windows  map[string]*window // by dataset
	known    atomic.Pointer[map[string]fitted]
}

// fitted is what the last Fit made of a dataset.
type fitted struct {
	samples     int
	meanings    map[string]string // of the classes and models of these, by the taxonomy
	calibration *calibrate.Book
	fusions     map[string]Fusion // by setOf
}

// Known is what has been learned of a dataset.
type Known struct {
	Samples     int                   `json:"samples"` // that calibration and fusion were learned from
	Conventions []convention.Estimate `json:"conventions,omitempty"`
	Calibration *calibrate.Book       `json:"calibration,omitempty"`
	Fusion      []Fusion              `json:"fusion"` // of each set of models that served, ordered
}

// Fusion is what has been learned of a set of models, ordered by id. Their classes are those that they were seen to find.
type Fusion struct {
	Images int `json:"images"` // corrected, at which all of them looked; few teach nothing, and there are no trials
	*fuse.Fuser
}

// New returns an empty Book; taxonomy is nil where there is none.
func New(taxonomy Taxonomy) *Book {
	if taxonomy == nil {
		taxonomy = flat{}
	}
	b := &Book{taxonomy: taxonomy, conventions: convention.New(taxonomy.Path), windows: map[string]*window{}}
	b.known.Store(&map[string]fitted{})
	return b
}

// Update takes corrections in, all of a sample in one call: they replace what the sample said before.
func (b *Book) Update(corrections []schemas.Correction) {
	type key struct {
		dataset string
		sample  schemas.SampleID
	}
	samples := map[key][]schemas.Correction{}
	for _, c := range corrections {
		k := key{c.Dataset, c.SampleID}
		samples[k] = append(samples[k], c)
	}
	b.updating.Lock()
	defer b.updating.Unlock()
	for k, rows := range samples {
		if b.windows[k.dataset] == nil {
			b.windows[k.dataset] = newWindow()
		}
		b.windows[k.dataset].put(rows)
	}
	gone := map[key]bool{}
	for dataset, w := range b.windows {
		for _, s := range w.cut() {
			gone[key{dataset, s.id}] = true
		}
	}
	if len(gone) > 0 {
		corrections = slices.DeleteFunc(slices.Clone(corrections), func(c schemas.Correction) bool { return gone[key{c.Dataset, c.SampleID}] })
		for k := range gone {
			corrections = append(corrections, schemas.Correction{Dataset: k.dataset, SampleID: k.sample}) // which takes all back
		}
	}
	for k := range samples {
		if !gone[k] {
			b.windows[k.dataset].changed++
		}
	}
	b.conventions.Update(corrections)
}

// Holds tells whether what a sample's submission of this revision said is held.
func (b *Book) Holds(id schemas.SampleID, revision uint64) bool {
	b.updating.Lock()
	defer b.updating.Unlock()
	for _, w := range b.windows {
		if s, ok := w.samples[id]; ok {
			return s.revision == revision
		}
	}
	return false
}

// Fit learns calibration and fusion anew for those datasets of whose samples a tenth is new, and fills the windows of their
// conventions. It takes some seconds for a full window.
func (b *Book) Fit() {
	b.updating.Lock()
	defer b.updating.Unlock()
	known := maps.Clone(*b.known.Load())
	for dataset, w := range b.windows {
		if w.changed > 0 && 10*w.changed >= len(w.samples) {
			b.conventions.Update(w.accepted(dataset))
			known[dataset] = w.fit(lookup{b.taxonomy, dataset}, b.conventions)
			w.changed = 0
		}
	}
	b.known.Store(&known)
}

// Review lets go of the samples that are gone, and tells whether there are any. Where there are, conventions forget them at once, and
// where not, but the taxonomy says something else of the classes that the last Fit of a dataset met, they follow it at once. Either has
// the next Fit learn all of the dataset anew.
func (b *Book) Review(gone func(schemas.SampleID) bool) (found bool) {
	b.updating.Lock()
	defer b.updating.Unlock()
	var back []schemas.Correction
	for dataset, w := range b.windows {
		before := len(back)
		for id := range w.samples {
			if gone(id) {
				delete(w.samples, id)
				back = append(back, schemas.Correction{Dataset: dataset, SampleID: id}) // which takes all back
			}
		}
		if len(back) > before {
			found = true
		} else if (lookup{b.taxonomy, dataset}).differs((*b.known.Load())[dataset].meanings) {
			back = append(back, schemas.Correction{Dataset: dataset}) // of no sample, so that the dataset is estimated anew
		}
		if len(back) > before {
			w.changed += len(w.samples) + 1
		}
	}
	b.conventions.Update(back)
	return found
}

// Fuse returns one list of the detections of an image, best first: perModel[i] are those of models[i], suppressed within each
// class. What has been learned of exactly these models decides; where that is nothing, as of a single model, each class has the
// first model that knows it.
func (b *Book) Fuse(dataset string, models []fuse.Model, perModel [][]schemas.Object) []schemas.Object {
	ids := make([]string, len(models))
	for i, m := range models {
		ids[i] = m.ID
	}
	learned, ok := (*b.known.Load())[dataset].fusions[setOf(slices.Sorted(slices.Values(ids)))]
	if !ok || len(learned.Trials) == 0 {
		return fuse.New(models).Fuse(perModel)
	}
	f, found := *learned.Fuser, make([][]schemas.Object, len(models))
	f.Models = slices.Clone(f.Models)
	for i := range f.Models {
		given := slices.Index(ids, f.Models[i].ID)
		f.Models[i].Classes, found[i] = models[given].Classes, perModel[given]
	}
	return f.Fuse(found)
}

// Move shifts the edges of a box by source, in an image of w by h pixels, to where the dataset's people would draw them
// (convention.Book.Apply).
func (b *Book) Move(dataset, class, source string, box geometry.Box, w, h int) geometry.Box {
	return b.conventions.Apply(dataset, class, source, box, w, h)
}

// Probability is the chance, [0,1], that a detection by source with this score is accepted. Fused detections, whose sources are
// joined by +, keep their scores, which are such probabilities already.
func (b *Book) Probability(dataset, class, source string, score float32) float32 {
	f, ok := (*b.known.Load())[dataset]
	if !ok || strings.Contains(source, "+") {
		return score
	}
	return f.calibration.Probability(class, lookup{b.taxonomy, dataset}.super(class), source, score)
}

// Known returns what has been learned of a dataset.
func (b *Book) Known(dataset string) Known {
	f := (*b.known.Load())[dataset]
	k := Known{Samples: f.samples, Conventions: b.conventions.Estimates(dataset), Calibration: f.calibration}
	for _, set := range slices.Sorted(maps.Keys(f.fusions)) {
		k.Fusion = append(k.Fusion, f.fusions[set])
	}
	return k
}

// setOf names a set of models by their ordered ids.
func setOf(ids []string) string { return strings.Join(ids, "+") }
