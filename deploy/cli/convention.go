package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gleaner/deploy/wire"
	"gleaner/stages/prelabel/convention"
)

func (a *app) conventionsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "conventions DATASET", Short: "Show where a dataset's people draw the edges of boxes, compared with the models",
		Long: `Show, for every class and model, how far people draw each edge outwards (+) or inwards (-) of the model's box, in percent of the
box's width or height, with the 95 % interval and the number of corrections that show it. Edges marked "applied" are moved in new
proposals: their interval leaves zero out, and on images that were not learned from the estimate has made boxes better. A line
without a model holds for models and classes below of which too little is known.`,
		Example: "  gleaner dataset conventions street\n  gleaner dataset conventions street --json", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				estimates, err := conn.Conventions(ctx, args[0])
				if err != nil {
					return err
				}
				if a.asJSON {
					return printJSON(c.OutOrStdout(), estimates)
				}
				return printConventions(c.OutOrStdout(), args[0], estimates)
			})
		},
	}
	a.jsonFlag(c)
	return c
}

func printConventions(w io.Writer, dataset string, estimates []convention.Estimate) error {
	if len(estimates) == 0 {
		_, err := fmt.Fprintf(w, "nothing is known of %s yet: no person has submitted a label where a model proposed one\n", dataset)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "class\tmodel\tedge\toffset %\t95 % interval\tn\t")
	for _, e := range estimates {
		for i, o := range e.Edges {
			applied := ""
			if o.Applied {
				applied = "applied"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%+.1f\t%+.1f to %+.1f\t%d\t%s\n", e.Class, e.Model, convention.Edges[i], 100*o.Mean, 100*o.Low, 100*o.High, o.N, applied)
		}
	}
	return t.Flush()
}
