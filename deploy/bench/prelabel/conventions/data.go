// Package conventions measures what prelabel learns of a dataset's labeling rules from people's corrections: a rule is made up,
// labels are drawn by it, and boxes on images that were not learned from are moved by what was learned.
package conventions

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"gleaner/connectors/formats"
	"gleaner/deploy/bench/prelabel/looks"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/corrections"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
)

const low = 0.05 // the least score of a proposal, prelabel's default

// photo is an image with what a model proposes and what people labeled.
type photo struct {
	look   looks.Look
	sample schemas.Sample
	labels []schemas.Object
}

// set is a dataset with a made-up convention.
type set struct {
	name, folder string
	class        string            // of the proposals
	rename       map[string]string // the model's classes that propose it
	labeled      string            // the people's class
	rule         string            // the convention in words
	draw         func(b geometry.Box) geometry.Box
}

var animals = []string{"bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"}

// sets are the two that must be learned.
func sets() []set {
	all := map[string]string{}
	for _, a := range animals {
		all[a] = "animal"
	}
	return []set{
		{
			"raccoon", "raccoon", "animal", all, "raccoon", "12 % wider on both sides",
			func(b geometry.Box) geometry.Box {
				return geometry.Box{X1: b.X1 - 0.12*b.W(), Y1: b.Y1, X2: b.X2 + 0.12*b.W(), Y2: b.Y2}
			},
		},
		{
			"coco128", "coco128", "person",
			map[string]string{"person": "person"},
			"person", "bottom raised by 10 % of the height",
			func(b geometry.Box) geometry.Box { b.Y2 -= 0.1 * b.H(); return b },
		},
	}
}

// path is the taxonomy of the sets: a raccoon is an animal.
func path(_, class string) []string {
	if class == "raccoon" {
		return []string{"raccoon", "animal"}
	}
	return []string{class}
}

// load detects on every photo of a set that has a label of its class. data is the folder of real data.
func (s set) load(ctx context.Context, detector prelabel.Detector, data string) ([]photo, error) {
	dir := filepath.Join(data, s.folder, "images")
	beside, err := formats.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err := formats.Images(dir)
	if err != nil {
		return nil, err
	}
	var photos []photo
	for _, name := range names {
		bytes, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		img, _, err := pixels.Decode(bytes, pixels.DefaultLimits())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		labels, _, err := beside.Objects(name, img.W, img.H)
		if err != nil {
			return nil, err
		}
		labels = slices.DeleteFunc(labels, func(o schemas.Object) bool { return o.Class != s.labeled })
		if len(labels) == 0 {
			continue
		}
		for i := range labels {
			labels[i].ID = fmt.Sprintf("o%d", i+1)
		}
		found, err := detector.Detect(ctx, img, low)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		p := photo{look: looks.Of(img), labels: labels, sample: schemas.Sample{
			ID: schemas.NewSampleID(s.name, name, schemas.Hash{}), Dataset: s.name, UniqueID: name, Rank: schemas.RankHuman, Revision: 1,
			Image:  schemas.ImageRef{W: img.W, H: img.H},
			Stamps: []schemas.Stamp{{Step: "prelabel", Model: detector.Model().ID}},
		}}
		for _, o := range found {
			if class, ok := s.rename[o.Class]; ok {
				o.Class, o.ID = class, fmt.Sprintf("p%d", len(p.sample.Proposals)+1)
				p.sample.Proposals = append(p.sample.Proposals, o)
			}
		}
		photos = append(photos, p)
	}
	return photos, nil
}

// accepted is what becomes of the proposals when people draw their labels by a rule: those that a label stands for.
func (p photo) accepted(draw func(geometry.Box) geometry.Box) []schemas.Correction {
	s := p.sample
	s.Objects = slices.Clone(p.labels)
	for i := range s.Objects {
		s.Objects[i].Box = draw(s.Objects[i].Box).Clip(s.Image.W, s.Image.H)
	}
	return slices.DeleteFunc(corrections.Judge(&s, path), func(c schemas.Correction) bool { return !c.Accepted })
}
