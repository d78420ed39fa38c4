package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gleaner/deploy/wire"
	"gleaner/schemas"
)

func (a *app) datasetCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "dataset", Short: "The rules and slices of datasets, and immutable versions of their labels", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var note string
	version := &cobra.Command{
		Use: "version DATASET", Short: "Make a version of a dataset's labels as they stand",
		Long: `Make an immutable version: which samples, which labels, and the split of each. A sample's split follows from its
near-duplicate group alone, so twins are never on two sides and new samples move none. The same labels give the same version.`,
		Example: "  gleaner dataset version street --note 'before the winter images'", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				v, made, err := conn.MakeVersion(ctx, args[0], note)
				if err != nil {
					return err
				}
				if a.asJSON {
					return printJSON(c.OutOrStdout(), v)
				}
				if !made {
					fmt.Fprintln(c.OutOrStdout(), "nothing changed since this version was made:")
				}
				return printVersion(c.OutOrStdout(), v)
			})
		},
	}
	version.Flags().StringVar(&note, "note", "", "a remark that is kept with the version")
	list := &cobra.Command{
		Use: "list [DATASET]", Short: "List versions, the oldest first", Example: "  gleaner dataset list\n  gleaner dataset list street", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				name := ""
				if len(args) == 1 {
					name = args[0]
				}
				versions, err := conn.Versions(ctx, name)
				if err != nil {
					return err
				}
				if a.asJSON {
					return printJSON(c.OutOrStdout(), versions)
				}
				t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "version\tmade\tsamples\ttrain\tval\ttest\tnote")
				for _, v := range versions {
					fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%s\n", v.ID, v.At.Local().Format("2006-01-02 15:04:05"), v.Count, v.Splits["train"], v.Splits["val"], v.Splits["test"], v.Note)
				}
				return t.Flush()
			})
		},
	}
	diff := &cobra.Command{
		Use: "diff FILE | FROM TO", Short: "Say what a file of rules would change, or what changed between two versions",
		Long: `With one argument, say what applying a file of rules would change of those in force. With two, which are versions of a
dataset's labels, say which samples, labels and classes differ.`,
		Example: "  gleaner dataset diff rules/street.yaml\n  gleaner dataset diff street@0a1b2c3d4e5f street@5f4e3d2c1b0a", Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				if _, err := os.Stat(args[0]); err != nil && strings.Contains(args[0], "@") {
					return usageError{fmt.Errorf("dataset diff %s: want two versions, or a file of rules", args[0])}
				}
				return a.diffRules(c.Context(), c.OutOrStdout(), args[0])
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				d, err := conn.DiffVersions(ctx, args[0], args[1])
				if err != nil {
					return err
				}
				if a.asJSON {
					return printJSON(c.OutOrStdout(), d)
				}
				w := c.OutOrStdout()
				for _, part := range []struct {
					what string
					ids  []string
				}{{"added", d.Added}, {"removed", d.Removed}, {"relabeled", d.Relabeled}, {"moved to another split", d.Moved}} {
					fmt.Fprintf(w, "%d %s\n", len(part.ids), part.what)
					for _, id := range part.ids {
						fmt.Fprintf(w, "  %s\n", id)
					}
				}
				for _, class := range slices.Sorted(maps.Keys(d.Classes)) {
					fmt.Fprintf(w, "%+d %s\n", d.Classes[class], class)
				}
				return nil
			})
		},
	}
	for _, sub := range []*cobra.Command{a.applyCommand(), a.showCommand(), version, list, diff, a.slicesCommand()} {
		a.jsonFlag(sub)
		c.AddCommand(sub)
	}
	c.AddCommand(a.learnedCommand(), a.acceptCommand())
	return c
}

func printVersion(w io.Writer, v schemas.DatasetVersion) error {
	fmt.Fprintf(w, "%s: %d samples (train %d, val %d, test %d)\n", v.ID, v.Count, v.Splits["train"], v.Splits["val"], v.Splits["test"])
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, class := range slices.Sorted(maps.Keys(v.Classes)) {
		fmt.Fprintf(t, "  %s\t%d\n", class, v.Classes[class])
	}
	return t.Flush()
}
