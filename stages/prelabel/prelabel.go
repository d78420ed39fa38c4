package prelabel

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel/fuse"
)

// Deps is what the step works with. Only Models and Images are required.
type Deps struct {
	Models  Models
	Images  *pixels.Cache
	Classes Classes // nil: every dataset has the models' classes
	Learned Learned // nil: nothing has been learned
	Rules   Rules   // nil: no dataset has rules
	Version string  // of the binary, for provenance
}

// Classes knows what the models' classes are to datasets.
type Classes interface {
	// Translate returns detections of a model by the classes that a dataset wants, without those that it has no use for, and the
	// classes that this model can give the dataset. It may return found itself, but does not change it.
	Translate(dataset string, m schemas.Model, found []schemas.Object) (objects []schemas.Object, classes []string)
	// Path lists a class of a dataset and the canonical classes above it, the nearest first.
	Path(dataset, class string) []string
}

// Learned is what corrections have taught of datasets. Where they have taught nothing, Move returns the box and Probability the
// score that it was given.
type Learned interface {
	// Fuse makes one list of the detections of several models: perModel[i] are those of models[i], suppressed within each class.
	Fuse(dataset string, models []fuse.Model, perModel [][]schemas.Object) []schemas.Object
	// Move returns a model's box as the dataset's people would draw it, in an image of w by h pixels.
	Move(dataset, class, source string, box geometry.Box, w, h int) geometry.Box
	// Probability is the chance, (0,1), that people accept a detection with this score.
	Probability(dataset, class, source string, score float32) float32
}

// Rules keeps what a dataset's rules let in; without rules all.
type Rules interface {
	Keep(ctx context.Context, s *schemas.Sample, objects []schemas.Object) ([]schemas.Object, error)
}

// Prelabel is the step. It is safe for concurrent use.
type Prelabel struct {
	cfg Config
	Deps
}

// New makes the step.
func New(cfg Config, deps Deps) (*Prelabel, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("prelabel: %w", err)
	}
	return &Prelabel{cfg, deps}, nil
}

// Process is ProcessAndEmbed without embeddings.
func (p *Prelabel) Process(ctx context.Context, in schemas.Sample) ([]schemas.Sample, error) {
	out, _, err := p.ProcessAndEmbed(ctx, in)
	return out, err
}

// ProcessAndEmbed labels a sample by all models that serve it, with a stamp for each, and gives the embeddings of its image and
// objects by each that has features. Where no model serves, everything but stage and stamp stays as it is. Labels made by people are kept: such a sample gets proposals only. Errors come from models that do not serve
// yet, from fetching or decoding the image, from the runtime, and from rules that cannot be asked.
func (p *Prelabel) ProcessAndEmbed(ctx context.Context, in schemas.Sample) ([]schemas.Sample, []schemas.Emit, error) {
	start := time.Now()
	detectors, release, err := p.Models.Take(in.Dataset, in.ID)
	if err != nil {
		return nil, nil, fmt.Errorf("prelabel: sample %s: %w", in.ID, err)
	}
	defer release()
	stamps := []schemas.Stamp{{}}
	var embeddings []schemas.Emit
	if len(detectors) > 0 {
		var found []opinion
		if found, stamps, err = p.ask(ctx, &in, detectors); err == nil {
			in.Candidates = p.candidates(&in, found)
			err = p.label(ctx, &in, found)
		}
		if err == nil {
			embeddings, err = embed(&in, found)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("prelabel: sample %s: %w", in.ID, err)
		}
	}
	in.Stage = schemas.StagePrelabeled
	rest := millis(start)
	for i := range stamps {
		stamps[i].Step, stamps[i].Version, stamps[i].At = "prelabel", p.Version, time.Now().UTC().Truncate(time.Microsecond)
		rest -= stamps[i].Millis
	}
	stamps[0].Millis += rest // the image, and what became of the detections
	in.Stamps = slices.Concat(in.Stamps, stamps)
	return []schemas.Sample{in}, embeddings, nil
}

// opinion is what one model found in an image, best first, in the dataset's classes.
type opinion struct {
	model    fuse.Model
	found    []schemas.Object
	by       schemas.Model
	features *featureMap
	looks    []schemas.Candidates // in the dataset's classes, too
}

// ask returns what each detector finds, and a stamp for each with the time that it took.
func (p *Prelabel) ask(ctx context.Context, s *schemas.Sample, detectors []Detector) ([]opinion, []schemas.Stamp, error) {
	img, err := p.Images.Image(ctx, s.Image)
	if err != nil {
		return nil, nil, err
	}
	opinions, stamps := make([]opinion, len(detectors)), make([]schemas.Stamp, len(detectors))
	for i, d := range detectors {
		start, m := time.Now(), d.Model()
		watching, features := watch(ctx)
		found, looks, err := Look(watching, d, img, p.cfg.Low, p.cfg.Dense, p.cfg.tiles(s.Dataset))
		if err != nil {
			return nil, nil, fmt.Errorf("model %s: %w", m.ID, err)
		}
		classes := m.Classes
		if p.Classes != nil {
			found, classes = p.Classes.Translate(s.Dataset, m, found)
		}
		opinions[i] = opinion{fuse.Model{ID: m.ID, Classes: classes}, found, m, features, p.inTheirs(s.Dataset, m, looks)}
		stamps[i] = schemas.Stamp{Model: m.ID, Hash: m.SHA256.String(), Millis: millis(start)}
	}
	if !p.cfg.Closer || s.Rank < schemas.RankHuman {
		return opinions, stamps, nil
	}
	var models []fuse.Model
	var all [][]schemas.Object // that the dataset wants
	for _, o := range opinions {
		if o.by.Task == schemas.TaskClassify { // which puts everything in the whole image
			continue
		}
		wanted := o.found
		if p.Rules != nil {
			if wanted, err = p.Rules.Keep(ctx, s, o.found); err != nil {
				return nil, nil, err
			}
		}
		models, all = append(models, o.model), append(all, wanted)
	}
	things := Unlabeled(models, all, s.Objects)
	for i, d := range detectors {
		start, m := time.Now(), d.Model()
		if m.Task == schemas.TaskClassify {
			continue
		}
		near, err := Closer(ctx, d, img, s.Objects, things, p.cfg.Dense)
		if err != nil {
			return nil, nil, fmt.Errorf("model %s: %w", m.ID, err)
		}
		opinions[i].looks = append(opinions[i].looks, p.inTheirs(s.Dataset, m, near)...)
		stamps[i].Millis += millis(start)
	}
	return opinions, stamps, nil
}

// inTheirs are looks of a model in a dataset's classes.
func (p *Prelabel) inTheirs(dataset string, m schemas.Model, looks []schemas.Candidates) []schemas.Candidates {
	if p.Classes == nil {
		return looks
	}
	for k := range looks {
		looks[k] = translated(looks[k], func(of []schemas.Object) []schemas.Object {
			of, _ = p.Classes.Translate(dataset, m, of)
			return of
		})
	}
	return looks
}

func millis(since time.Time) float32 { return float32(time.Since(since).Seconds() * 1000) }
