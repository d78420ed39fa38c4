package learned

import (
	"fmt"
	"maps"
	"slices"

	"gleaner/schemas"
	"gleaner/stages/prelabel/calibrate"
	"gleaner/stages/prelabel/convention"
	"gleaner/stages/prelabel/fuse"
)

// maxSets is of how many sets of models fusion is learned: those that looked at the newest samples, a canary among them.
const maxSets = 2

// lookup asks a taxonomy of one dataset's classes.
type lookup struct {
	Taxonomy
	dataset string
}

func (l lookup) path(class string) []string { return l.Path(l.dataset, class) }

// meaning is all that the taxonomy says of a name.
func (l lookup) meaning(name string) string {
	yes, known := l.Annotated(l.dataset, name)
	return fmt.Sprintf("%q %t %t", l.path(name), yes, known)
}

// differs tells whether names mean something else by now.
func (l lookup) differs(meanings map[string]string) bool {
	for name, meaning := range meanings {
		if l.meaning(name) != meaning {
			return true
		}
	}
	return false
}

// super is the class right above one, "" for none.
func (l lookup) super(class string) string {
	if path := l.path(class); len(path) > 1 {
		return path[1]
	}
	return ""
}

func (w *window) fit(classes lookup, conventions *convention.Book) fitted {
	w.rename()
	newest := w.newest()
	wrong := refutable(newest, classes)
	f := fitted{samples: len(newest), meanings: map[string]string{}, calibration: calibrate.Fit(outcomes(newest, wrong, classes)), fusions: map[string]Fusion{}}
	for name := range w.names {
		f.meanings[name] = classes.meaning(name)
	}
	for _, s := range newest {
		if set := setOf(s.models); len(s.models) > 1 && len(f.fusions) < maxSets {
			if _, done := f.fusions[set]; !done {
				f.fusions[set] = fusion(s.models, newest, wrong, classes, conventions)
			}
		}
	}
	return f
}

// outcomes are the corrections that calibration is learned from: those of classes of which a rejected detection is wrong.
func outcomes(samples []sample, wrong map[string]bool, classes lookup) []calibrate.Correction {
	var out []calibrate.Correction
	for _, s := range samples {
		for _, d := range s.found {
			if wrong[d.class] {
				out = append(out, calibrate.Correction{Model: d.model, Super: classes.super(d.class), Class: d.class, Score: d.score, Accepted: d.label >= 0})
			}
		}
	}
	return out
}

// refutable are the classes found of which a rejected detection is wrong, not unknown: those that the dataset labels, as the
// taxonomy says or, where it cannot tell, as the labels show.
func refutable(samples []sample, classes lookup) map[string]bool {
	out, seen := map[string]bool{}, map[string]bool{}
	for _, s := range samples {
		for _, l := range s.labels {
			seen[l.class] = true
		}
		for _, d := range s.found {
			out[d.class] = false
			seen[d.class] = seen[d.class] || d.label >= 0
		}
	}
	for class := range out {
		yes, known := classes.Annotated(classes.dataset, class)
		if !known {
			yes = seen[class]
		}
		out[class] = yes
	}
	return out
}

// fusion learns how to fuse a set of models, ordered, from the samples at which all of them looked: their boxes where the conventions
// put them, as those are that will be fused.
func fusion(ids []string, samples []sample, wrong map[string]bool, classes lookup, conventions *convention.Book) Fusion {
	found := make([]map[string]bool, len(ids))
	for m := range found {
		found[m] = map[string]bool{}
	}
	named := map[string]string{} // classes found, by themselves and by the taxonomy's names
	var images []fuse.Image
	var of []sample
	for _, s := range samples {
		if slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(s.models, id) }) {
			continue
		}
		img := fuse.Image{ID: s.id.String(), Found: make([][]schemas.Object, len(ids))}
		for _, d := range s.found {
			if m := slices.Index(ids, d.model); m >= 0 && wrong[d.class] {
				box := conventions.Apply(classes.dataset, d.class, d.model, d.box, s.w, s.h)
				img.Found[m] = append(img.Found[m], schemas.Object{Class: d.class, Box: box, Score: d.score, Source: d.model})
				found[m][d.class], named[d.class] = true, d.class
			}
		}
		images, of = append(images, img), append(of, s)
	}
	for _, class := range slices.Sorted(maps.Keys(named)) {
		if name := classes.path(class)[0]; named[name] == "" {
			named[name] = class
		}
	}
	for i, s := range of {
		images[i].Truth = truth(s, named, classes)
	}
	models := make([]fuse.Model, len(ids))
	for m, id := range ids {
		models[m] = fuse.Model{ID: id, Classes: slices.Sorted(maps.Keys(found[m]))}
	}
	return Fusion{len(images), fuse.Fit(models, images, fuse.DefaultConfig())}
}

// truth is a sample's labels by the classes that models find: each label by its own, or the nearest above it that is found, and
// by those by which it was proposed. Labels that no model has a class for are left out.
func truth(s sample, named map[string]string, classes lookup) []schemas.Object {
	var out []schemas.Object
	for i, l := range s.labels {
		is := map[string]bool{}
		for _, name := range append([]string{l.class}, classes.path(l.class)...) {
			if class := named[name]; class != "" {
				is[class] = true
				break
			}
		}
		for _, d := range s.found {
			if d.label == i && named[d.class] == d.class {
				is[d.class] = true
			}
		}
		for _, class := range slices.Sorted(maps.Keys(is)) {
			out = append(out, schemas.Object{Class: class, Box: l.box})
		}
	}
	return out
}
