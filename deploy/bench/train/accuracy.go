package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"gleaner/deploy/bench/meter"
	"gleaner/schemas"
	"gleaner/trainers/classify"
)

// training is one that ran on all of CIFAR-10's training images.
type training struct {
	run     string // id, in the database
	file    []byte // exported
	epochs  []classify.Epoch
	costs   []time.Duration // processor time until each epoch's end
	planned int             // epochs
	steps   int
	views   float64       // accuracy with views
	viewed  time.Duration // that it took to see them
	rows    int           // of losses
	spent   meter.Cost    // with the tests after each epoch, and logging; the database is the only child
	logging time.Duration // of that, until losses were in the database
}

// views are those of the reference for training efficiency (Jordan 2024, arXiv 2404.00498): mirror images and moves by a pixel.
var views = classify.Views{Flip: true, Move: 1}

// recipe is how the trainings on CIFAR-10 are done.
func (b *bench) recipe(seed int) (classify.Config, error) {
	cfg, err := classify.Recipe(b.recipeOf)
	cfg.Seed, cfg.Threads = int64(seed), b.threads
	cfg.Run = schemas.Run{RunID: fmt.Sprintf("cifar10/seed-%d", seed), Attempt: 1, Model: cfg.Network, Dataset: "cifar10"}
	return cfg, err
}

// train trains by the recipe within the budget.
func (b *bench) train(ctx context.Context, seed int) (*training, error) {
	cfg, err := b.recipe(seed)
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, time.Duration(b.minutes)*time.Minute)
	defer cancel()
	return b.trainAs(ctx, within, cfg, b.cifar)
}

// trainAs trains on the splits that read gives until the schedule ends, or within does; a second call for the same run gives what the
// first did.
func (b *bench) trainAs(ctx, within context.Context, cfg classify.Config, read func(split string) (classify.Images, error)) (done *training, err error) {
	if had := b.trainings[cfg.Run.RunID]; had != nil {
		return had, nil
	}
	train, err := read("train")
	if err != nil {
		return nil, err
	}
	held, err := read("test")
	if err != nil {
		return nil, err
	}
	db, err := b.losses(ctx)
	if err != nil {
		return nil, err
	}
	t, err := classify.New(b.runtime, cfg, train, held)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	done = &training{run: cfg.Run.RunID, planned: cfg.Epochs}
	var from meter.Reading
	hooks := classify.Hooks{
		Losses: func(ctx context.Context, rows *schemas.Losses) error {
			began := time.Now()
			defer func() { done.logging += time.Since(began) }()
			done.rows += rows.Len()
			return db.InsertLosses(ctx, fmt.Sprint(done.run, "/", done.rows), rows)
		},
		Progress: func(p classify.Progress) { done.steps = p.Step },
		Epoch: func(e classify.Epoch) {
			done.epochs, done.costs = append(done.epochs, e), append(done.costs, from.Since().CPU())
			fmt.Fprintf(os.Stderr, "bench-train: %s: epoch %d of %d, %.1f min, accuracy %.2f %%\n", done.run, e.Epoch+1, cfg.Epochs, e.Time.Minutes(), 100*e.Held)
		},
	}
	from = meter.Read()
	_, err = t.Train(within, hooks)
	done.spent = from.Since()
	if err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
		return nil, err
	}
	if done.file, err = t.Export(); err != nil {
		return nil, err
	}
	began := time.Now()
	if done.views, err = t.Evaluate(ctx, held, views); err != nil {
		return nil, err
	}
	done.viewed = time.Since(began)
	b.trainings[done.run] = done
	return done, nil
}

