package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gleaner/connectors/clickhouse"
	"gleaner/deploy/wire"
	"gleaner/schemas"
)

func (a *app) lossesTail() *cobra.Command {
	var tail wire.LossTail
	var each bool
	c := &cobra.Command{
		Use:   "tail",
		Short: "Watch losses come",
		Long: `Follow the losses topic until Ctrl-C and print one line for every epoch that a run has behind it: as it came, whatever is doubled
included. With --rows every row is a line.`,
		Example: `  gleaner losses tail
  gleaner losses tail --run street-7 --all
  gleaner losses tail --dataset street --rows --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				out := c.OutOrStdout()
				var sums wire.EpochTail
				show := func(closed []wire.TailedEpoch) error {
					for _, e := range closed {
						if err := a.printTailed(out, e); err != nil {
							return err
						}
					}
					return nil
				}
				err := conn.TailLosses(ctx, tail, func(rows schemas.Losses) error {
					if each {
						return a.printLossRows(out, &rows)
					}
					return show(sums.Add(&rows))
				}, func(run schemas.Run) error {
					if err := show(sums.End(run.RunID)); err != nil || a.asJSON {
						return err
					}
					_, err := fmt.Fprintf(out, "%s  finished, %d rows\n", run.RunID, run.Rows)
					return err
				})
				return errors.Join(err, show(sums.Rest()))
			})
		},
	}
	c.Flags().StringVar(&tail.Run, "run", "", "only this run")
	c.Flags().StringVarP(&tail.Dataset, "dataset", "d", "", "only runs on this dataset")
	c.Flags().BoolVar(&tail.All, "all", false, "begin with what the topic holds")
	c.Flags().BoolVar(&tail.Once, "once", false, "print what the topic holds, and end")
	c.Flags().BoolVar(&each, "rows", false, "print every row")
	a.jsonFlag(c)
	return c
}

func (a *app) printTailed(w io.Writer, e wire.TailedEpoch) error {
	if a.asJSON {
		return printJSON(w, e)
	}
	line := fmt.Sprintf("%s  epoch %d", e.RunID, e.Epoch)
	if e.MeanLoss != nil {
		line += fmt.Sprintf("  loss %.4f", *e.MeanLoss)
	}
	line += fmt.Sprintf("  accuracy %.1f %%  %d rows", 100*e.Accuracy, e.Rows)
	if e.Attempt > 1 {
		line += fmt.Sprintf("  attempt %d", e.Attempt)
	}
	if e.NaN > 0 {
		line += fmt.Sprintf("  %d not finite", e.NaN)
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// lossLine is a row for machines; JSON has no NaN, so what is not finite is left out.
type lossLine struct {
	RunID    string   `json:"run_id"`
	Attempt  uint32   `json:"attempt"`
	Dataset  string   `json:"dataset"`
	SampleID string   `json:"sample_id"`
	ObjectID string   `json:"object_id,omitempty"`
	Epoch    uint32   `json:"epoch"`
	Step     uint64   `json:"step"`
	Loss     *float32 `json:"loss,omitempty"`
	Correct  bool     `json:"correct"`
	Margin   *float32 `json:"margin,omitempty"`
	PTrue    *float32 `json:"p_true,omitempty"`
}

func (a *app) printLossRows(w io.Writer, l *schemas.Losses) error {
	finite := func(v float32) *float32 {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil
		}
		return &v
	}
	for i := range l.Len() {
		var err error
		if a.asJSON {
			err = printJSON(w, lossLine{
				l.RunID[i], l.Attempt[i], l.Dataset[i], l.SampleID[i].String(), l.ObjectID[i], l.Epoch[i], l.Step[i],
				finite(l.Loss[i]), l.Correct[i], finite(l.Margin[i]), finite(l.PTrue[i]),
			})
		} else {
			mark := "wrong"
			if l.Correct[i] {
				mark = "correct"
			}
			_, err = fmt.Fprintf(w, "%s  epoch %d  %s %s  loss %.4f  margin %.3f  %s\n", l.RunID[i], l.Epoch[i], l.SampleID[i], l.ObjectID[i], l.Loss[i], l.Margin[i], mark)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *app) lossesStats() *cobra.Command {
	var run string
	c := &cobra.Command{
		Use:   "stats",
		Short: "Count what came of each run and what stands of it",
		Long: `Count, for each run, the rows that came and those that stand, one for each sample, object and epoch. The others are doubles, sent again
or replaced by a later attempt at the same epoch, or superseded: of an attempt that a later one resumed before. Late rows came after
rows of a later epoch or attempt and count as any other; losses that are not finite count as presentations and in no mean. The curve
is the mean loss of each epoch, from its least to its largest.`,
		Example: "  gleaner losses stats\n  gleaner losses stats --run street-7 --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				ids, err := chosenRuns(ctx, conn, run)
				if err != nil {
					return err
				}
				b := bar(int64(len(ids)), "counting runs")
				stats := make([]clickhouse.LossStats, len(ids))
				for i, id := range ids {
					if stats[i], err = conn.DB.LossStats(ctx, id); err == nil {
						stats[i].EpochSummary, err = conn.DB.Epochs(ctx, id)
					}
					if err != nil {
						b.End()
						return err
					}
					b.Add(1)
				}
				b.End()
				if a.asJSON {
					return printJSON(c.OutOrStdout(), stats)
				}
				return printLossStats(c.OutOrStdout(), stats)
			})
		},
	}
	c.Flags().StringVar(&run, "run", "", "only this run")
	a.jsonFlag(c)
	return c
}

func chosenRuns(ctx context.Context, conn *wire.Connections, run string) ([]string, error) {
	ids, err := conn.DB.LossRuns(ctx)
	if err != nil || run == "" {
		return ids, err
	}
	if !slices.Contains(ids, run) {
		return nil, fmt.Errorf("no losses have come of run %q: `gleaner losses stats` lists the runs", run)
	}
	return []string{run}, nil
}

func printLossStats(w io.Writer, stats []clickhouse.LossStats) error {
	if len(stats) == 0 {
		_, err := fmt.Fprintln(w, "no losses have come yet")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RUN\tDATASET\tROWS\tSTANDING\tDOUBLES\tSUPERSEDED\tLATE\tNOT FINITE\tATTEMPTS\tEPOCHS\tROWS/S\tBYTES/ROW\tLAST ARRIVAL\tMEAN LOSS")
	for _, s := range stats {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.0f\t%.1f\t%s\t%s\n", s.RunID, s.Dataset, s.Rows, s.Standing, s.Doubles, s.Superseded, s.Late, s.NaN,
			s.Attempts, s.Epochs, s.RowsPerS, s.BytesPerRow, s.LastArrival.Local().Format(time.DateTime), lossCurve(s.EpochSummary))
	}
	return t.Flush()
}

// curveWidth is how many epochs a curve shows; of longer runs each mark is the mean of several.
const curveWidth = 40

// lossCurve draws the mean losses of epochs, with the first and the last in figures.
func lossCurve(epochs []clickhouse.Epoch) string {
	var losses []float64
	for _, e := range epochs {
		if e.MeanLoss != nil {
			losses = append(losses, *e.MeanLoss)
		}
	}
	if len(losses) == 0 {
		return "not summed up yet"
	}
	first, last := losses[0], losses[len(losses)-1]
	if n := len(losses); n > curveWidth {
		marks := make([]float64, curveWidth)
		for k := range marks {
			part := losses[k*n/curveWidth : (k+1)*n/curveWidth]
			for _, v := range part {
				marks[k] += v / float64(len(part))
			}
		}
		losses = marks
	}
	levels := []rune("▁▂▃▄▅▆▇█")
	low, high := slices.Min(losses), slices.Max(losses)
	curve := make([]rune, len(losses))
	for i, v := range losses {
		level := 0
		if high > low {
			level = int((v - low) / (high - low) * float64(len(levels)-1))
		}
		curve[i] = levels[level]
	}
	return fmt.Sprintf("%.3f %s %.3f", first, string(curve), last)
}

func (a *app) lossesRebuild() *cobra.Command {
	var run string
	var all bool
	c := &cobra.Command{
		Use:   "rebuild",
		Short: "Compute what is derived from loss rows anew",
		Long: `Compute the summaries of epochs, and what scores are made of, anew from the rows that stand, and count the rows that nobody noted as
they came for gleaner losses stats. The analysis step does so within seconds of new rows; this is for rows that were changed behind its
back, restored from a backup, say, and for runs that went on during the update to the first version that noted arrivals. Losses of
these runs must not come meanwhile. What rows gave that clickhouse.losses.keep_days has removed stays as it was.`,
		Example: "  gleaner losses rebuild --run street-7\n  gleaner losses rebuild --all",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if (run == "") != all {
				return usageError{errors.New("losses rebuild: want either --run or --all")}
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				ids, err := chosenRuns(ctx, conn, run)
				if err != nil {
					return err
				}
				b := bar(int64(len(ids)), "runs")
				for _, id := range ids {
					if err := errors.Join(conn.DB.RebuildArrivals(ctx, id), conn.DB.RebuildEpochs(ctx, id), conn.DB.RebuildBlocks(ctx, id)); err != nil {
						b.End()
						return err
					}
					b.Add(1)
				}
				b.End()
				_, err = fmt.Fprintf(c.OutOrStdout(), "rebuilt: %d runs\n", len(ids))
				return err
			})
		},
	}
	c.Flags().StringVar(&run, "run", "", "this run")
	c.Flags().BoolVar(&all, "all", false, "all runs")
	return c
}
