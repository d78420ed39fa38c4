// Package lint runs the prelabel and lint steps on image files with labels beside them, without a running system, and writes what
// lint doubts as lines of JSON and as a page of pictures.
package lint

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"

	"gleaner/connectors/formats"
	"gleaner/deploy/batch"
	"gleaner/deploy/label"
	"gleaner/schemas"
	"gleaner/stages/ingest"
	"gleaner/stages/lint"
	"gleaner/stages/lint/evidence"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
	"gleaner/stages/rules"
	"gleaner/stages/taxonomy"
)

// Options say what is linted, and how.
type Options struct {
	Images   string // folder
	Labels   *formats.Beside
	Models   []prelabel.Detector
	Prelabel prelabel.Config
	Lint     lint.Config
	Wishes   label.Wishes      // what the dataset, which they name, wants; without objects all that its labels can be of
	Limits   pixels.Limits     // of each image
	Twins    ingest.Thresholds // which images are near duplicates
	Losses   *Losses           // nil: no training run has said anything
	Jobs     int               // images at a time, at least 1
	Version  string
}

// Result is what became of one image.
type Result struct {
	Image    string // path below the folder
	Labels   int
	Labeled  bool     // there is a word about the image: without one nothing is missing
	Classes  []string // of the labels, each once
	Unknown  []string // classes of the labels that no model knows: these are judged by their boxes alone
	Beyond   []string // classes of what the models see that labels here cannot have: nothing is missing of them
	Unasked  []string // predicates of the rules that could not be evaluated for want of what they ask for
	Argued   int      // of the labels, those that the training run argues with
	Findings []Finding
	Err      error // why there are none
}

// Run lints every image of the folder and hands each result to done, one at a time and in the order of the images. All labels are read
// first, since what is usual in them is evidence, and so are the labels of near duplicates. An image that fails does not keep the others from being linted. When ctx ends,
// Run finishes the images that it has begun and returns why ctx ended.
func Run(ctx context.Context, images []string, o Options, done func(Result)) error {
	l := &linter{Options: o, twins: &folderTwins{within: o.Twins.GroupBits, of: map[string]int{}, labels: o.Labels}, knows: map[string][]string{}}
	classes, faults, err := l.learn(ctx, images)
	if err != nil {
		return err
	}
	if l.wants, err = newWants(o.Wishes, classes); err != nil {
		return err
	}
	l.translations = taxonomy.NewTranslations(l.wants.Registry, slog.New(slog.DiscardHandler))
	for _, d := range o.Models {
		m := d.Model()
		_, classes := l.translations.Translate(o.Wishes.Rules.Dataset, m, nil)
		l.classes, l.knows[m.ID] = append(l.classes, classes...), m.Classes
	}
	return inOrder(ctx, len(images), o.Jobs, func(i int) Result { return l.lint(ctx, images[i], faults[i]) }, func(_ int, r Result) { done(r) })
}

// inOrder is batch.Each with the results in the order of the numbers; those that were not begun are left out.
func inOrder[R any](ctx context.Context, n, atATime int, work func(i int) R, done func(i int, result R)) error {
	next, waiting := 0, map[int]R{}
	flush := func() {
		for r, ok := waiting[next]; ok; r, ok = waiting[next] {
			delete(waiting, next)
			done(next, r)
			next++
		}
	}
	err := batch.Each(ctx, n, atATime, work, func(i int, r R) {
		waiting[i] = r
		flush()
	})
	for ; len(waiting) > 0; next++ { // of an end among the jobs of one moment
		flush()
	}
	return err
}

type linter struct {
	Options
	translations *taxonomy.Translations
	classes      []string            // that the models can give the dataset
	knows        map[string][]string // classes of models by their own names, by id
	habits       *evidence.Habits
	twins        *folderTwins
	wants        wants
}

// Habits implements lint.Habits.
func (l *linter) Habits(string) *evidence.Habits { return l.habits }

