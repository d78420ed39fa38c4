// Package boxes reads the labeled boxes that trainers learn from, whatever they make of the pixels within.
package boxes

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
)

// Box is one labeled box.
type Box struct {
	Sample  schemas.SampleID
	Object  string
	Class   string
	Lineage string
	Split   schemas.Split
}

// Images gives the decoded image of a label.
type Images interface {
	Image(ctx context.Context, ref schemas.ImageRef) (*pixels.Image, error)
}

// Collect describes the boxes of labels, in their order, and says beside each what of makes of it. Boxes without an area within
// their image are left out, and so are those whose class is still to be refined. of is called on all cores; progress, by one
// goroutine at a time, with the labeled images that are done. It ends at the first error.
func Collect[T any](
	ctx context.Context, images Images, rule schemas.SplitRule, labels iter.Seq2[schemas.Label, error],
	of func(ctx context.Context, img *pixels.Image, box geometry.Box) (T, error), progress func(done int),
) ([]Box, []T, error) {
	type described struct {
		boxes []Box
		of    []T
	}
	var all []*described
	done := 0
	var mu sync.Mutex // of done and progress
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for label, err := range labels {
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("read labels: %w", err), group.Wait())
		}
		if working.Err() != nil {
			break
		}
		if len(label.Objects) == 0 {
			continue
		}
		d := &described{}
		all = append(all, d)
		group.Go(func() error {
			img, err := images.Image(working, label.Image)
			if err != nil {
				return fmt.Errorf("image of sample %s: %w", label.SampleID, err)
			}
			for _, o := range label.Objects {
				if o.Box.Clip(img.W, img.H).Empty() || o.Refine {
					continue
				}
				x, err := of(working, img, o.Box)
				if err != nil {
					return fmt.Errorf("sample %s, object %s: %w", label.SampleID, o.ID, err)
				}
				d.boxes = append(d.boxes, Box{label.SampleID, o.ID, o.Class, o.Lineage, rule.Of(label.Group)})
				d.of = append(d.of, x)
			}
			mu.Lock()
			defer mu.Unlock()
			done++
			progress(done)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	var boxes []Box
	var seen []T
	for _, d := range all {
		boxes, seen = append(boxes, d.boxes...), append(seen, d.of...)
	}
	return boxes, seen, ctx.Err()
}

// Division is who learns and who tests.
type Division struct {
	Classes    []string // that are learned, sorted
	Class      []int    // of every box, an index of Classes; 0 where its class is not learned
	Train, Val []int    // indexes of the boxes of these splits whose class is learned
}

// ErrTooFew is in the error chain when boxes do not make two classes of enough training boxes.
var ErrTooFew = errors.New("too few labeled boxes to train on")

// Divide takes the classes that have as many training boxes as least. What is split off for testing stays unseen.
func Divide(boxes []Box, least int) (Division, error) {
	count := map[string]int{}
	for _, b := range boxes {
		if b.Split == schemas.SplitTrain {
			count[b.Class]++
		}
	}
	var d Division
	for name, n := range count {
		if n >= least {
			d.Classes = append(d.Classes, name)
		}
	}
	slices.Sort(d.Classes)
	if len(d.Classes) < 2 {
		return d, fmt.Errorf("%w: %d of %d classes have %d training boxes; two are needed: label more images, or a second class", ErrTooFew, len(d.Classes), len(count), least)
	}
	d.Class = make([]int, len(boxes))
	for i, b := range boxes {
		k, ok := slices.BinarySearch(d.Classes, b.Class)
		if !ok {
			continue
		}
		d.Class[i] = k
		switch b.Split {
		case schemas.SplitTrain:
			d.Train = append(d.Train, i)
		case schemas.SplitVal:
			d.Val = append(d.Val, i)
		}
	}
	return d, nil
}

// Labels are the classes of some boxes, indexes of Classes.
func (d Division) Labels(boxes []int) []int {
	out := make([]int, len(boxes))
	for k, i := range boxes {
		out[k] = d.Class[i]
	}
	return out
}
