package wire

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"

	"gleaner/deploy/train"
	"gleaner/schemas"
	"gleaner/stages"
	"gleaner/stages/dataset"
	"gleaner/stages/pixels"
	"gleaner/stages/taxonomy"
	"gleaner/trainers/probe"
)

// ErrNoLabels says that a dataset has nothing to train on.
var ErrNoLabels = dataset.ErrEmpty

// TrainProbe makes a version of the dataset's labels as they stand and trains a probe on it. Losses go to the losses topic
// as training goes on. Training the same version with the same seed and features is another attempt of the same run.
// progress may be nil; the features are those of the first model that serves the dataset, or the pixels' where none
// does.
func (c *Connections) TrainProbe(ctx context.Context, name string, progress func(done, total int, what string)) (schemas.Run, error) {
	version, labels, err := c.versionToTrain(ctx, name)
	if err != nil {
		return schemas.Run{}, err
	}
	topic := c.LossTopic()
	defer topic.Close(context.WithoutCancel(ctx))
	run, err := c.probe(ctx, version, labels, topic, progress)
	if err != nil {
		return run, err
	}
	return run, topic.End(ctx, run)
}

// probe leaves the run open: it does not say that it is over.
func (c *Connections) probe(ctx context.Context, version schemas.DatasetVersion, labels iter.Seq2[schemas.Label, error], losses train.Losses, progress func(done, total int, what string)) (schemas.Run, error) {
	run := schemas.Run{Dataset: version.Dataset, DatasetVersion: version.ID}
	registry, err := c.Registry(ctx)
	if err != nil {
		return run, err
	}
	features := probe.Pixels()
	if serving := registry.Serves(version.Dataset).Models; len(serving) > 0 {
		entry, err := FindModel(registry, serving[0])
		if err != nil {
			return run, err
		}
		m, err := c.loadModel(ctx, entry)
		if err != nil {
			return run, fmt.Errorf("features of model %s: %w", entry.ID, err)
		}
		defer m.Close()
		features = probe.Deep(m.Model().ID, m.Embed)
	}
	run.RunID = fmt.Sprintf("probe/%s/%s/seed%d", version.ID, features.Name, c.Config.Probe.Seed)
	last, err := c.DB.LastAttempt(ctx, run.RunID)
	if err != nil {
		return run, err
	}
	run.Attempt = last + 1 // of one that was interrupted, too
	images := pixels.NewCache(c.Config.Pixels.Cache, c.Blobs.Get)
	trainer, err := probe.New(c.Config.Probe, images, features, losses.Write, progress)
	if err != nil {
		return run, err
	}
	if run, err = trainer.Train(ctx, run, version.Rule, labels); err != nil {
		return run, err
	}
	return run, losses.Flush(ctx)
}

// versionToTrain makes a version of the labels as they stand, and yields them, with the lineages of their classes, as often as asked.
func (c *Connections) versionToTrain(ctx context.Context, name string) (v schemas.DatasetVersion, labels iter.Seq2[schemas.Label, error], err error) {
	if v, _, err = c.MakeVersion(ctx, name, "trained on"); err != nil {
		return v, nil, err
	}
	members, err := c.Blobs.Get(ctx, v.Members.Key)
	if err != nil {
		return v, nil, fmt.Errorf("members of %s: %w", v.ID, err)
	}
	classes, err := c.taxonomyRegistry(ctx)
	if err != nil {
		return v, nil, err
	}
	return v, func(yield func(schemas.Label, error) bool) {
		lineaged(dataset.Of(v, bytes.NewReader(members), c.standing(ctx, name)), classes)(yield)
	}, nil
}

// lineaged gives the objects whose classes people have named the lineage of their classes.
func lineaged(labels iter.Seq2[schemas.Label, error], classes *taxonomy.Registry) iter.Seq2[schemas.Label, error] {
	return func(yield func(schemas.Label, error) bool) {
		for l, err := range labels {
			l.Objects = slices.Clone(l.Objects)
			for i := range l.Objects {
				if o := &l.Objects[i]; o.Lineage == "" {
					o.Lineage = classes.Lineage(l.Dataset, o.Class)
				}
			}
			if !yield(l, err) {
				return
			}
		}
	}
}

// standing yields the labels of a dataset but those of samples that were erased.
func (c *Connections) standing(ctx context.Context, name string) iter.Seq2[schemas.Label, error] {
	return func(yield func(schemas.Label, error) bool) {
		for l, err := range c.DB.Labels(ctx, name) {
			if err == nil {
				var erased bool
				if erased, err = stages.Erased(ctx, c.Blobs, l.SampleID); erased {
					continue
				}
			}
			if !yield(l, err) {
				return
			}
		}
	}
}