// learn reads all images and labels, for what is usual among them and for which are near duplicates. It returns the classes that labels can have,
// as far as they can be read, and why images cannot be linted.
func (l *linter) learn(ctx context.Context, images []string) (classes []string, faults []error, err error) {
	faults, met := make([]error, len(images)), map[string]bool{}
	l.habits = evidence.HabitsOf(func(yield func(*schemas.Sample) bool) {
		err = inOrder(ctx, len(images), l.Jobs, func(i int) (s schemas.Sample) {
			s, faults[i] = l.look(images[i])
			return s
		}, func(_ int, s schemas.Sample) {
			l.twins.add(s)
			for _, o := range s.Objects {
				met[o.Class] = true
			}
			yield(&s)
		})
	})
	for _, class := range l.Labels.Names {
		met[class] = true
	}
	return slices.Sorted(maps.Keys(met)), faults, err
}

// look reads an image with its labels, and its perceptual hash where it has labels and shows anything, as ingest does.
func (l *linter) look(name string) (s schemas.Sample, err error) {
	path := filepath.Join(l.Images, filepath.FromSlash(name))
	if s.Image.W, s.Image.H, err = batch.Size(path, l.Limits); err != nil {
		return s, err
	}
	var labeled bool
	if s.Objects, labeled, err = l.Labels.Objects(name, s.Image.W, s.Image.H); err != nil || !labeled || l.Twins.GroupBits < 0 {
		return s, err
	}
	img, _, _, err := batch.Read(path, l.Limits)
	if err != nil {
		return s, err
	}
	if m := ingest.Measure(img); m.Deviation >= l.Twins.MinDeviation {
		s.UniqueID, s.PHash = name, m.PHash
	}
	return s, nil
}

func (l *linter) lint(ctx context.Context, name string, fault error) Result {
	r := Result{Image: name, Err: fault}
	if r.Err != nil {
		return r
	}
	path := filepath.Join(l.Images, filepath.FromSlash(name))
	img, _, data, err := batch.Read(path, l.Limits)
	if err != nil {
		r.Err = err
		return r
	}
	s := schemas.Sample{Dataset: l.Wishes.Rules.Dataset, Task: "detect", UniqueID: name, Rank: schemas.RankHuman, Image: schemas.ImageRef{SHA256: sha256.Sum256(data), W: img.W, H: img.H}}
	if s.Objects, r.Labeled, r.Err = l.Labels.Objects(name, img.W, img.H); r.Err != nil || !r.Labeled {
		return r
	}
	r.Labels, s.Objects = len(s.Objects), slices.Clone(s.Objects)
	for i, o := range s.Objects {
		s.Objects[i].Canonical = l.wants.canonical(s.Dataset, o.Class)
		if !slices.Contains(r.Classes, o.Class) {
			r.Classes = append(r.Classes, o.Class)
		}
	}
	var said sampleLosses
	if l.Losses != nil {
		said = l.Losses.about(name, s.Image.SHA256, l.Labels, s.Objects)
		r.Argued = said.here(s.Objects)
	}
	cache := pixels.NewCache(schemas.ByteSize(len(img.Pix)), func(context.Context, string) ([]byte, error) { return nil, fs.ErrNotExist })
	cache.Put(ctx, s.Image.SHA256, img)
	var found []schemas.Finding
	if found, err = l.steps(ctx, s, cache, said, &r); err != nil {
		r.Err = fmt.Errorf("%s: %w", path, err)
		return r
	}
	for _, f := range found {
		if f.Type == schemas.FindingMissing && inCrowd(f, l.Labels.Crowds(name)) {
			continue
		}
		if !l.wants.has(f.FixClass) { // a super-class, which labels have no name for
			f.FixClass = ""
		}
		r.Findings = append(r.Findings, newFinding(name, f, img.W, img.H))
	}
	return r
}

// inCrowd tells whether most of what is missing lies in a crowd region of its class, as COCO's evaluation matches detections to these.
func inCrowd(f schemas.Finding, crowds []schemas.Object) bool {
	return slices.ContainsFunc(crowds, func(c schemas.Object) bool {
		return c.Class == f.Class && c.Box.Intersect(f.Box).Area() >= f.Box.Area()/2
	})
}

