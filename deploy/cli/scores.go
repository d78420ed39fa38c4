package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gleaner/connectors/clickhouse"
	"gleaner/deploy/wire"
	"gleaner/schemas"
)

func (a *app) scoresCommand() *cobra.Command {
	q := clickhouse.ScoreQuery{Slice: map[string]string{}}
	c := &cobra.Command{
		Use: "scores RUN…", Short: "Show what the losses of training runs say of each sample: forgetting, cartography, AUM, trend, kind",
		Long: `Show the samples and objects of a training run by one score, the largest first: what its losses, which may still be coming in, say
of them. Scores follow the losses within seconds while a system runs.

  forgetting_events  correct at one epoch and wrong at the next, so often (Toneva et al. 2019); forgetting ranks by it, and puts what was
                     never learned last to be forgotten: at its number of epochs. first_learned is the first epoch it was correct
  confidence         mean probability of the label, variability its standard deviation, correctness the share of epochs it was correct
                     (Swayamdipta et al. 2020)
  aum                area under the margin, negative where the trainer prefers another class (Pleiss et al. 2020)
  el2n, grand        norm of the error, and of the last layer's gradient, in the first 10 epochs (Paul et al. 2021)
  dyn_unc            uncertainty within windows of 10 epochs (He et al. 2023)
  trend_slope        nats an epoch in the later half, with trend_se, trend_p that it does not rise, and trend_q after Benjamini and Hochberg
  error_score        by how many standard deviations aum is below the average, less what its class explains: suspected errors first.
                     class_outlier is how far it is below its class: what tells an error from a rare class

A sample's kind is easy, hard, edge (its loss rises while training goes on), label_error (suspected), or unknown after less than 5 epochs.
Of several runs, such as seeds, the mean and the spread of the score are shown.`,
		Example: `  gleaner scores run7 --by error_score --top 20
  gleaner scores run7 --kind edge --by trend_slope --slice weather=night
  gleaner scores seed1 seed2 seed3 --by forgetting --top 50 --json
  gleaner scores run7 --by confidence --ascending --class dog`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, runs []string) error {
			if _, err := schemas.FindScore(q.By); err != nil {
				return usageError{fmt.Errorf("--by: %w", err)}
			}
			if q.Kind != "" && !slices.Contains(kinds, q.Kind) {
				return usageError{fmt.Errorf("--kind %s: there are %s", q.Kind, strings.Join(kinds, ", "))}
			}
			if q.Top < 0 {
				return usageError{fmt.Errorf("--top %d: want at least 1, or 0 for all", q.Top)}
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				for _, run := range runs {
					if last, err := conn.DB.LastAttempt(ctx, run); err != nil {
						return err
					} else if last == 0 {
						return fmt.Errorf("scores: no losses of run %s have come", run)
					}
				}
				if len(runs) > 1 {
					rows, err := conn.DB.ScoresAcross(ctx, runs, q)
					if err != nil {
						return err
					}
					return printRows(a, c.OutOrStdout(), rows, acrossTable(q.By, rows))
				}
				rows, err := conn.DB.Scores(ctx, runs[0], q)
				if err != nil {
					return err
				}
				return printRows(a, c.OutOrStdout(), rows, scoreTable(rows))
			})
		},
	}
	c.Flags().StringVar(&q.By, "by", "error_score", "score to order by")
	c.Flags().BoolVar(&q.Ascending, "ascending", false, "the smallest first")
	c.Flags().IntVar(&q.Top, "top", 20, "how many to show; 0: all")
	c.Flags().StringVar(&q.Kind, "kind", "", "only this kind: "+strings.Join(kinds, ", "))
	c.Flags().StringVar(&q.Class, "class", "", "only labels of this class")
	c.Flags().Var(pairs(q.Slice), "slice", "only samples of this slice, the producer's or discovered; may be repeated, and all must hold")
	a.jsonFlag(c)
	return c
}

// kinds are those of the view.
var kinds = []string{"easy", "hard", "edge", "label_error", "unknown"}

// printRows prints rows as one array in JSON, or as a table.
func printRows[T any](a *app, w io.Writer, rows []T, table func(io.Writer)) error {
	if a.asJSON {
		return printJSON(w, rows)
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "no samples: none match, or the run's losses wait to be folded, which a running system does within seconds")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	table(t)
	return t.Flush()
}

func scoreTable(rows []clickhouse.Score) func(io.Writer) {
	return func(w io.Writer) {
		fmt.Fprintln(w, "sample\tobject\tclass\tkind\tepochs\tforgotten\tlearned\tconfidence\tvariability\tAUM\tEL2N\tdyn-unc\ttrend\tq\terror")
		for _, s := range rows {
			learned := "never"
			if s.FirstLearned != nil {
				learned = fmt.Sprint(*s.FirstLearned)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Sample, cmp.Or(s.ObjectID, "-"), cmp.Or(s.Class, "-"), s.Kind, s.Presentations, s.ForgettingEvents, learned,
				number(s.Confidence), number(s.Variability), number(s.AUM), number(s.EL2N), number(s.DynUnc), number(s.TrendSlope), number(s.TrendQ), number(s.ErrorScore))
		}
	}
}

func acrossTable(by string, rows []clickhouse.Across) func(io.Writer) {
	return func(w io.Writer) {
		fmt.Fprintf(w, "sample\tobject\tclass\tkinds\truns\t%s\tspread\n", by)
		for _, s := range rows {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", s.Sample, cmp.Or(s.ObjectID, "-"), cmp.Or(s.Class, "-"), strings.Join(s.Kinds, ","), s.Runs, number(s.Mean), number(s.Spread))
		}
	}
}

// number prints a score in three digits, and nothing for one that is unknown.
func number(n clickhouse.Number) string {
	if math.IsNaN(float64(n)) {
		return "-"
	}
	return fmt.Sprintf("%.3g", float64(n))
}
