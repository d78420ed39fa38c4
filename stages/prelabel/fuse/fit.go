package fuse

import (
	"cmp"
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/stages/prelabel/evaluate"
	"gleaner/stages/prelabel/logistic"
)

// Image is a labeled image. Of a class that its labels never name because nobody looks for it, nothing may be among what was
// found: such a detection is not wrong but unknown.
type Image struct {
	ID    string             // decides its fold
	Found [][]schemas.Object // by model, as for Fuse
	Truth []schemas.Object
}

// Trial is how a method did on images that it did not learn from.
type Trial struct {
	Method Method            `json:"method"`
	AP     float64           `json:"ap"`   // mean average precision at IoU 0.5, [0,1]
	Over   evaluate.Interval `json:"over"` // that less what Single has, by the paired bootstrap over images
}

// Config says how a fuser is learned.
type Config struct {
	Folds       int     // of the cross-fitting
	Resamples   int     // of the bootstrap
	MinImages   int     // below which nothing is learned, nor is it where nothing is labeled
	ClassImages int     // that must hold a class before it is refused by itself
	IoU         float64 // above which boxes are taken together, (0,1)
}

// DefaultConfig has five folds.
func DefaultConfig() Config {
	return Config{Folds: 5, Resamples: 1000, MinImages: 20, ClassImages: 10, IoU: DefaultIoU}
}

const hitIoU = 0.5 // of a detection that is right

// Fit learns a fuser from labeled images. Of models only ID and Classes are used. Weights are cross-fitted: every method is
// judged on images by weights of the other folds. The method with the greatest mean average precision is taken, Single among
// equals; of its classes those are refused in which it is worse than the best model by the whole interval. The outcome depends
// neither on any order nor on chance.
func Fit(models []Model, images []Image, cfg Config) *Fuser {
	labeled := func(img Image) bool { return len(img.Truth) > 0 }
	if len(images) < cfg.MinImages || !slices.ContainsFunc(images, labeled) {
		return New(models)
	}
	images = slices.SortedFunc(slices.Values(images), func(a, b Image) int { return cmp.Compare(a.ID, b.ID) })
	for i, img := range images {
		images[i].Found = make([][]schemas.Object, len(img.Found))
		for m, found := range img.Found {
			images[i].Found[m] = slices.SortedFunc(slices.Values(found), compare)
		}
	}
	f := learn(models, images, cfg)
	found := crossFit(models, images, cfg)
	single := precision(images, found[Single])
	best := Trial{Method: Single, AP: single.Mean(nil)}
	f.Trials = append(f.Trials, best)
	for _, method := range []Method{Extend, Stacked} {
		p := precision(images, found[method])
		t := Trial{method, p.Mean(nil), evaluate.Difference(p, single, cfg.Resamples, 1)}
		f.Trials = append(f.Trials, t)
		if t.AP > best.AP {
			best = t
		}
	}
	f.Method = best.Method
	if f.Method != Single {
		f.refuse(precision(images, found[f.Method]), single, len(images), cfg)
	}
	return f
}

// refuse finds the classes in which what was found is worse than the single models' detections.
func (f *Fuser) refuse(fused, single *evaluate.Precision, images int, cfg Config) {
	f.Refused = map[string]evaluate.Interval{}
	for class, holding := range fused.Labeled() {
		if holding < cfg.ClassImages || len(f.knowing(class)) < 2 {
			continue
		}
		over := evaluate.Bootstrap(images, cfg.Resamples, 1, func(counts []int) float64 { return fused.Class(class, counts) - single.Class(class, counts) })
		if over.High < 0 {
			f.Refused[class] = over
		}
	}
}

func precision(images []Image, found [][]schemas.Object) *evaluate.Precision {
	all := make([]evaluate.Image, len(images))
	for i, img := range images {
		all[i] = evaluate.Image{Truth: img.Truth, Found: found[i]}
	}
	return evaluate.NewPrecision(all, hitIoU)
}

