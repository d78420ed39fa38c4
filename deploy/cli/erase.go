package cli

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gleaner/deploy/wire"
)

func (a *app) eraseCommand() *cobra.Command {
	var dataset, reason string
	c := &cobra.Command{
		Use:   "erase SAMPLE",
		Short: "Erase a sample everywhere, and say what was removed where",
		Long: `Write the sample's tombstone, which every step and the page obey from then on, and remove its task, its image, its labels and its rows.
Kafka cannot remove single records: what the topics hold until their retention ends is listed as left.`,
		Example: `  gleaner erase 3f0c2a9d5b7e41c8a6d2f1e0b9c8d7a6 --reason 'asked to by the person shown'
  gleaner erase 000000000049.jpg --dataset coco128`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				id, err := conn.ResolveSample(dataset, args[0])
				if err != nil {
					return usageError{err}
				}
				all := []wire.Erased{}
				failed := conn.Erase(ctx, id, operator(), reason, func(e wire.Erased) { all = append(all, e) })
				if failed != nil && len(all) == 0 {
					return failed
				}
				if failed != nil {
					failed = fmt.Errorf("%w: what is listed is done, and the same command erases the rest", failed)
				}
				if a.asJSON {
					return errors.Join(failed, printJSON(c.OutOrStdout(), all))
				}
				t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintf(t, "sample %s\n", id)
				for _, e := range all {
					verb := "removed"
					if e.Remain {
						verb = "left"
					}
					fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", verb, e.Where, e.Count, e.What)
				}
				return errors.Join(failed, t.Flush())
			})
		},
	}
	c.Flags().StringVarP(&dataset, "dataset", "d", "", "the sample is named by its unique id in this dataset")
	c.Flags().StringVar(&reason, "reason", "", "kept with the tombstone")
	a.jsonFlag(c)
	return c
}
