package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"gleaner/deploy/bench/superpixel/labeler"
	"gleaner/stages/superpixel"
)

// approach is regions that a person marks objects by. Several levels under a hand that begins at the finest or a coarser one
// are as many approaches.
type approach struct {
	name  string
	group string // of which the best stands for all
}

// The groups.
const (
	levelsGroup = "ours, levels"
	singleGroup = "ours, one level"
	peerGroup   = "scikit-image, one level"
)

// object is one instance of a set and what it takes to mark it.
type object struct {
	area       int // pixels
	vertices   int // of the polygon as given
	simplified int // of the fewest of them that are enough
	actions    map[approach]float64
}

// singleRegions are the numbers of regions that are tried without levels.
var singleRegions = []int{100, 200, 400, 800, 1600, 3200}

// labeling counts what a simulated person takes to mark the instances of coco128.
func (b *bench) labeling(ctx context.Context, out io.Writer) error {
	pics, err := b.readPictures("coco", b.path("coco128", "images"), whole)
	if err != nil {
		return err
	}
	var mu sync.Mutex // of the peers and the objects
	var objects []*object
	skipped := 0
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU())
	for _, pic := range pics {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			own, empty, err := readInstances(b.path("coco128", "instances", pic.name+".txt"), pic)
			if err != nil || len(own) == 0 {
				return err
			}
			if err := b.label(pic, own, &mu); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			skipped += empty
			for _, o := range own {
				objects = append(objects, &o.object)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if len(objects) == 0 {
		return errors.New("coco128 has no instances")
	}
	printLabeling(out, objects, skipped)
	return nil
}

// instance is an object with its pixels.
type instance struct {
	object
	mask []bool
}

func readInstances(path string, pic *picture) (all []*instance, empty int, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		_, polygons, err := labeler.ParseYOLO(lines.Text(), pic.img.W, pic.img.H)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		o := &instance{mask: polygons.Mask(pic.img.W, pic.img.H)}
		o.actions, o.vertices = map[approach]float64{}, polygons.Vertices()
		for _, on := range o.mask {
			if on {
				o.area++
			}
		}
		if o.area == 0 {
			empty++
			continue
		}
		o.simplified = polygons.Simplify(pic.img.W, pic.img.H).Vertices()
		all = append(all, o)
	}
	return all, empty, lines.Err()
}

// label has all approaches mark the objects of a picture.
func (b *bench) label(pic *picture, objects []*instance, mu *sync.Mutex) error {
	mark := func(names []approach, maps ...[]uint16) error {
		p, err := labeler.New(pic.img.W, pic.img.H, maps...)
		if err != nil {
			return err
		}
		for _, o := range objects {
			for start, plan := range p.Label(o.mask) {
				if plan.IoU < labeler.Enough {
					return fmt.Errorf("%s: %s: a plan reaches IoU %.4f when it is played", pic.name, names[start].name, plan.IoU)
				}
				o.actions[names[start]] = plan.Actions
			}
		}
		return nil
	}
	for levels := 3; levels <= 4; levels++ {
		m := b.segmenter.Segment(pic.img.Pix, pic.img.W, pic.img.H, superpixel.Params{Regions: 3200, Quality: superpixel.Fine, Levels: levels, Threads: 1})
		var names []approach
		var maps [][]uint16
		for l := range m.Counts() {
			names = append(names, approach{fmt.Sprintf("%d levels, level %d at first", levels, l+1), levelsGroup})
			maps = append(maps, m.At(l))
		}
		if err := mark(names, maps...); err != nil {
			return err
		}
		if levels == 4 {
			for l, labels := range maps {
				if err := mark([]approach{{fmt.Sprintf("level %d of 4 alone", l+1), singleGroup}}, labels); err != nil {
					return err
				}
			}
		}
	}
	for _, k := range singleRegions {
		name := fmt.Sprintf("K=%d", k)
		m := b.segmenter.Segment(pic.img.Pix, pic.img.W, pic.img.H, superpixel.Params{Regions: k, Quality: superpixel.Fine, Threads: 1})
		if err := mark([]approach{{name, singleGroup}}, m.Labels); err != nil {
			return err
		}
		mu.Lock()
		d, err := b.peers.divide(scikitImage, pic, float64(k), true)
		mu.Unlock()
		if err != nil {
			return err
		}
		if err := mark([]approach{{name, peerGroup}}, d.labels); err != nil {
			return err
		}
	}
	return nil
}