// crossFit fuses each image by each method, with what was learned from the other folds' images.
func crossFit(models []Model, images []Image, cfg Config) map[Method][][]schemas.Object {
	fold := evaluate.Folds(ids(images), cfg.Folds)
	out := map[Method][][]schemas.Object{}
	for _, m := range []Method{Single, Extend, Stacked} {
		out[m] = make([][]schemas.Object, len(images))
	}
	for k := range cfg.Folds {
		var others []Image
		for i, img := range images {
			if fold[i] != k {
				others = append(others, img)
			}
		}
		f := learn(models, others, cfg)
		for i, img := range images {
			if fold[i] != k {
				continue
			}
			for m := range out {
				f.Method = m
				out[m][i] = f.Fuse(img.Found)
			}
		}
	}
	return out
}

func ids(images []Image) []string {
	out := make([]string, len(images))
	for i, img := range images {
		out[i] = img.ID
	}
	return out
}

// learn fits all numbers but those of the trials.
func learn(models []Model, images []Image, cfg Config) *Fuser {
	f := New(models)
	f.IoU = cfg.IoU
	for i := range f.Models {
		f.Models[i].calibrate(images, i)
	}
	f.stack(images)
	return f
}

// calibrate learns what one model's scores stand for, and its average precision.
func (m *Model) calibrate(images []Image, at int) {
	var x [][]float64
	var y []bool
	own := make([]evaluate.Image, len(images))
	for i, img := range images {
		known := func(objects []schemas.Object) []schemas.Object {
			return slices.DeleteFunc(slices.Clone(objects), func(o schemas.Object) bool { return !slices.Contains(m.Classes, o.Class) })
		}
		own[i] = evaluate.Image{Truth: known(img.Truth), Found: known(img.Found[at])}
		for _, o := range own[i].Found {
			x = append(x, []float64{1, logistic.Logit(float64(o.Score))})
		}
		y = append(y, evaluate.Match(own[i].Truth, own[i].Found, hitIoU)...)
	}
	fit := logistic.Fit(x, y, logistic.Prior{Mean: []float64{0, 1}, Deviation: []float64{3, 2}, Lower: []float64{math.Inf(-1), 0.05}})
	m.Shift, m.Slope = fit.Coefficients[0], fit.Coefficients[1]
	if ap := evaluate.NewPrecision(own, hitIoU).Mean(nil); !math.IsNaN(ap) {
		m.AP = ap
	}
}

// stack learns the stacked log-odds from the clusters of classes that several models know.
func (f *Fuser) stack(images []Image) {
	var x [][]float64
	var y []bool
	for _, img := range images {
		rows, objects := f.rows(img.Found)
		x, y = append(x, rows...), append(y, evaluate.Match(img.Truth, objects, hitIoU)...)
	}
	prior := logistic.Prior{Mean: []float64{0}, Deviation: []float64{10}, Lower: []float64{math.Inf(-1)}}
	for range f.Models {
		prior.Mean = append(prior.Mean, 0, 0.5, 0)
		prior.Deviation = append(prior.Deviation, 2, 1, 2)
		prior.Lower = append(prior.Lower, math.Inf(-1), 0, math.Inf(-1))
	}
	c := logistic.Fit(x, y, prior).Coefficients
	f.Bias = c[0]
	for i := range f.Models {
		m := &f.Models[i]
		m.Found, m.Weight, m.Missed = c[1+3*i], c[2+3*i], c[3+3*i]
	}
}

// rows are what the stacked log-odds of an image's clusters are computed from, [1+3*M] each, with their objects, whose scores are
// those of the most certain members.
func (f *Fuser) rows(perModel [][]schemas.Object) (rows [][]float64, objects []schemas.Object) {
	for class, found := range f.byClass(perModel) {
		knowing := f.knowing(class)
		if len(knowing) < 2 {
			continue
		}
		for _, c := range f.clusters(knowing, found) {
			row := make([]float64, 1+3*len(f.Models))
			row[0] = 1
			for _, i := range knowing {
				if m, ok := c.of(i); ok {
					row[1+3*i], row[2+3*i] = 1, logistic.Logit(float64(m.object.Score))
				} else {
					row[3+3*i] = 1
				}
			}
			o := c.object()
			o.Score = float32(logistic.Sigmoid(c[0].odds))
			rows, objects = append(rows, row), append(objects, o)
		}
	}
	return rows, objects
}
