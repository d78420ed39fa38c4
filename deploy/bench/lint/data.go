package main

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"gleaner/connectors/formats"
	"gleaner/connectors/onnx"
	"gleaner/schemas"
	"gleaner/schemas/labelmap"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
	"gleaner/stages/prelabel/fuse"
	"gleaner/stages/superpixel"
	"gleaner/stages/taxonomy"
)

// models are the detectors of the real data, all of COCO's classes and trained on COCO's train2017, of which coco128 is a part.
var models = []string{"yolox_nano", "FastestDet", "nanodet"}

// tiles is into how many by how many tiles the pictures are cut where models look at tiles, too.
const tiles = 3

// view is what of a picture models look at.
type view struct {
	models        []int
	tiles, closer bool
}

func (v view) String() string {
	var names []string
	for _, m := range v.models {
		names = append(names, models[m])
	}
	text := strings.Join(names, " + ")
	if v.tiles {
		text += fmt.Sprintf(", `--tiles %d`", tiles)
	}
	if v.closer {
		text += ", `--closer`"
	}
	return text
}

// looked is what a model saw in a picture, and which proposals that makes.
type looked struct {
	looks     []schemas.Candidates
	proposals []schemas.Object
}

// picture is a labeled image with all that lint may see of it.
type picture struct {
	stem         string
	img          *pixels.Image
	sample       schemas.Sample // labels as they are, superpixels, no candidates
	whole, tiled []looked       // by model
}

// saw is what model m saw, closer looks apart.
func (p *picture) saw(v view, m int) looked {
	if v.tiles {
		return p.tiled[m]
	}
	return p.whole[m]
}

// labeled is a copy of the sample with other labels, at which no model has looked.
func (p *picture) labeled(labels []schemas.Object) *schemas.Sample {
	s := p.sample
	s.Objects, s.Rank = labels, schemas.RankHuman
	return &s
}

// seen is a copy of the sample with other labels, as models left it.
func (b *bench) seen(ctx context.Context, p *picture, v view, labels []schemas.Object) (*schemas.Sample, error) {
	s := p.labeled(labels)
	var known []fuse.Model
	var found [][]schemas.Object
	for _, m := range v.models {
		saw, model := p.saw(v, m), b.detectors[m].Model()
		s.Candidates, s.Proposals = append(s.Candidates, saw.looks...), append(s.Proposals, saw.proposals...)
		known, found = append(known, fuse.Model{ID: model.ID, Classes: model.Classes}), append(found, saw.proposals)
	}
	if v.closer { // as prelabel does
		things := prelabel.Unlabeled(known, found, labels)
		for _, m := range v.models {
			near, err := prelabel.Closer(ctx, b.closely[m], p.img, labels, things, prelabel.DefaultConfig().Dense)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.stem, err)
			}
			s.Candidates = append(s.Candidates, near...)
		}
	}
	s.Stamps = []schemas.Stamp{{Step: "prelabel", Model: "m@1", Hash: "00"}}
	return s, nil
}

// bench is what the sections share.
type bench struct {
	options
	data      string
	sessions  []*onnx.Session
	detectors []prelabel.Detector
	closely   []prelabel.Detector // the same, for closer looks
	classes   []string            // that the models know
	super     map[string]string   // of each class
	sets      map[string][]*picture
	maps      *labelmap.Recent // of superpixels, as the flow keeps them
}

func (b *bench) open() (err error) {
	t, err := taxonomy.COCO()
	if err != nil {
		return err
	}
	tree, err := taxonomy.Build(t)
	if err != nil {
		return err
	}
	b.super = map[string]string{}
	for _, m := range t.Mappings {
		if m.Dataset == "coco@2017" {
			path := tree.Path(m.Dataset, m.Class)
			b.classes, b.super[m.Class] = append(b.classes, m.Class), path[len(path)-1]
		}
	}
	rt, err := onnx.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	for _, name := range models {
		session, err := rt.Load(filepath.Join(b.data, "models", name+".onnx"), onnx.DefaultConfig())
		if err != nil {
			return err
		}
		b.sessions = append(b.sessions, session)
		d, err := prelabel.Recognize(session, name+"@1", b.classes, schemas.Decode{})
		if err != nil {
			return err
		}
		b.detectors = append(b.detectors, d)
		b.closely = append(b.closely, &rememberer{Detector: d, seed: maphash.MakeSeed(), saw: map[uint64]schemas.Candidates{}})
	}
	return nil
}

