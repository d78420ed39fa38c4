// Package convention learns where a dataset's people draw the edges of boxes, compared with a model: side mirrors in or out, a
// margin or none. It estimates a systematic offset of each edge from accepted proposals, and moves new proposals by it.
//
// Estimates are a function of the corrections that are held, not of the order in which they came: of each dataset, class and
// model the newest maxWindow accepted ones, sorted before anything is summed. So a replay gives the same estimates, to the last
// bit unless what was taken back made room in a full window, which only corrections given again fill.
package convention

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// maxWindow is how many accepted corrections of a class and model are held, some 150 bytes each.
const maxWindow = 500

// Edges names the sides of a box in the order of every array of four in this package.
var Edges = [4]string{"left", "top", "right", "bottom"}

// Offset is how far people draw one edge from where the model does: outwards when positive, as a share of the model's box: of
// its width for left and right, of its height for top and bottom.
type Offset struct {
	Mean    float64 `json:"mean"`
	Low     float64 `json:"low"` // 95 % interval
	High    float64 `json:"high"`
	N       int     `json:"n"`       // corrections that show it: the label's edge is not cut by the border of the image
	Applied bool    `json:"applied"` // new proposals are moved by Mean
}

// Estimate is what is known of a class.
type Estimate struct {
	Class string    `json:"class"`
	Model string    `json:"model,omitempty"` // empty: of a model, or of a class below this one, without an estimate of its own
	Edges [4]Offset `json:"edges"`
	N     int       `json:"n"`     // accepted corrections
	Gain  float64   `json:"gain"`  // mean gain of IoU, each correction moved by what those of other images say; if N is small, of the class above
	Error float64   `json:"error"` // standard error of Gain
}

// Book holds the estimates of all datasets. It is safe for concurrent use, and Apply never waits for an Update.
type Book struct {
	path func(dataset, class string) []string

	updating sync.Mutex
	windows  map[string]map[key][]observation // by dataset; newest first
	known    atomic.Pointer[map[string]estimates]
}

// estimates is what is known of a dataset.
type estimates struct {
	byKey  map[key]Estimate
	models map[string]bool // that have corrections
}

// key says what an estimate is of; model is empty for what is pooled over models and the classes below.
type key struct{ class, model string }

// New returns an empty Book. path lists a class of a dataset and the classes above it by the taxonomy's names, the nearest first;
// nil where there is no taxonomy.
func New(path func(dataset, class string) []string) *Book {
	if path == nil {
		path = func(_, class string) []string { return []string{class} }
	}
	b := &Book{path: path, windows: map[string]map[key][]observation{}}
	b.known.Store(&map[string]estimates{})
	return b
}

// Update takes corrections in, all of a sample in one call: they replace what the sample said before. Those datasets are then
// estimated anew, which takes some 5 ms for each thousand accepted corrections that they hold.
func (b *Book) Update(corrections []schemas.Correction) {
	b.updating.Lock()
	defer b.updating.Unlock()
	samples := map[string]map[schemas.SampleID]bool{}
	for i := range corrections {
		c := &corrections[i]
		if samples[c.Dataset] == nil {
			samples[c.Dataset] = map[schemas.SampleID]bool{}
		}
		samples[c.Dataset][c.SampleID] = true
	}
	known := maps.Clone(*b.known.Load())
	for dataset, replaced := range samples {
		windows := b.windows[dataset]
		if windows == nil {
			windows = map[key][]observation{}
			b.windows[dataset] = windows
		}
		for k, w := range windows {
			windows[k] = slices.DeleteFunc(w, func(o observation) bool { return replaced[o.sample] })
		}
		for i := range corrections {
			if c := &corrections[i]; c.Dataset == dataset && c.Accepted && c.Source != "" {
				k := key{c.Class, c.Source}
				windows[k] = append(windows[k], observe(c))
			}
		}
		for k, w := range windows {
			slices.SortFunc(w, newestFirst)
			switch {
			case len(w) == 0:
				delete(windows, k)
			case len(w) > maxWindow:
				windows[k] = slices.Clone(w[:maxWindow])
			}
		}
		of := estimates{byKey: estimate(windows, func(class string) []string { return b.path(dataset, class) }), models: map[string]bool{}}
		for k := range windows {
			of.models[k.model] = true
		}
		known[dataset] = of
	}
	b.known.Store(&known)
}

// Apply moves the edges of a model's box in an image of w by h pixels to where the dataset's people would draw them, as far as
// they have shown it, and cuts it to the image. A class of which nothing is known follows the class above. A model without
// corrections keeps its boxes: a new version may have learned the convention from the labels.
func (b *Book) Apply(dataset, class, model string, box geometry.Box, w, h int) geometry.Box {
	of := (*b.known.Load())[dataset]
	if !of.models[model] {
		return box
	}
	e, ok := of.byKey[key{class, model}]
	if !ok {
		e, ok = of.byKey[key{class: class}]
	}
	for _, above := range b.path(dataset, class) {
		if ok {
			break
		}
		e, ok = of.byKey[key{class: above}]
	}
	return move(box, e.Edges, w, h)
}

// Estimates returns what is known of a dataset, by class and model.
func (b *Book) Estimates(dataset string) []Estimate {
	return slices.SortedFunc(maps.Values((*b.known.Load())[dataset].byKey), func(x, y Estimate) int {
		return cmp.Or(cmp.Compare(x.Class, y.Class), cmp.Compare(x.Model, y.Model))
	})
}

// move shifts the edges whose offset is applied; a box that would be empty stays as it is.
func move(box geometry.Box, by [4]Offset, w, h int) geometry.Box {
	var d [4]float32
	for i, o := range by {
		if o.Applied {
			d[i] = float32(o.Mean)
		}
	}
	if d == [4]float32{} {
		return box
	}
	out := geometry.Box{
		X1: box.X1 - d[0]*box.W(), Y1: box.Y1 - d[1]*box.H(),
		X2: box.X2 + d[2]*box.W(), Y2: box.Y2 + d[3]*box.H(),
	}.Clip(w, h)
	if out.Empty() {
		return box
	}
	return out
}
