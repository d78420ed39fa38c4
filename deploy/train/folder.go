package train

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"gleaner/connectors/formats/imagefolder"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/trainers/classify"
	"gleaner/trainers/measure"
)

// Data are the images of a training.
type Data struct {
	Dataset     string
	Version     string // dataset@digest of all that it is
	Train, Held classify.Images
	Unseen      int       // images that are kept for testing, and neither trained on nor looked at
	Skipped     []Skipped // images that cannot be decoded
}

// Majority is the accuracy, on held-out images, of always naming the most frequent training class; NaN where there are none.
func (d Data) Majority() float64 { return measure.Majority(d.Train.Labels, d.Held.Labels) }

// Skipped is an image file that was passed over.
type Skipped struct {
	Name string `json:"name"`
	Err  string `json:"error"`
}

// FolderOptions say how a folder of images is read.
type FolderOptions struct {
	Dataset string            // that the images are of
	Side    int               // pixels; images are resized to it, each side by itself, by the mean of the area under each pixel
	Rule    schemas.SplitRule // of images whose folders do not say it; by their content, so copies never straddle
	Limits  pixels.Limits     // of files
	Room    *Room             // that the images may take
}

// decoded is an image file that was read.
type decoded struct {
	name   string
	digest schemas.Hash
	pixels []uint8 // [3, side, side]
	err    error
}

// Folder reads images that lie in a folder for each class, or in an archive of such folders, as imagefolder tells it. Ids of samples are
// those that `gleaner push` gives the same files. What cannot be decoded is skipped. progress is called with the images that are done.
func Folder(ctx context.Context, root string, o FolderOptions, progress func(done int)) (Data, error) {
	d := Data{Dataset: o.Dataset}
	files, err := decodeAll(ctx, root, o, progress)
	if err != nil {
		return d, err
	}
	// The order is that of the names, however they came.
	slices.SortFunc(files, func(a, b decoded) int { return cmp.Compare(a.name, b.name) })
	var names []string
	var kept []decoded
	for _, f := range files {
		if f.err != nil {
			d.Skipped = append(d.Skipped, Skipped{f.name, f.err.Error()})
			continue
		}
		kept, names = append(kept, f), append(names, f.name)
	}
	arranged, err := imagefolder.Arrange(names)
	if err != nil && len(d.Skipped) > 0 {
		err = fmt.Errorf("%w; %d images cannot be decoded, such as %s: %s", err, len(d.Skipped), d.Skipped[0].Name, d.Skipped[0].Err)
	}
	if err != nil {
		return d, fmt.Errorf("%s: %w", root, err)
	}
	splits := arranged.Split
	for i := 0; arranged.Split == nil && i < len(kept); i++ {
		splits = append(splits, o.Rule.Of(schemas.SampleID(kept[i].digest[:])))
	}
	d.divide(kept, arranged, splits, o.Side)
	learned := make([]bool, len(arranged.Classes))
	for _, class := range d.Train.Labels {
		learned[class] = true
	}
	if class := slices.Index(learned, false); class >= 0 {
		return d, fmt.Errorf("%s: all images of class %s are held out: more are needed, or a smaller share held out", root, arranged.Classes[class])
	}
	h := sha256.New()
	for i, f := range kept {
		fmt.Fprintf(h, "%s\x00%s\x00%s\n", f.name, f.digest, splits[i])
	}
	d.Version = fmt.Sprintf("%s@%x", o.Dataset, h.Sum(nil)[:6])
	return d, nil
}

// divide holds the images for validation out, or where there are none those for testing.
func (d *Data) divide(kept []decoded, a imagefolder.Arrangement, splits []schemas.Split, side int) {
	held := schemas.SplitTest
	if slices.Contains(splits, schemas.SplitVal) {
		held = schemas.SplitVal
	}
	count := map[schemas.Split]int{}
	for _, split := range splits {
		count[split]++
	}
	room := func(n int) classify.Images {
		return classify.Images{Side: side, Classes: a.Classes, Pixels: make([]uint8, 0, n*3*side*side)}
	}
	d.Train, d.Held = room(count[schemas.SplitTrain]), room(count[held])
	for i, f := range kept {
		into := &d.Train
		switch splits[i] {
		case held:
			into = &d.Held
		case schemas.SplitTrain:
		default:
			d.Unseen++
			continue
		}
		into.Pixels = append(into.Pixels, f.pixels...)
		into.Labels = append(into.Labels, a.Class[i])
		into.Samples = append(into.Samples, schemas.NewSampleID(d.Dataset, f.name, schemas.Hash{}))
		kept[i].pixels = nil
	}
}

// decodeAll reads all images on all cores, in no order.
func decodeAll(ctx context.Context, root string, o FolderOptions, progress func(done int)) ([]decoded, error) {
	var all []decoded
	var mu sync.Mutex // of all and progress
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	var failed error
	for f, err := range imagefolder.Files(root, int64(o.Limits.MaxBytes)) {
		if failed = cmp.Or(err, ctx.Err()); failed != nil || working.Err() != nil {
			break
		}
		group.Go(func() error {
			d := decoded{name: f.Name, digest: sha256.Sum256(f.Data)}
			var img *pixels.Image
			if d.err = f.Err; d.err == nil {
				img, _, d.err = pixels.Decode(f.Data, o.Limits)
			}
			if d.err == nil {
				if err := o.Room.Take(); err != nil {
					return err
				}
				d.pixels = Planes(img, o.Side)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, d)
			progress(len(all))
			return nil
		})
	}
	return all, errors.Join(failed, group.Wait())
}

// Planes is an image as networks here take it, [3, side, side]: resized as schemas.ResizeArea says.
func Planes(img *pixels.Image, side int) []uint8 {
	if img.W != side || img.H != side {
		img = pixels.Area(img, side, side)
	}
	out := make([]uint8, len(img.Pix))
	for i := range side * side {
		for c := range 3 {
			out[c*side*side+i] = img.Pix[3*i+c]
		}
	}
	return out
}
