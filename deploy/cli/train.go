package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"gleaner/deploy/wire"
	"gleaner/schemas"
)

func (a *app) trainCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "train", Short: "Train on accepted labels, or on a folder of images, and stream the losses back", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var dataset string
	var follow bool
	var quiet time.Duration
	var epochs uint32
	var seed int64
	probe := &cobra.Command{
		Use:   "probe",
		Short: "Train a linear probe on the labeled boxes",
		Long: `Make a version of the dataset's labels, train softmax regression on features of their boxes' crops, and send a loss for every
box and epoch to the losses topic. When the run ends, the labels that it argues with return to the desk.

Features are what the first of the models that serve the dataset makes of a crop; where none does, the crop's colors and gradients.`,
		Example: "  gleaner train probe --dataset street\n  gleaner train probe --dataset street --epochs 50 --seed 1\n  gleaner train probe --dataset street --follow",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if dataset == "" {
				return usageError{fmt.Errorf("train probe: --dataset is required")}
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				if c.Flags().Changed("epochs") {
					conn.Config.Probe.Epochs = epochs
				}
				if c.Flags().Changed("seed") {
					conn.Config.Probe.Seed = seed
				}
				if err := conn.Config.Validate(); err != nil {
					return usageError{err}
				}
				show, end := trainProgress()
				if follow {
					return conn.FollowProbe(ctx, dataset, quiet, show, func(run schemas.Run, err error) {
						end()
						switch {
						case err != nil:
							fmt.Fprintln(c.ErrOrStderr(), "not trained:", err)
						case a.asJSON:
							_ = printJSON(c.OutOrStdout(), run)
						default:
							printRun(c.OutOrStdout(), run)
						}
					})
				}
				run, err := conn.TrainProbe(ctx, dataset, show)
				end()
				if err != nil {
					return err
				}
				if a.asJSON {
					return printJSON(c.OutOrStdout(), run)
				}
				printRun(c.OutOrStdout(), run)
				fmt.Fprintln(c.OutOrStdout(), "Analysis now sends the labels it argues with back to the desk, if there are any.")
				return nil
			})
		},
	}
	f := probe.Flags()
	f.StringVarP(&dataset, "dataset", "d", "", "dataset whose labels to train on (required)")
	f.BoolVar(&follow, "follow", false, "follow the labels topic and train again whenever new labels have come, until Ctrl-C")
	f.DurationVar(&quiet, "quiet", 5*time.Second, "with --follow: how long no label may come before training begins")
	f.Uint32Var(&epochs, "epochs", 0, "epochs (default: the configuration's)")
	f.Int64Var(&seed, "seed", 0, "seed of the order of presentation (default: the configuration's)")
	a.jsonFlag(probe)
	c.AddCommand(probe, a.trainClassify())
	return c
}

// trainProgress shows a bar for the features and another for the epochs; end ends the last.
func trainProgress() (show func(done, total int, what string), end func()) {
	var b *progress
	end = func() {
		if b != nil {
			b.End()
		}
	}
	return func(done, total int, what string) {
		if b == nil || b.what != what {
			end()
			if total == 0 {
				total = -1
			}
			b = bar(int64(total), what)
		}
		b.Set(done)
	}, end
}

// printRun says of a run what all its attempts came to, and what this one did of it.
func printRun(w io.Writer, run schemas.Run) {
	fmt.Fprintf(w, "run %s: %d epochs in all; attempt %d: %d loss rows, %.1f s\n", run.RunID, run.Epochs, run.Attempt, run.Rows, run.Finished.Sub(run.Started).Seconds())
	for _, name := range slices.Sorted(maps.Keys(run.Metrics)) {
		fmt.Fprintf(w, "  %-16s %.4g\n", name, run.Metrics[name])
	}
}
