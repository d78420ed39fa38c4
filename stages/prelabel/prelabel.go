package prelabel

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gleaner/schemas"
	"gleaner/stages/pixels"
)

// Prelabel is the step. It is safe for concurrent use.
type Prelabel struct {
	cfg     Config
	models  Models
	images  *pixels.Cache
	version string
}

// New makes the step. version is the binary's, for provenance.
func New(cfg Config, models Models, images *pixels.Cache, version string) (*Prelabel, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("prelabel: %w", err)
	}
	return &Prelabel{cfg: cfg, models: models, images: images, version: version}, nil
}

// Process labels a sample by all models that serve it, with a stamp for each. Where none does, everything but stage and stamp
// stays as it is. Labels made by people are kept: such a sample gets proposals only. Errors come from models that do not serve
// yet, from fetching or decoding the image and from the runtime.
func (p *Prelabel) Process(ctx context.Context, in schemas.Sample) ([]schemas.Sample, error) {
	start := time.Now()
	detectors, release, err := p.models.Take(in.Dataset, in.ID)
	if err != nil {
		return nil, fmt.Errorf("prelabel: sample %s: %w", in.ID, err)
	}
	defer release()
	stamps := []schemas.Stamp{{}}
	if len(detectors) > 0 {
		var found []schemas.Object
		if found, stamps, err = p.detect(ctx, in.Image, detectors); err != nil {
			return nil, fmt.Errorf("prelabel: sample %s: %w", in.ID, err)
		}
		p.label(&in, found)
	}
	in.Stage = schemas.StagePrelabeled
	rest := millis(start)
	for i := range stamps {
		stamps[i].Step, stamps[i].Version, stamps[i].At = "prelabel", p.version, time.Now().UTC().Truncate(time.Microsecond)
		rest -= stamps[i].Millis
	}
	stamps[0].Millis += rest // the image, and what became of the detections
	in.Stamps = slices.Concat(in.Stamps, stamps)
	return []schemas.Sample{in}, nil
}

// detect returns what all detectors find, best first, and a stamp for each of them with the time that it took.
func (p *Prelabel) detect(ctx context.Context, ref schemas.ImageRef, detectors []Detector) ([]schemas.Object, []schemas.Stamp, error) {
	img, err := p.images.Image(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	var found []schemas.Object
	var stamps []schemas.Stamp
	for _, d := range detectors {
		start, m := time.Now(), d.Model()
		objects, err := d.Detect(ctx, img, p.cfg.Low)
		if err != nil {
			return nil, nil, fmt.Errorf("model %s: %w", m.ID, err)
		}
		found = append(found, objects...)
		stamps = append(stamps, schemas.Stamp{Model: m.ID, Hash: m.SHA256.String(), Millis: millis(start)})
	}
	sortByScore(found)
	return found, stamps, nil
}

// label makes proposals of detections, and objects of the sure ones unless people have labeled the sample.
func (p *Prelabel) label(s *schemas.Sample, found []schemas.Object) {
	s.Proposals = Suppress(found, p.cfg.ProposalIoU, p.cfg.MaxProposals)
	for i := range s.Proposals {
		s.Proposals[i].ID = fmt.Sprintf("p%d", i+1)
	}
	if s.Rank >= schemas.RankHuman {
		return
	}
	s.Objects = nil
	for _, o := range Suppress(found, p.cfg.IoU, p.cfg.MaxProposals) {
		if o.Score < p.cfg.accept(s.Dataset) {
			break
		}
		o.ID = fmt.Sprintf("o%d", len(s.Objects)+1)
		s.Objects = append(s.Objects, o)
	}
	s.Rank = schemas.RankAutomatic
}

func millis(since time.Time) float32 { return float32(time.Since(since).Seconds() * 1000) }
