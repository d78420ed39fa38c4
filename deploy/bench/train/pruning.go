package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"

	"gleaner/deploy/bench/cifar"
	"gleaner/schemas"
	"gleaner/stages/analysis/score"
	"gleaner/trainers/classify"
)

// pruningOptions make the trainings small enough for many.
type pruningOptions struct {
	images, width, epochs, seeds int
}

func (o *pruningOptions) flags() {
	flag.IntVar(&o.images, "prune-images", 20_000, "training images that pruning begins with")
	flag.IntVar(&o.width, "prune-width", 32, "width of its ConvNet-3")
	flag.IntVar(&o.epochs, "prune-epochs", 10, "epochs on all images; with fewer images there are more for equal steps")
	flag.IntVar(&o.seeds, "prune-seeds", 5, "paired seeds, 2 to 10")
}

func (o *pruningOptions) validate() error {
	if o.images < 1000 || o.images > 50_000 || o.width < 1 || o.epochs < 2 || o.seeds < 2 || o.seeds > 10 {
		return fmt.Errorf("-prune-images %d -prune-width %d -prune-epochs %d -prune-seeds %d: 1000 to 50000 images, a width from 1, 2 epochs and 2 to 10 seeds are needed", o.images, o.width, o.epochs, o.seeds)
	}
	return nil
}

const removed = 0.3 // share of the images

// prune removes images by how little they were forgotten, and as many by chance, and trains on the rest.
func (b *bench) prune(ctx context.Context, out io.Writer) error {
	whole, err := b.cifar("train")
	if err != nil {
		return err
	}
	longer := int(math.Round(float64(b.pruning.epochs) / (1 - removed)))
	fmt.Fprintf(out, "\n### Pruning\n\nOf %d training images of CIFAR-10 (other ones for each seed), the %.0f %% that a training on all of them forgot least are removed, ties by chance, or as many by chance alone; a ConvNet-3 of width %d is then trained anew on the rest, by the same seed: "+
		"for equal epochs (%d, as on all) and for equal steps (%d epochs). Accuracy on the 5000 test images in percent; the difference is forgotten least minus by chance, with its 95 %% interval of Student's t over the seeds.\n\n",
		b.pruning.images, 100*removed, b.pruning.width, b.pruning.epochs, longer)
	fmt.Fprintln(out, "| seed | all | equal epochs: by chance | least forgotten | difference | equal steps: by chance | least forgotten | difference | unforgettable |\n|---|---|---|---|---|---|---|---|---|")
	var differences [2][]float64
	for seed := range b.pruning.seeds {
		r := rand.New(rand.NewPCG(uint64(seed), 0x7072756e65))
		pool := cifar.Subset(whole, r.Perm(whole.Len())[:b.pruning.images])
		all, scores, err := b.small(ctx, pool, b.pruning.epochs, seed)
		if err != nil {
			return err
		}
		keep := int(math.Round(float64(pool.Len()) * (1 - removed)))
		chance := r.Perm(pool.Len())
		least := slices.Clone(chance)
		unforgettable := 0
		for _, s := range scores {
			if s.Learned && s.Events == 0 {
				unforgettable++
			}
		}
		slices.SortStableFunc(least, func(i, j int) int { // most forgotten first
			return remembered{Forgetting: scores[j]}.compare(remembered{Forgetting: scores[i]})
		})
		fmt.Fprintf(out, "| %d | %.2f", seed, 100*all)
		for k, epochs := range []int{b.pruning.epochs, longer} {
			byChance, _, err := b.small(ctx, cifar.Subset(pool, chance[:keep]), epochs, seed)
			if err != nil {
				return err
			}
			byForgetting, _, err := b.small(ctx, cifar.Subset(pool, least[:keep]), epochs, seed)
			if err != nil {
				return err
			}
			differences[k] = append(differences[k], 100*(byForgetting-byChance))
			fmt.Fprintf(out, " | %.2f | %.2f | %+.2f", 100*byChance, 100*byForgetting, 100*(byForgetting-byChance))
		}
		fmt.Fprintf(out, " | %.1f %% |\n", 100*float64(unforgettable)/float64(pool.Len()))
	}
	fmt.Fprintf(out, "| mean | | | | %s | | | %s | |\n", interval(differences[0]), interval(differences[1]))
	return nil
}

// small trains a small ConvNet-3 and returns its accuracy on the test images and what it forgot of each training image.
func (b *bench) small(ctx context.Context, train classify.Images, epochs, seed int) (accuracy float64, scores []score.Forgetting, err error) {
	held, err := b.cifar("test")
	if err != nil {
		return 0, nil, err
	}
	cfg := classify.DefaultConfig()
	cfg.Network, cfg.Width, cfg.Epochs, cfg.Seed, cfg.Threads = "convnet3", b.pruning.width, epochs, int64(seed), b.threads
	t, err := classify.New(b.runtime, cfg, train, classify.Images{})
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	curves := map[schemas.SampleID]*schemas.Curve{}
	_, err = t.Train(ctx, classify.Hooks{Losses: func(_ context.Context, rows *schemas.Losses) error {
		for i, id := range rows.SampleID { // epoch after epoch
			if curves[id] == nil {
				curves[id] = &schemas.Curve{}
			}
			curves[id].Epochs = append(curves[id].Epochs, rows.Epoch[i])
			curves[id].Correct = append(curves[id].Correct, rows.Correct[i])
		}
		return nil
	}})
	if err != nil {
		return 0, nil, err
	}
	for _, id := range train.Samples {
		scores = append(scores, score.ForgettingOf(*curves[id]))
	}
	accuracy, err = t.Evaluate(ctx, held, classify.Views{})
	fmt.Fprintf(os.Stderr, "bench-train: pruning: seed %d, %d images, %d epochs: %.2f %%\n", seed, train.Len(), epochs, 100*accuracy)
	return accuracy, scores, err
}

// student is the 97.5 % quantile of Student's t with 1, 2, … degrees of freedom.
var student = []float64{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262}

// interval is the mean of paired differences and half its 95 % interval.
func interval(x []float64) string {
	n := float64(len(x))
	mean, square := 0.0, 0.0
	for _, v := range x {
		mean += v / n
	}
	for _, v := range x {
		square += (v - mean) * (v - mean)
	}
	return fmt.Sprintf("%+.2f ± %.2f", mean, student[len(x)-2]*math.Sqrt(square/(n-1)/n))
}
