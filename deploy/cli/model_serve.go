package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/deploy/wire"
	"gleaner/schemas"
)

func (a *app) modelServe() *cobra.Command {
	var dataset, canary string
	var none bool
	c := &cobra.Command{
		Use: "serve MODEL[,MODEL…]", Short: "Let models label a dataset's samples first, from the next samples on",
		Long: `The named models, all of them on each sample, take the place of those that serve the dataset. Of several, each class is labeled by
the first that knows it, until people's corrections have taught how to fuse them (gleaner dataset learned). With --canary they get
a share of the samples, always the same ones, and the others stay with the models before. gleaner model rollback goes back by one
change. MODEL is name@version, or a name alone where there is one version.

The command ends when the models are in force, where the process that serves the page runs prelabel too, and fails when they are
refused, or are not loaded in 2 minutes.`,
		Example: `  gleaner model serve yolox_nano@2
  gleaner model serve street@3,signs@1 --dataset street
  gleaner model serve street@4,signs@1 --dataset street --canary 10%
  gleaner model serve --none --dataset street   # as every other dataset again`,
		Args: func(_ *cobra.Command, args []string) error {
			if none != (len(args) == 0) || len(args) > 1 {
				return fmt.Errorf("want one list of models, without blanks, or --none")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkServed(dataset); err != nil {
				return usageError{fmt.Errorf("model serve: --dataset: %w", err)}
			}
			var names []string
			if !none {
				names = strings.Split(args[0], ",")
			}
			share, err := parseShare(canary)
			if err != nil {
				return usageError{fmt.Errorf("model serve: --canary %q: %w", canary, err)}
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				s, err := conn.ServeModels(ctx, dataset, names, share, operator())
				if err != nil {
					return err
				}
				return a.printServing(ctx, c.OutOrStdout(), conn, s)
			})
		},
	}
	c.Flags().StringVarP(&dataset, "dataset", "d", schemas.AnyDataset, "dataset; *: every one without models of its own")
	c.Flags().StringVar(&canary, "canary", "", "share of the samples that the models get at first, such as 10%")
	c.Flags().BoolVar(&none, "none", false, "no models of its own any more; of *: samples pass unlabeled")
	c.MarkFlagsMutuallyExclusive("canary", "none")
	return c
}

// checkServed refuses what models cannot serve: no name of a dataset, nor schemas.AnyDataset.
func checkServed(dataset string) error {
	if dataset == schemas.AnyDataset {
		return nil
	}
	return schemas.CheckDataset(dataset)
}

func (a *app) modelRollback() *cobra.Command {
	var dataset string
	c := &cobra.Command{
		Use: "rollback", Short: "Let those models serve a dataset that did before the last change",
		Long:    "Go back by one change of what serves the dataset; a second rollback comes back.",
		Example: "  gleaner model rollback\n  gleaner model rollback --dataset street", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				s, err := conn.RollbackModels(ctx, dataset, operator())
				if err != nil {
					return err
				}
				return a.printServing(ctx, c.OutOrStdout(), conn, s)
			})
		},
	}
	c.Flags().StringVarP(&dataset, "dataset", "d", schemas.AnyDataset, "dataset; *: every one without models of its own")
	return c
}

func (a *app) modelRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove MODEL", Short: "End the use of a model that serves no dataset",
		Long:    "Refuse the model from now on. Its entry and its file stay, since labels name it.",
		Example: "  gleaner model remove yolox_nano@1", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				removal, err := conn.RemoveModel(ctx, args[0], operator())
				if err != nil {
					return err
				}
				if a.asJSON {
					return printJSON(c.OutOrStdout(), removal)
				}
				_, err = fmt.Fprintf(c.OutOrStdout(), "removed %s: it cannot serve any more; its entry and its file stay, since labels name it\n", removal.ID)
				return err
			})
		},
	}
}

func (a *app) printServing(ctx context.Context, w io.Writer, conn *wire.Connections, s schemas.Serving) error {
	err := awaitForce(ctx, conn, s, forceWithin)
	if err != nil {
		return err
	}
	if a.asJSON {
		err = printJSON(w, s)
	} else {
		_, err = fmt.Fprintf(w, "from the next samples on %s: %s\n", datasetText(s.Dataset), setText(s.Dataset, s.ModelSet))
	}
	if err != nil {
		return err
	}
	return warnServed(ctx, conn, s.Dataset)
}

// warnServed says which models serve a dataset without being understood there.
func warnServed(ctx context.Context, conn *wire.Connections, dataset string) error {
	found, err := conn.CheckServed(ctx, dataset)
	for _, f := range found {
		fmt.Fprintf(os.Stderr, "%v; until then its classes stay as they are, and what the rules do not want by these names is dropped\n", f)
	}
	return err
}

func datasetText(dataset string) string {
	if dataset == schemas.AnyDataset {
		return "every dataset without models of its own"
	}
	return "dataset " + dataset
}

func setText(dataset string, s schemas.ModelSet) string {
	switch {
	case len(s.Models) == 0 && dataset == schemas.AnyDataset:
		return "no models, samples pass unlabeled"
	case len(s.Models) == 0:
		return "no models of its own"
	case s.Share > 0:
		return fmt.Sprintf("%s, and of %s of the samples %s", strings.Join(s.Models, ", "), percent(s.Share), strings.Join(s.Canary, ", "))
	}
	return strings.Join(s.Models, ", ")
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'g', 4, 64) + "%" }

// parseShare reads 10% or 0.1; an empty text is 0.
func parseShare(text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	number, isPercent := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(number, 64)
	if isPercent {
		share /= 100
	}
	if err != nil || !(share > 0 && share < 1) {
		return 0, fmt.Errorf("want a share between 0 and 100%%, such as 10%%")
	}
	return share, nil
}

// operator is who is at the command line, for what keeps a name.
func operator() string {
	if u, err := user.Current(); err == nil {
		return "operator:" + u.Username
	}
	return "operator"
}
