package prelabel

import (
	"context"
	"fmt"
	"time"

	"gleaner/schemas"
	"gleaner/stages/pixels"
)

// Prelabel is the step. It is safe for concurrent use.
type Prelabel struct {
	cfg      Config
	detector Detector
	images   *pixels.Cache
	version  string
}

// New makes the step. detector is nil where no model is configured; version is the binary's, for provenance.
func New(cfg Config, detector Detector, images *pixels.Cache, version string) (*Prelabel, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("prelabel: %w", err)
	}
	if cfg.Model != "" && detector == nil {
		return nil, fmt.Errorf("prelabel: model %s is configured but not loaded", cfg.Model)
	}
	return &Prelabel{cfg: cfg, detector: detector, images: images, version: version}, nil
}

// Process labels a sample. Without a model, everything but stage and stamps stays as it is. Labels made by people are
// kept: such a sample gets proposals only. Errors come from fetching or decoding the image and from the runtime.
func (p *Prelabel) Process(ctx context.Context, in schemas.Sample) ([]schemas.Sample, error) {
	start := time.Now()
	stamp := schemas.Stamp{Step: "prelabel", Version: p.version}
	if p.detector != nil {
		m := p.detector.Model()
		stamp.Model, stamp.Hash = m.ID, m.SHA256.String()
		if err := p.label(ctx, &in); err != nil {
			return nil, fmt.Errorf("prelabel: sample %s: %w", in.ID, err)
		}
	}
	in.Stage = schemas.StagePrelabeled
	stamp.At = time.Now().UTC().Truncate(time.Microsecond)
	stamp.Millis = float32(time.Since(start).Seconds() * 1000)
	in.Stamps = append(in.Stamps[:len(in.Stamps):len(in.Stamps)], stamp)
	return []schemas.Sample{in}, nil
}

func (p *Prelabel) label(ctx context.Context, s *schemas.Sample) error {
	img, err := p.images.Image(ctx, s.Image)
	if err != nil {
		return err
	}
	found, err := p.detector.Detect(ctx, img, p.cfg.Low)
	if err != nil {
		return err
	}
	s.Proposals = Suppress(found, p.cfg.ProposalIoU, p.cfg.MaxProposals)
	for i := range s.Proposals {
		s.Proposals[i].ID = fmt.Sprintf("p%d", i+1)
	}
	if s.Rank >= schemas.RankHuman {
		return nil
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
	return nil
}
