package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/stages/analysis/decide"
	"gleaner/stages/rules"
)

func (a *app) decideCommand() *cobra.Command {
	var dataset, run, file string
	var dry, all bool
	c := &cobra.Command{
		Use: "decide", Short: "Apply a dataset's rules from scores to actions: remove, review, oversample, coreset, distill",
		Long: `Evaluate the decisions in a dataset's rules on what a training run has shown so far, and do what they say. While a run goes on,
and at its end, the step analysis does this by itself; --dry-run says what would happen to which samples and why, and changes nothing.

Decisions are part of the file that gleaner dataset apply reads:

  dataset: street
  decisions:
    - name: mislabeled
      action: review                               # remove, review, oversample, coreset or distill
      when: kind == "label_error"
      until: aum > 1.0                             # leaves there; without it, where when no longer holds
      persist: 3                                   # evaluations in a row, each after a further presentation, before it enters or leaves
      by: error_score                              # the most urgent first
      limit: 50                                    # a run sends at most so many to people
      message: The label is doubtful
    - name: forgotten
      action: oversample
      when: forgetting_events >= 4.0 && slices["weather"] == "snow"
      factor: 1.0 + forgetting_events / 4.0        # presentations for each one of before
    - name: small
      action: distill                              # about a class: its picks are the top objects by some score
      by: el2n
      top: 50
      when: stability >= 0.9 && replay_bytes > 50e6
      persist: 3

Expressions are in CEL (https://cel.dev) over ` + strings.Join(schemas.ScoreNames(), ", ") + `,
which the view scores in ClickHouse explains, and dataset, class, lineage, kind, slices (the producer's and discovered), epochs and
bytes; of a class over dataset, class, objects, epochs, replay_bytes and stability, the Jaccard index of its picks now and at the
evaluation before.

Selections go to the topic selections and to ClickHouse (selections, picks), reviews to the desk, distillation to the topic triggers; where
every decision stands is in the view decision_latest.`,
		Example: `  gleaner decide --dataset street --dry-run
  gleaner decide --dataset street --run run7 --rules street.yaml --dry-run --all
  gleaner decide --dataset street --run run7 --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var try *rules.Set
			switch {
			case file != "" && !dry:
				return usageError{fmt.Errorf("decide: --rules %s: rules that are not in force can be tried with --dry-run alone", file)}
			case file != "":
				sets, err := readRules([]string{file})
				if err != nil {
					return err
				}
				try = sets[0]
				if dataset = cmp.Or(dataset, try.Rules().Dataset); dataset != try.Rules().Dataset {
					return usageError{fmt.Errorf("decide: %s has the rules of dataset %s, not of %s", file, try.Rules().Dataset, dataset)}
				}
			case dataset == "":
				return usageError{fmt.Errorf("decide: --dataset is required")}
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				verdicts := []decide.Verdict{}
				changes := map[schemas.DecisionAction]map[decide.Change]int{}
				decided, err := conn.Decide(ctx, dataset, run, try, dry, func(v decide.Verdict) error {
					if changes[v.State.Action] == nil {
						changes[v.State.Action] = map[decide.Change]int{}
					}
					changes[v.State.Action][v.Change]++
					if all || v.Change == decide.Enters || v.Change == decide.Leaves {
						verdicts = append(verdicts, v)
					}
					return nil
				})
				if err != nil {
					return err
				}
				if a.asJSON {
					return printJSON(c.OutOrStdout(), struct {
						wire.Decided
						Changes  map[schemas.DecisionAction]map[decide.Change]int `json:"changes"`
						Verdicts []decide.Verdict                                 `json:"verdicts"`
					}{decided, changes, verdicts})
				}
				return printDecided(c.OutOrStdout(), decided, changes, verdicts)
			})
		},
	}
	c.Flags().StringVarP(&dataset, "dataset", "d", "", "dataset whose rules to apply (required)")
	c.Flags().StringVar(&run, "run", "", "training run whose scores to read (default: the dataset's that finished last)")
	c.Flags().StringVar(&file, "rules", "", "with --dry-run: file of rules to try instead of those in force")
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would happen and change nothing")
	c.Flags().BoolVar(&all, "all", false, "list what stays and what waits, too")
	a.jsonFlag(c)
	return c
}

func printDecided(w io.Writer, d wire.Decided, changes map[schemas.DecisionAction]map[decide.Change]int, verdicts []decide.Verdict) error {
	slices.SortStableFunc(verdicts, func(a, b decide.Verdict) int {
		return cmp.Or(cmp.Compare(a.State.Action, b.State.Action), cmp.Compare(a.Change, b.Change), cmp.Compare(b.State.Score, a.State.Score))
	})
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(verdicts) > 0 {
		fmt.Fprintln(t, "action\tchange\tsample or class\tobject\tscore\tweight\twhy")
	}
	for _, v := range verdicts {
		s := &v.State
		what := s.SampleID.String()
		if s.Action == schemas.ActionDistill {
			what = s.Class
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.4g\t%.3g\t%s\n", s.Action, v.Change, what, cmp.Or(s.ObjectID, "-"), s.Score, s.Weight, s.Reason)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "run %s of dataset %s: %d objects evaluated by %s\n", d.RunID, d.Dataset, d.Objects, cmp.Or(d.Rules, "rules that are not in force"))
	for _, action := range slices.Sorted(maps.Keys(changes)) {
		n := changes[action]
		fmt.Fprintf(w, "%s: %d enter, %d stay, %d leave, %d wait\n", action, n[decide.Enters], n[decide.Stays], n[decide.Leaves], n[decide.Waits])
	}
	for _, name := range slices.Sorted(maps.Keys(d.Faults)) {
		f := d.Faults[name]
		fmt.Fprintf(w, "%s cannot be evaluated on %d of them, which stay as they are: %s\n", name, f.Count, f.First)
	}
	if d.DryRun {
		fmt.Fprintln(w, "this was a dry run: nothing was changed")
	}
	return nil
}
