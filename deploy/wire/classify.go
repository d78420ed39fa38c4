package wire

import (
	"context"
	"fmt"
	"iter"

	"gleaner/connectors/kafka"
	"gleaner/deploy/train"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
	"gleaner/trainers/boxes"
	"gleaner/trainers/classify"
)

// Crops makes a version of a dataset's labels as they stand and cuts its objects out, side pixels a side, for a classifier to
// train on. Samples that were erased are not among them, and the split is that of the version. Classes with fewer training boxes than
// probe.min_boxes are left out, and none may be left (boxes.ErrTooFew). The objects take no more
// memory than room has. progress is called with the labeled images that are done.
func (c *Connections) Crops(ctx context.Context, name string, side int, room *train.Room, progress func(done int)) (train.Data, error) {
	version, labels, err := c.versionToTrain(ctx, name)
	if err != nil {
		return train.Data{}, err
	}
	return c.crops(ctx, version, labels, side, room, progress)
}

func (c *Connections) crops(ctx context.Context, version schemas.DatasetVersion, labels iter.Seq2[schemas.Label, error], side int, room *train.Room, progress func(done int)) (train.Data, error) {
	data := train.Data{Dataset: version.Dataset, Version: version.ID}
	images := pixels.NewCache(c.Config.Pixels.Cache, c.Blobs.Get)
	crop := func(_ context.Context, img *pixels.Image, box geometry.Box) ([]uint8, error) {
		if err := room.Take(); err != nil {
			return nil, err
		}
		return train.Planes(pixels.Crop(img, box), side), nil
	}
	found, crops, err := boxes.Collect(ctx, images, version.Rule, labels, crop, progress)
	if err != nil {
		return data, fmt.Errorf("crops of %s: %w", version.ID, err)
	}
	d, err := boxes.Divide(found, c.Config.Probe.MinBoxes)
	if err != nil {
		return data, fmt.Errorf("crops of %s: %w", version.ID, err)
	}
	of := func(indexes []int) classify.Images {
		im := classify.Images{Side: side, Classes: d.Classes, Labels: d.Labels(indexes), Pixels: make([]uint8, 0, len(indexes)*3*side*side)}
		for _, i := range indexes {
			im.Pixels = append(im.Pixels, crops[i]...)
			im.Samples = append(im.Samples, found[i].Sample)
			im.Objects = append(im.Objects, found[i].Object)
			im.Lineages = append(im.Lineages, found[i].Lineage)
		}
		return im
	}
	data.Train, data.Held = of(d.Train), of(d.Val)
	for _, b := range found {
		if b.Split == schemas.SplitTest {
			data.Unseen++
		}
	}
	return data, nil
}

// LossTopic sends losses to the losses topic; Close waits for what is under way.
type LossTopic struct {
	train.Topic
	sink *kafka.Sink
}

// LossTopic opens the losses topic.
func (c *Connections) LossTopic() *LossTopic {
	sink := c.Kafka.Sink()
	return &LossTopic{train.Topic{Sink: sink}, sink}
}

// Close lets go of the topic.
func (t *LossTopic) Close(ctx context.Context) error { return t.sink.Close(ctx) }