// accuracy trains on CIFAR-10 by several seeds and tells accuracy by time.
func (b *bench) accuracy(ctx context.Context, out io.Writer) error {
	peak, err := b.peak(b.threads)
	if err != nil {
		return err
	}
	cfg, err := b.recipe(0)
	if err != nil {
		return err
	}
	var runs []*training
	for seed := range b.seeds {
		t, err := b.train(ctx, seed)
		if err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
		runs = append(runs, t)
	}
	flops, err := b.flops(runs[0].file, cfg.Batch)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### CIFAR-10\n\nThe recipe of %s: width %d (0: its usual), %d epochs of %s at batch %d, on %d threads, in at most %d minutes a seed, tests on 5000 images after each epoch and logging included. "+
		"The images, 50,000 for training and 5000 of the test's, are JPEGs of quality 75 with colors at half resolution, some 930 bytes each: harder than the original pixels, which the reference has. The reference for efficiency, on a GPU (airbench, arXiv 2404.00498), reaches 94 %% for 0.36 PFLOP, or 0.29 by Muon, with views.\n\n",
		cfg.Network, cfg.Width, cfg.Epochs, cfg.Optimizer, cfg.Batch, cfg.Threads, b.minutes)
	fmt.Fprintf(out, "A step is %.2f GFLOP (multiplications and additions of convolutions and products: forward, and as much for each of the gradients of weights and inputs that are needed); the whole of seed 0 is %.3f PFLOP. "+
		"The machine's peak is taken for %.0f GFLOP/s, a product of 2048 x 2048 matrices by the same runtime and threads.\n\n", flops/1e9, flops*float64(runs[0].steps)/1e15, peak/1e9)
	fmt.Fprintln(out, "| seed | epochs | minutes | accuracy | by six views, after minutes | to 88 % | to 90 % | to 92 % | to 94 % | GFLOP/s | of the peak |\n|---|---|---|---|---|---|---|---|---|---|---|")
	for seed, t := range runs {
		speed := flops * float64(t.steps) / t.spent.Wall.Seconds()
		fmt.Fprintf(out, "| %d | %d of %d | %.1f | %s %% | %.2f %%, %.1f", seed, len(t.epochs), t.planned, t.spent.Wall.Minutes(), t.at(t.spent.Wall), 100*t.views, (t.spent.Wall + t.viewed).Minutes())
		for _, aim := range []float64{.88, .90, .92, .94} {
			fmt.Fprintf(out, " | %s", t.reached(aim, b.minutes))
		}
		fmt.Fprintf(out, " | %.0f | %.0f %% |\n", speed/1e9, 100*speed/peak)
	}
	fmt.Fprint(out, "\nAccuracy after the last epoch that was over at each minute, in percent:\n\n| minute |")
	for seed := range runs {
		fmt.Fprintf(out, " seed %d |", seed)
	}
	fmt.Fprintln(out, "\n|---|"+strings.Repeat("---|", len(runs)))
	for minute := 1; minute <= b.minutes; minute++ {
		fmt.Fprintf(out, "| %d |", minute)
		for _, t := range runs {
			fmt.Fprintf(out, " %s |", t.at(time.Duration(minute)*time.Minute))
		}
		fmt.Fprintln(out)
	}
	fmt.Fprint(out, "\nLosses of every presentation are in ClickHouse, which runs on the same machine. Training waits while they are inserted; what the database does beside that takes processors from it:\n\n"+
		"| seed | rows | training waited | of its time | the database's processor time, of all |\n|---|---|---|---|---|\n")
	for seed, t := range runs {
		fmt.Fprintf(out, "| %d | %d | %.1f s | %.2f %% | %.2f %% |\n", seed, t.rows, t.logging.Seconds(), 100*t.logging.Seconds()/t.spent.Wall.Seconds(), 100*t.spent.Children.Seconds()/t.spent.CPU().Seconds())
	}
	return nil
}

// reached is when an accuracy was reached first.
func (t *training) reached(accuracy float64, minutes int) string {
	for _, e := range t.epochs {
		if e.Held >= accuracy {
			return fmt.Sprintf("%.1f min", e.Time.Minutes())
		}
	}
	if len(t.epochs) == t.planned {
		return "not reached"
	}
	return fmt.Sprintf("not in %d min", minutes)
}

// at is the accuracy at a time, in percent.
func (t *training) at(when time.Duration) string {
	told := "-"
	for _, e := range t.epochs {
		if e.Time <= when {
			told = fmt.Sprintf("%.2f", 100*e.Held)
		}
	}
	return told
}