func (b *bench) close() error {
	var err error
	for _, s := range b.sessions {
		err = errors.Join(err, s.Close())
	}
	return err
}

// set is one of the labeled datasets, which every model has looked at. It is read once a run.
func (b *bench) set(ctx context.Context, name string) ([]*picture, error) {
	if s, ok := b.sets[name]; ok {
		return s, nil
	}
	dir := filepath.Join(b.data, name, "images")
	beside, err := formats.Open(dir)
	if err != nil {
		return nil, err
	}
	files, err := formats.Images(dir)
	if err != nil {
		return nil, err
	}
	var segmenter superpixel.Segmenter
	var out []*picture
	for i, file := range files {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return nil, err
		}
		img, _, err := pixels.Decode(data, pixels.DefaultLimits())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		p := &picture{stem: strings.TrimSuffix(file, filepath.Ext(file)), img: img}
		labels, _, err := beside.Objects(file, img.W, img.H)
		if err != nil {
			return nil, err
		}
		p.sample = schemas.Sample{Dataset: name, UniqueID: file, Image: schemas.ImageRef{SHA256: schemas.Hash{byte(i), byte(i >> 8)}, W: img.W, H: img.H}, Objects: labels}
		m := segmenter.Segment(img.Pix, img.W, img.H, superpixel.DefaultConfig().Params())
		if p.sample.Superpixels.Data, err = b.maps.Encode(m); err != nil {
			return nil, err
		}
		p.sample.Superpixels.Count = m.Counts()[0]
		cfg := prelabel.DefaultConfig()
		look := func(d prelabel.Detector, n int) (looked, error) {
			found, cells, err := prelabel.Look(ctx, d, img, cfg.Low, cfg.Dense, n)
			if err != nil {
				return looked{}, fmt.Errorf("%s: %w", file, err)
			}
			found = prelabel.Suppress(found, cfg.ProposalIoU, cfg.MaxProposals)
			for k := range found {
				found[k].ID = fmt.Sprintf("%s/p%d", d.Model().ID, k+1)
			}
			return looked{cells, found}, nil
		}
		for _, d := range b.detectors {
			whole, err := look(d, 1)
			if err != nil {
				return nil, err
			}
			tiled, err := look(d, tiles)
			if err != nil {
				return nil, err
			}
			p.whole, p.tiled = append(p.whole, whole), append(p.tiled, tiled)
		}
		out = append(out, p)
	}
	b.sets[name] = out
	return out, nil
}

// relatives tells whether two classes are of one super-class; classes that no model knows are their own.
func (b *bench) relatives(x, y string) bool {
	return x == y || b.super[x] != "" && b.super[x] == b.super[y]
}

// labeled lists the classes that a set's labels have, sorted.
func labeled(set []*picture) []string {
	var out []string
	for _, p := range set {
		for _, o := range p.sample.Objects {
			if !slices.Contains(out, o.Class) {
				out = append(out, o.Class)
			}
		}
	}
	slices.Sort(out)
	return out
}

// rememberer remembers what its detector saw in parts of pictures: draws of errors leave most labels as they are, and closer looks at those
// see the same again.
type rememberer struct {
	prelabel.Detector
	seed maphash.Seed
	mu   sync.Mutex
	saw  map[uint64]schemas.Candidates
}

// DetectDense returns no objects of what was seen before: closer looks have no use for them.
func (r *rememberer) DetectDense(ctx context.Context, img *pixels.Image, low float32, d prelabel.Dense) ([]schemas.Object, schemas.Candidates, error) {
	key := maphash.Bytes(r.seed, img.Pix) ^ uint64(img.W) //nolint:gosec // not below 0
	r.mu.Lock()
	c, met := r.saw[key]
	r.mu.Unlock()
	if !met {
		var err error
		if _, c, err = r.Detector.DetectDense(ctx, img, low, d); err != nil {
			return nil, c, err
		}
		r.mu.Lock()
		r.saw[key] = c
		r.mu.Unlock()
	}
	c.Cells = slices.Clone(c.Cells) // which the caller changes, and sides
	for i := range c.Cells {
		if s := c.Cells[i].Sides; s != nil {
			own := *s
			own.P = slices.Clone(s.P)
			c.Cells[i].Sides = &own
		}
	}
	return nil, c, nil
}
