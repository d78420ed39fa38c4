package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"gleaner/connectors/formats"
	"gleaner/deploy/bench/prelabel/looks"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
	"gleaner/stages/prelabel/evaluate"
	"gleaner/stages/prelabel/fuse"
)

// picture is a labeled image with what the models found.
type picture struct {
	name   string
	look   looks.Look
	truth  []schemas.Object
	slices map[string]string
	found  [][]schemas.Object // by model; best first, suppressed as the step does by default
}

// scored are pictures that the models have seen.
type scored struct {
	models   []string
	pictures []picture
}

// first are the detections of the first model.
func (s *scored) first() [][]schemas.Object { return s.of(0) }

// of are the detections of a model.
func (s *scored) of(model int) [][]schemas.Object {
	out := make([][]schemas.Object, len(s.pictures))
	for i, p := range s.pictures {
		out[i] = p.found[model]
	}
	return out
}

// images are the pictures for fusion, with of each model's detections those of classes that it is said to know.
func (s *scored) images(models []fuse.Model) []fuse.Image {
	out := make([]fuse.Image, len(s.pictures))
	for i, p := range s.pictures {
		out[i] = fuse.Image{ID: p.name, Truth: p.truth}
		for m, model := range models {
			out[i].Found = append(out[i].Found, slices.DeleteFunc(slices.Clone(p.found[m]), func(o schemas.Object) bool { return !slices.Contains(model.Classes, o.Class) }))
		}
	}
	return out
}

// allKnowing are the models, each with every class.
func (b *bench) allKnowing() []fuse.Model {
	out := make([]fuse.Model, len(b.detectors))
	for i, d := range b.detectors {
		out[i] = fuse.Model{ID: d.Model().ID, Classes: b.classes}
	}
	return out
}

// evaluation is what some detections, one list a picture, are worth at IoU 0.5.
func (s *scored) evaluation(found [][]schemas.Object) *evaluate.Precision {
	all := make([]evaluate.Image, len(s.pictures))
	for i, p := range s.pictures {
		all[i] = evaluate.Image{Truth: p.truth, Found: found[i]}
	}
	return evaluate.NewPrecision(all, 0.5)
}

// coco128 is detected once a run.
func (b *bench) coco128(ctx context.Context) (_ *scored, err error) {
	if b.coco == nil {
		b.coco, err = b.coco128In(ctx, 1)
	}
	return b.coco, err
}

// coco128In looks at so many by so many tiles of each picture, too.
func (b *bench) coco128In(ctx context.Context, tiles int) (*scored, error) {
	dir := filepath.Join(b.data, "coco128", "images")
	beside, err := formats.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err := formats.Images(dir)
	if err != nil {
		return nil, err
	}
	return b.detect(ctx, len(names), tiles, func(p *picture, i int) (*pixels.Image, error) {
		p.name = names[i]
		data, err := os.ReadFile(filepath.Join(dir, names[i]))
		if err != nil {
			return nil, err
		}
		img, _, err := pixels.Decode(data, pixels.DefaultLimits())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", names[i], err)
		}
		p.truth, _, err = beside.Objects(names[i], img.W, img.H)
		return img, err
	})
}

// detect runs every model on n pictures and on tiles of them. open returns the image of picture i and fills in its name, labels and slices.
func (b *bench) detect(ctx context.Context, n, tiles int, open func(p *picture, i int) (*pixels.Image, error)) (*scored, error) {
	s := &scored{pictures: make([]picture, n)}
	for _, d := range b.detectors {
		s.models = append(s.models, d.Model().ID)
	}
	cfg := prelabel.DefaultConfig()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i := range s.pictures {
		group.Go(func() error {
			p := &s.pictures[i]
			img, err := open(p, i)
			if err != nil {
				return err
			}
			p.look = looks.Of(img)
			for _, d := range b.detectors {
				found, _, err := prelabel.Look(ctx, d, img, cfg.Low, prelabel.Dense{}, tiles)
				if err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				p.found = append(p.found, prelabel.Suppress(found, cfg.IoU, cfg.MaxProposals))
			}
			return nil
		})
	}
	return s, group.Wait()
}
