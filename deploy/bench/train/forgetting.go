package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"gleaner/deploy/sheet"
	"gleaner/schemas"
	"gleaner/stages/analysis/score"
	"gleaner/stages/pixels"
	"gleaner/trainers/classify"
)

// remembered is what a run says of a sample.
type remembered struct {
	score.Forgetting
	sample schemas.SampleID
	loss   float64 // mean
}

// compare orders samples by how often they were forgotten, then by loss; what was never learned comes last (Toneva et al. 2019).
func (r remembered) compare(other remembered) int {
	rank := func(r remembered) int {
		if !r.Learned {
			return 1 << 30
		}
		return r.Events
	}
	return cmp.Or(cmp.Compare(rank(r), rank(other)), cmp.Compare(r.loss, other.loss))
}

// forgetting reads the losses of a real run back from the database.
func (b *bench) forgetting(ctx context.Context, out io.Writer) error {
	t, err := b.train(ctx, 0)
	if err != nil {
		return err
	}
	train, err := b.cifar("train")
	if err != nil {
		return err
	}
	db, err := b.losses(ctx)
	if err != nil {
		return err
	}
	var all []remembered
	unforgettable, never, events := 0, 0, 0
	for c, err := range db.Curves(ctx, t.run) {
		if err != nil {
			return err
		}
		r := remembered{Forgetting: score.ForgettingOf(c), sample: c.SampleID}
		for _, l := range c.Loss {
			r.loss += float64(l) / float64(len(c.Loss))
		}
		events += r.Events
		if !r.Learned {
			never++
		} else if r.Events == 0 {
			unforgettable++
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return errors.New("there are no losses: not one row was presented within the budget")
	}
	slices.SortFunc(all, remembered.compare)
	fmt.Fprintf(out, "\n### Forgetting\n\nOf seed 0's run, by its losses in ClickHouse: %d samples over %d epochs. Unforgettable, which is learned and never forgotten after: %.1f %%. Never learned: %.1f %%. Forgetting events a sample: %.2f. "+
		"Toneva et al. (2019) found 31 %% of CIFAR-10 unforgettable over 200 epochs of a ResNet-18; a run this short gives samples less occasion to be forgotten.\n\n",
		len(all), len(t.epochs), 100*float64(unforgettable)/float64(len(all)), 100*float64(never)/float64(len(all)), float64(events)/float64(len(all)))
	most := slices.Clone(all[max(0, len(all)-10):])
	slices.Reverse(most)
	if err := b.picture(train, most, all[:min(10, len(all))]); err != nil {
		return err
	}
	fmt.Fprintf(out, "The run writes a picture, `%s`, which is not kept here since the images are others': the ten most forgotten (never learned before often forgotten, then by mean loss) in the upper two rows, and the ten least forgotten below.\n", filepath.ToSlash(b.sheet))
	return nil
}

// picture draws the images that were forgotten most, and those that were forgotten least.
func (b *bench) picture(train classify.Images, most, least []remembered) error {
	at := map[schemas.SampleID]int{}
	for i, id := range train.Samples {
		at[id] = i
	}
	var cells []sheet.Cell
	for _, r := range slices.Concat(most, least) {
		i, ok := at[r.sample]
		if !ok {
			return fmt.Errorf("sample %s of the run is no training image", r.sample)
		}
		caption := fmt.Sprintf("%s: forgotten %dx, loss %.2f", train.Classes[train.Labels[i]], r.Events, r.loss)
		if !r.Learned {
			caption = fmt.Sprintf("%s: never learned, loss %.2f", train.Classes[train.Labels[i]], r.loss)
		}
		cells = append(cells, sheet.Cell{Image: picture(train, i), Caption: caption})
	}
	if err := os.MkdirAll(filepath.Dir(b.sheet), 0o755); err != nil {
		return err
	}
	return sheet.Write(b.sheet, cells, 5)
}

// picture is one image as the sheet draws it.
func picture(im classify.Images, i int) *pixels.Image {
	size := 3 * im.Side * im.Side
	p := &pixels.Image{W: im.Side, H: im.Side, Pix: make([]uint8, size)}
	for k, v := range im.Pixels[i*size : (i+1)*size] {
		p.Pix[k%(im.Side*im.Side)*3+k/(im.Side*im.Side)] = v
	}
	return p
}
