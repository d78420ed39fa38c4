package prelabel

import (
	"context"
	"fmt"

	"gleaner/schemas"
	"gleaner/stages/prelabel/fuse"
)

// label makes proposals of what the models found, and objects of the sure ones unless people have labeled the sample.
//
// Proposals are each model's own detections with its own scores, at the boxes that the dataset's people would draw: what lint
// compares labels with, and what people's corrections are told from. Objects are one list, fused, with the chance of being
// accepted as score.
func (p *Prelabel) label(ctx context.Context, s *schemas.Sample, opinions []opinion) error {
	s.Proposals = p.proposals(s, opinions)
	if s.Rank >= schemas.RankHuman {
		return nil
	}
	objects, err := p.objects(ctx, s, opinions)
	if err != nil {
		return err
	}
	s.Objects, s.Rank = objects, schemas.RankAutomatic
	return nil
}

func (p *Prelabel) proposals(s *schemas.Sample, opinions []opinion) []schemas.Object {
	var all []schemas.Object
	for _, o := range opinions {
		all = append(all, Suppress(o.found, p.cfg.ProposalIoU, p.cfg.MaxProposals)...)
	}
	sortByScore(all)
	all = all[:min(len(all), p.cfg.MaxProposals)]
	for i := range all {
		p.move(s, &all[i])
		all[i].ID = fmt.Sprintf("p%d", i+1)
	}
	return all
}

func (p *Prelabel) objects(ctx context.Context, s *schemas.Sample, opinions []opinion) ([]schemas.Object, error) {
	found := p.fused(s.Dataset, opinions)
	for i := range found {
		p.move(s, &found[i])
		if o := &found[i]; p.Learned != nil {
			o.Score = p.Learned.Probability(s.Dataset, o.Class, o.Source, o.Score)
		}
	}
	sortByScore(found)
	var sure []schemas.Object
	for _, o := range Suppress(found, p.cfg.IoU, p.cfg.MaxProposals) {
		if o.Score >= p.cfg.accept(s.Dataset) {
			sure = append(sure, o)
		}
	}
	if p.Rules != nil {
		var err error
		if sure, err = p.Rules.Keep(ctx, s, sure); err != nil {
			return nil, err
		}
	}
	for i := range sure {
		sure[i].ID = fmt.Sprintf("o%d", i+1)
	}
	return sure, nil
}

// fused is one new list of all opinions.
func (p *Prelabel) fused(dataset string, opinions []opinion) []schemas.Object {
	perModel, models := make([][]schemas.Object, len(opinions)), make([]fuse.Model, len(opinions))
	for i, o := range opinions {
		perModel[i], models[i] = Suppress(o.found, p.cfg.IoU, p.cfg.MaxProposals), o.model
	}
	switch {
	case len(opinions) == 1:
		return perModel[0]
	case p.Learned == nil:
		return fuse.New(models).Fuse(perModel)
	}
	return p.Learned.Fuse(dataset, models, perModel)
}

// move puts a box to where the dataset's people would draw it.
func (p *Prelabel) move(s *schemas.Sample, o *schemas.Object) {
	if p.Learned == nil {
		return
	}
	if box := p.Learned.Move(s.Dataset, o.Class, o.Source, o.Box, s.Image.W, s.Image.H); box != o.Box {
		o.Raw, o.Box = o.Box, box
	}
}