// steps lets the models and then lint look at a sample, with what a training run said of it, and says in r which classes are only the labels' or only the models'.
func (l *linter) steps(ctx context.Context, s schemas.Sample, images *pixels.Cache, said sampleLosses, r *Result) (found []schemas.Finding, err error) {
	violations, err := l.wants.rules.Check(ctx, &s, s.Objects)
	if err != nil {
		return nil, err
	}
	violations = slices.DeleteFunc(violations, func(v schemas.Violation) bool {
		if v.Unevaluated && !slices.Contains(r.Unasked, v.Rule) {
			r.Unasked = append(r.Unasked, v.Rule)
		}
		return v.Unevaluated
	})
	look, err := prelabel.New(l.Prelabel, prelabel.Deps{
		Models: prelabel.Fixed(l.Models), Images: images, Classes: l.translations, Rules: l.wants, Version: l.Version,
	})
	if err != nil {
		return nil, err
	}
	doubt, err := lint.New(l.Lint, lint.Deps{
		Classes: func(*schemas.Sample) []string { return l.classes }, Models: func(id string) []string { return l.knows[id] },
		Taxonomy: l.wants, Demands: checked{l.wants.rules, violations},
		Images: images, Habits: l, Twins: l.twins, Losses: said, Version: l.Version,
	})
	if err != nil {
		return nil, err
	}
	out, err := look.Process(ctx, s)
	if err != nil {
		return nil, err
	}
	if out, err = doubt.Process(ctx, out[0]); err != nil {
		return nil, err
	}
	r.Unknown = doubt.Unknown(&s)
	for _, p := range out[0].Proposals {
		if p.Score >= l.Lint.Rules.MinScore && !l.wants.ruled && l.wants.Unlabeled(s.Dataset, p.Class) && !slices.Contains(r.Beyond, p.Class) {
			r.Beyond = append(r.Beyond, p.Class)
		}
	}
	return out[0].Findings, nil
}

// checked are rules with what breaks them in one sample.
type checked struct {
	*rules.Registry
	violations []schemas.Violation
}

// Check implements lint.Demands.
func (c checked) Check(context.Context, *schemas.Sample, []schemas.Object) ([]schemas.Violation, error) {
	return c.violations, nil
}

// Finding is a line of the output.
type Finding struct {
	Image string              `json:"image"`
	Type  schemas.FindingType `json:"type"`
	Box   [4]float32          `json:"box"`       // x1, y1, x2, y2 in pixels of the upright image
	Index *int                `json:"box_index"` // of the label among those of the image in its file, from 0; null where there is none
	Class string              `json:"class"`     // of the label, or what is missing
	Score float32             `json:"score"`     // [0,1]
	Why   string              `json:"why"`
	Fix   *Fix                `json:"fix"` // null where none is offered
}

// Fix is what would make the label right.
type Fix struct {
	Box    *[4]float32 `json:"box,omitempty"`    // the label's box, or the missing one
	Class  string      `json:"class,omitempty"`  // the label's class, or the missing one's
	Remove bool        `json:"remove,omitempty"` // the label is of nothing, there twice, without area or outside the image
}

// newFinding is the line of a finding in an image of w by h pixels.
func newFinding(image string, f schemas.Finding, w, h int) Finding {
	out := Finding{Image: image, Type: f.Type, Box: [4]float32{f.Box.X1, f.Box.Y1, f.Box.X2, f.Box.Y2}, Class: f.Class, Score: f.Score, Why: f.Why}
	if place, ok := formats.Place(f.ObjectID); ok {
		out.Index = &place
	}
	nothing := f.Type == schemas.FindingDegenerate && f.Fix == nil && f.Box.Clip(w, h).Empty()
	fix := Fix{Class: f.FixClass, Remove: f.Removes() || nothing}
	if b := f.Fix; b != nil {
		fix.Box = &[4]float32{b.X1, b.Y1, b.X2, b.Y2}
	}
	if fix != (Fix{}) {
		out.Fix = &fix
	}
	return out
}
