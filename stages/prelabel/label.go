package prelabel

import (
	"context"
	"slices"
	"strconv"

	"gleaner/schemas"
	"gleaner/stages/prelabel/fuse"
)

// label makes proposals of what the models found, and objects of the sure ones unless people have labeled the sample.
//
// Proposals are each model's own detections: what lint compares labels with, and what people's corrections are told from. Objects
// are one list, fused. Both have the boxes that the dataset's people would draw, and as score the chance of being accepted.
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

// proposals gives every model an equal part of their number: one with higher scores must not silence the others.
func (p *Prelabel) proposals(s *schemas.Sample, opinions []opinion) []schemas.Object {
	lists := make([][]schemas.Object, len(opinions))
	for i, o := range opinions {
		lists[i] = Suppress(o.found, p.cfg.ProposalIoU, max(p.cfg.MaxProposals/len(opinions), 1))
	}
	all := lists[0]
	if len(lists) > 1 {
		all = slices.Concat(lists...)
	}
	for i := range all {
		p.move(s, &all[i])
		all[i].Calibrate(p.chance(s.Dataset, &all[i]))
	}
	sortByScore(all)
	for i := range all {
		all[i].ID = "p" + strconv.Itoa(i+1)
	}
	return all
}

func (p *Prelabel) objects(ctx context.Context, s *schemas.Sample, opinions []opinion) ([]schemas.Object, error) {
	all, fused := opinions[0].found, len(opinions) > 1
	if fused {
		all = p.fused(s, opinions)
	}
	type place struct { // in all, since objects are large
		at     int
		chance float32
	}
	var likely []place
	for i := range all {
		if chance := p.chance(s.Dataset, &all[i]); chance >= p.cfg.accept(s.Dataset) {
			likely = append(likely, place{i, chance})
		}
	}
	found := make([]schemas.Object, len(likely))
	for i, l := range likely {
		found[i] = all[l.at]
		found[i].Calibrate(l.chance)
		if !fused {
			p.move(s, &found[i])
		}
	}
	sortByScore(found)
	found = Suppress(found, p.cfg.IoU, p.cfg.MaxProposals)
	sure := slices.Grow([]schemas.Object(nil), len(found)) // nil for none
	for _, o := range found {
		if !o.Refine || !slices.ContainsFunc(found, func(by schemas.Object) bool { return p.refines(s.Dataset, by, o) }) {
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
		sure[i].ID = "o" + strconv.Itoa(i+1)
	}
	return sure, nil
}

// refines tells whether an object is what another, of a super-class only, has to be refined to.
func (p *Prelabel) refines(dataset string, by, o schemas.Object) bool {
	return !by.Refine && by.Box.IoU(o.Box) >= p.cfg.IoU && slices.Contains(p.Classes.Path(dataset, by.Class), o.Canonical)
}

// fused is one new list of all opinions, at the boxes that the dataset's people would draw.
func (p *Prelabel) fused(s *schemas.Sample, opinions []opinion) []schemas.Object {
	perModel, models := make([][]schemas.Object, len(opinions)), make([]fuse.Model, len(opinions))
	for i, o := range opinions {
		perModel[i], models[i] = Suppress(o.found, p.cfg.IoU, p.cfg.MaxProposals), o.model
		for j := range perModel[i] {
			p.move(s, &perModel[i][j])
		}
	}
	if p.Learned == nil {
		return fuse.New(models).Fuse(perModel)
	}
	return p.Learned.Fuse(s.Dataset, models, perModel)
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

// chance is the probability that the dataset's people accept a detection; where nothing has been learned, its score.
func (p *Prelabel) chance(dataset string, o *schemas.Object) float32 {
	if p.Learned == nil {
		return o.Score
	}
	return p.Learned.Probability(dataset, o.Class, o.Source, o.Score)
}
