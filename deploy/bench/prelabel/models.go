package main

import (
	"errors"
	"path/filepath"
	"slices"

	"gleaner/connectors/onnx"
	"gleaner/schemas"
	"gleaner/stages/prelabel"
	"gleaner/stages/taxonomy"
)

// models are the detectors of the real data, all of COCO's classes.
var models = []string{"yolox_nano", "FastestDet", "nanodet"}

// labelSpace has the names of the labels, in the order of the models' outputs.
const labelSpace = "coco@2017"

// open loads the taxonomy and the models; close frees what was loaded, even if open failed.
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
		if m.Dataset == labelSpace {
			path := tree.Path(labelSpace, m.Class)
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

// below lists the classes of some super-classes.
func (b *bench) below(super ...string) []string {
	return slices.DeleteFunc(slices.Clone(b.classes), func(class string) bool { return !slices.Contains(super, b.super[class]) })
}
