package cli

import (
	"context"
	"fmt"
	"iter"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/connectors/formats/lossfile"
	"gleaner/deploy/wire"
	"gleaner/schemas"
)

func (a *app) lossesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "losses", Short: "Push, watch, count and sum up losses", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.lossesPush(), a.lossesTail(), a.lossesStats(), a.lossesRebuild())
	return c
}

func (a *app) lossesPush() *cobra.Command {
	var d lossfile.Defaults
	var open bool
	push := &cobra.Command{
		Use:   "push FILE…",
		Short: "Push tables of losses: Parquet, Arrow or CSV",
		Long: `Push tables of losses to the losses topic. A table has the columns epoch and loss, and sample_id (32 hex digits) or unique_id;
run_id, dataset and model as columns or flags; and, if known: attempt, object_id, step, correct, margin, p_true, el2n, emb_norm, forgot,
lineage. Other columns are named and ignored. Rows of samples that the catalog does not have are
pushed, counted and warned of: losses of a sample that never came argue with nothing.

Doubts rest on margins: without that column no label is doubted. At the end each run is said to be finished, whereupon the labels it argues with return to the desk; --open leaves that out.`,
		Example: `  gleaner losses push run7.parquet --run run7 --dataset street
  gleaner losses push epoch*.csv --run run8 --dataset street --open`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			d.Ignored = func(path string, columns []string) {
				fmt.Fprintf(os.Stderr, "%s: columns that mean nothing here are ignored: %s\n", path, strings.Join(columns, ", "))
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				b := bar(-1, "loss rows")
				pushed, err := conn.PushLosses(ctx, allTables(ctx, files, d), open, func(n int) { b.Add(n) })
				b.End()
				if err != nil {
					return err
				}
				if len(pushed.Runs) == 0 {
					return fmt.Errorf("losses push: no rows in %s", strings.Join(files, ", "))
				}
				if pushed.Blind > 0 {
					fmt.Fprintf(os.Stderr, "%d rows have no margin: no label can be doubted by them\n", pushed.Blind)
				}
				if pushed.UnknownRows > 0 {
					fmt.Fprintf(os.Stderr, "%d rows are of %d samples that the catalog does not have: check --dataset and the ids, or push the images first\n", pushed.UnknownRows, pushed.UnknownSamples)
				}
				for _, r := range pushed.Runs {
					if a.asJSON {
						err = printJSON(c.OutOrStdout(), r)
					} else {
						_, err = fmt.Fprintf(c.OutOrStdout(), "run %s of dataset %s: %d rows, epochs up to %d\n", r.RunID, r.Dataset, r.Rows, r.Epochs-1)
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	push.Flags().StringVar(&d.RunID, "run", "", "run id of rows that name none")
	push.Flags().StringVarP(&d.Dataset, "dataset", "d", "", "dataset of rows that name none")
	push.Flags().StringVar(&d.Model, "model", "", "model of rows that name none")
	push.Flags().BoolVar(&open, "open", false, "the runs go on: do not say that they have finished")
	a.jsonFlag(push)
	return push
}

// allTables yields the tables of one file after the other.
func allTables(ctx context.Context, files []string, d lossfile.Defaults) iter.Seq2[schemas.Losses, error] {
	return func(yield func(schemas.Losses, error) bool) {
		for _, f := range files {
			for table, err := range lossfile.Read(ctx, f, d) {
				if !yield(table, err) {
					return
				}
			}
		}
	}
}
