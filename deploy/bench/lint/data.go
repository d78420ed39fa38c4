package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/connectors/formats"
	"gleaner/connectors/onnx"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
	"gleaner/stages/superpixel"
	"gleaner/stages/taxonomy"
)

// models are the detectors of the real data, all of COCO's classes and trained on COCO's train2017, of which coco128 is a part.
var models = []string{"yolox_nano", "FastestDet", "nanodet"}

// tiles is into how many by how many tiles the pictures are cut. Looks are counted by model, first those at whole pictures and then those
// that see tiles, too.
const tiles = 3

var looks = [2]int{1, tiles}

// picture is a labeled image with all that lint may see of it.
type picture struct {
	stem    string
	img     *pixels.Image
	sample  schemas.Sample         // labels as they are, superpixels, no candidates
	by      [][]schemas.Candidates // by look
	detects [][]schemas.Object     // by look, as proposals
}

// with is a copy of the sample as some of the looks left it, with other labels.
func (p *picture) with(which []int, labels []schemas.Object) *schemas.Sample {
	s := p.sample
	s.Objects, s.Rank, s.Proposals, s.Candidates = labels, schemas.RankHuman, nil, nil
	for _, m := range which {
		s.Candidates = append(s.Candidates, p.by[m]...)
		s.Proposals = append(s.Proposals, p.detects[m]...)
	}
	s.Stamps = []schemas.Stamp{{Step: "prelabel", Model: "m@1", Hash: "00"}}
	return &s
}

// bench is what the sections share.
type bench struct {
	options
	data      string
	sessions  []*onnx.Session
	detectors []prelabel.Detector
	classes   []string          // that the models know
	super     map[string]string // of each class
	sets      map[string][]*picture
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
		if p.sample.Superpixels.Data, err = m.Encode(); err != nil {
			return nil, err
		}
		p.sample.Superpixels.Count = m.Counts()[0]
		cfg := prelabel.DefaultConfig()
		for _, n := range looks {
			for _, d := range b.detectors {
				found, cells, err := prelabel.Look(ctx, d, img, cfg.Low, cfg.Dense, n)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", file, err)
				}
				found = prelabel.Suppress(found, cfg.ProposalIoU, cfg.MaxProposals)
				for k := range found {
					found[k].ID = fmt.Sprintf("%s/p%d", d.Model().ID, k+1)
				}
				p.by, p.detects = append(p.by, cells), append(p.detects, found)
			}
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
