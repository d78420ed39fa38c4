// Package fuse makes one list of detections out of those of several models.
//
// Boxes of one class that overlap are taken together, at most one from each model, as in weighted boxes fusion (Solovyev, Wang
// and Gabruseva, "Weighted boxes fusion", 2021): their box is the mean of the members', weighted. Its score is not the mean of
// the members' scores but learned, by stacking (Wolpert, "Stacked generalization", 1992): a logistic regression on what each
// model that knows the class says of the place, a score or nothing. So a weak model's silence says little and its agreement
// something, whatever the scale of its scores.
//
// A fuser is learned from labeled images. Until there are any, and where fusion does not hold against the best single model on
// images that it did not learn from, every class has one model whose detections pass as they are.
package fuse

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/prelabel/evaluate"
	"gleaner/stages/prelabel/logistic"
)

// Method is how the models' detections become one list.
type Method string

// The methods.
const (
	Single  Method = "single"  // of each class those of the best model that knows it, as they are
	Extend  Method = "extend"  // these, calibrated, and what only other models found
	Stacked Method = "stacked" // fused boxes with learned scores
)

// Fuser is what has been learned of several models; it is plain JSON. It is immutable and safe for concurrent use.
type Fuser struct {
	Models  []Model                      `json:"models"`
	Method  Method                       `json:"method"`
	Bias    float64                      `json:"bias"`              // of the stacked log-odds
	IoU     float64                      `json:"iou"`               // above which boxes are taken together
	Trials  []Trial                      `json:"trials,omitempty"`  // why the method was chosen
	Refused map[string]evaluate.Interval `json:"refused,omitempty"` // classes that stay with their best model, since the method's average precision less that model's is this
}

// Model is what has been learned of one model. Its score s stands for the log-odds Shift + Slope*logit(s) of being right.
type Model struct {
	ID      string   `json:"id"`
	Classes []string `json:"classes"`      // that it knows, by the names that its detections have when they are fused
	AP      float64  `json:"ap,omitempty"` // mean average precision over those at IoU 0.5, [0,1]
	Shift   float64  `json:"shift"`
	Slope   float64  `json:"slope"` // above 0
	// What it adds to the stacked log-odds: Found + Weight*logit(s), or Missed where it knows the class and found nothing.
	Found  float64 `json:"found"`
	Weight float64 `json:"weight"` // at least 0
	Missed float64 `json:"missed"`
}

// New is a fuser of models of which nothing is known: each class has the first model that knows it.
func New(models []Model) *Fuser {
	f := &Fuser{Models: slices.Clone(models), Method: Single, IoU: DefaultIoU}
	for i := range f.Models {
		f.Models[i].Slope = 1
	}
	return f
}

// DefaultIoU is that of the paper.
const DefaultIoU = 0.55

// Fuse returns one list, best first: perModel[i] are the detections of Models[i] in an image, suppressed within each class, in
// any order. Detections of classes that their model is not said to know are dropped. Objects of classes with one model pass as
// they are; fused ones have their probability, (0,1), as score and all models that know their class, joined by +, as source,
// and otherwise what their best member has.
func (f *Fuser) Fuse(perModel [][]schemas.Object) []schemas.Object {
	var out []schemas.Object
	for class, found := range f.byClass(perModel) {
		out = append(out, f.class(class, found)...)
	}
	slices.SortFunc(out, compare)
	return out
}

// compare puts the best first and leaves nothing to the order given.
func compare(a, b schemas.Object) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), compareBox(a.Box, b.Box), cmp.Compare(a.Class, b.Class), cmp.Compare(a.ID, b.ID))
}

// byClass yields the classes found, in the order of their names, with their detections by model.
func (f *Fuser) byClass(perModel [][]schemas.Object) iter.Seq2[string, [][]schemas.Object] {
	classes := map[string][][]schemas.Object{}
	for m, found := range perModel {
		for _, o := range found {
			if classes[o.Class] == nil {
				classes[o.Class] = make([][]schemas.Object, len(f.Models))
			}
			classes[o.Class][m] = append(classes[o.Class][m], o)
		}
	}
	return func(yield func(string, [][]schemas.Object) bool) {
		for _, class := range slices.Sorted(maps.Keys(classes)) {
			if !yield(class, classes[class]) {
				return
			}
		}
	}
}

func compareBox(a, b geometry.Box) int {
	return cmp.Or(cmp.Compare(a.X1, b.X1), cmp.Compare(a.Y1, b.Y1), cmp.Compare(a.X2, b.X2), cmp.Compare(a.Y2, b.Y2))
}

// class fuses the detections of one class by the models.
func (f *Fuser) class(class string, found [][]schemas.Object) []schemas.Object {
	knowing := f.knowing(class)
	if len(knowing) == 0 {
		return nil
	}
	best := knowing[0]
	_, refused := f.Refused[class]
	if f.Method == Single || refused || len(knowing) == 1 {
		return found[best]
	}
	source := f.source(knowing)
	var out []schemas.Object
	for _, c := range f.clusters(knowing, found) {
		o := c.object()
		o.Source, o.Raw = source, geometry.Box{}
		odds := f.stacked(c, knowing)
		if m, ok := c.of(best); ok && f.Method == Extend {
			o.Box, odds = m.object.Box, m.odds
		}
		o.Score = float32(min(max(logistic.Sigmoid(odds), leastScore), 1-leastScore))
		out = append(out, o)
	}
	return out
}

// leastScore keeps fused scores off 0, which stands for a label made by people, and off 1.
const leastScore = 1e-6

// knowing are the models that know a class, the best first.
func (f *Fuser) knowing(class string) []int {
	var out []int
	for i, m := range f.Models {
		if slices.Contains(m.Classes, class) {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Compare(f.Models[b].AP, f.Models[a].AP) })
	return out
}

func (f *Fuser) source(models []int) string {
	ids := make([]string, len(models))
	for i, m := range models {
		ids[i] = f.Models[m].ID
	}
	slices.Sort(ids)
	return strings.Join(ids, "+")
}

// stacked are the learned log-odds of a cluster.
func (f *Fuser) stacked(c cluster, knowing []int) float64 {
	odds := f.Bias
	for _, i := range knowing {
		m := f.Models[i]
		if found, ok := c.of(i); ok {
			odds += m.Found + m.Weight*logistic.Logit(float64(found.object.Score))
		} else {
			odds += m.Missed
		}
	}
	return odds
}
