package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"gleaner/connectors/onnx"
	"gleaner/deploy/bench/cifar"
	"gleaner/schemas"
	"gleaner/trainers/classify"
)

// wrongShare is the share of wrong labels within each observed class.
const wrongShare = 0.1

// labeling is some images of CIFAR-10 with labels of which some are wrong.
type labeling struct {
	images classify.Images // with the labels that the trainer sees
	truth  []int           // [N]
	sizes  []int           // [classes], images with that label
}

func (l *labeling) wrong(i int) bool { return l.truth[i] != l.images.Labels[i] }

// mislabel draws sizes[c] images for each label c, without replacement: of other classes a share of wrongShare, to the nearest whole
// number, in proportion to these classes' sizes, and the rest of its own.
func mislabel(all classify.Images, sizes []int, seed int64) *labeling {
	rng := rand.New(rand.NewPCG(uint64(seed), uint64(len(sizes))))
	left := make([][]int, len(sizes)) // by class
	for _, i := range rng.Perm(all.Len()) {
		left[all.Labels[i]] = append(left[all.Labels[i]], i)
	}
	total := 0
	for _, n := range sizes {
		total += n
	}
	l := &labeling{sizes: sizes}
	var at, labels []int
	for label, n := range sizes {
		wrong := int(math.Round(wrongShare * float64(n)))
		for k := range n {
			class := label
			for k < wrong && class == label {
				r := rng.IntN(total)
				for class = 0; r >= sizes[class]; class++ {
					r -= sizes[class]
				}
				if len(left[class]) == 0 {
					class = label
				}
			}
			if len(left[class]) == 0 {
				break
			}
			at, left[class] = append(at, left[class][0]), left[class][1:]
			labels, l.truth = append(labels, label), append(l.truth, class)
		}
	}
	l.images = cifar.Subset(all, at)
	copy(l.images.Labels, labels)
	return l
}

// longTail are the sizes of classes that fall from largest by a factor of 100 over all (Cui et al. 2019).
func longTail(classes, largest int) []int {
	sizes := make([]int, classes)
	for c := range sizes {
		sizes[c] = int(math.Round(float64(largest) * math.Pow(100, -float64(c)/float64(classes-1))))
	}
	return sizes
}

// studied is what a trainer is told: a small network, so that some runs take minutes.
func studied(name, network string, epochs int, seed int64) classify.Config {
	cfg := classify.DefaultConfig()
	cfg.Network, cfg.Width, cfg.Epochs, cfg.Seed, cfg.Threads = network, 16, epochs, seed, 1
	cfg.Run = schemas.Run{RunID: fmt.Sprintf("%s-%d", name, seed), Attempt: 1, Model: cfg.Network, Dataset: "cifar10"}
	return cfg
}

// curves trains on a labeling and returns what each image showed, in the labeling's order. Where -runs names a folder, the losses
// of a run that is there are read instead.
func (b *bench) curves(ctx context.Context, rt *onnx.Runtime, l *labeling, cfg classify.Config) ([]schemas.Curve, error) {
	kept := ""
	if b.runs != "" {
		kept = filepath.Join(b.runs, fmt.Sprintf("%s-%s-%d-%dx%d.arrow", cfg.Run.RunID, cfg.Network, cfg.Width, l.images.Len(), cfg.Epochs))
	}
	var rows schemas.Losses
	data, err := os.ReadFile(kept)
	switch {
	case kept != "" && err == nil:
		if rows, err = schemas.DecodeLosses(data); err != nil {
			return nil, fmt.Errorf("%s: %w", kept, err)
		}
	case kept != "" && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	default:
		t, err := classify.New(rt, cfg, l.images, classify.Images{})
		if err != nil {
			return nil, err
		}
		defer t.Close()
		_, err = t.Train(ctx, classify.Hooks{
			Losses: func(_ context.Context, part *schemas.Losses) error { rows.AppendTable(part); return nil },
			Epoch: func(e classify.Epoch) {
				fmt.Fprintf(os.Stderr, "bench-analysis: %s: epoch %d of %d: loss %.3f, accuracy %.3f, %.0f s\n", cfg.Run.RunID, e.Epoch+1, cfg.Epochs, e.Loss, e.Accuracy, e.Time.Seconds())
			},
		})
		if err != nil {
			return nil, err
		}
		if kept != "" {
			data, err := schemas.EncodeLosses(&rows)
			if err != nil {
				return nil, err
			}
			if err := os.WriteFile(kept, data, 0o644); err != nil {
				return nil, err
			}
		}
	}
	index := make(map[schemas.SampleID]int, l.images.Len())
	curves := make([]schemas.Curve, l.images.Len())
	for i, id := range l.images.Samples {
		index[id], curves[i].SampleID, curves[i].RunID = i, id, cfg.Run.RunID
	}
	for k := range rows.Len() { // epochs come one after another
		i, ok := index[rows.SampleID[k]]
		if !ok {
			return nil, fmt.Errorf("run %s: sample %s is none of its images", cfg.Run.RunID, rows.SampleID[k])
		}
		c := &curves[i]
		c.Epochs, c.Loss, c.Margin = append(c.Epochs, rows.Epoch[k]), append(c.Loss, rows.Loss[k]), append(c.Margin, rows.Margin[k])
		c.PTrue, c.Correct = append(c.PTrue, rows.PTrue[k]), append(c.Correct, rows.Correct[k])
	}
	for i := range curves {
		if curves[i].Len() != cfg.Epochs {
			return nil, fmt.Errorf("run %s: sample %s was presented in %d of %d epochs", cfg.Run.RunID, curves[i].SampleID, curves[i].Len(), cfg.Epochs)
		}
	}
	return curves, nil
}
