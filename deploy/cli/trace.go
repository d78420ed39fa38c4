package cli

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gleaner/deploy/wire"
	"gleaner/schemas"
)

func (a *app) traceCommand() *cobra.Command {
	var dataset string
	c := &cobra.Command{
		Use:   "trace SAMPLE",
		Short: "Print a sample's way through the topics",
		Long:  "Print every record that a sample left on the topics, in the order of time: with models, timings, findings and losses.",
		Example: `  gleaner trace 3f0c2a9d5b7e41c8a6d2f1e0b9c8d7a6
  gleaner trace 000000000049.jpg --dataset coco128`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				id, err := conn.ResolveSample(dataset, args[0])
				if err != nil {
					return usageError{err}
				}
				b := bar(int64(len(schemas.TopicSpecs())), "reading topics")
				hops, err := conn.Trace(ctx, id, func(schemas.Topic) { b.Add(1) })
				b.End()
				if err != nil {
					return err
				}
				if len(hops) == 0 {
					return fmt.Errorf("trace: no topic holds a record of sample %s: it never came, or retention has passed", id)
				}
				if a.asJSON {
					return printJSON(c.OutOrStdout(), hops)
				}
				t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintf(t, "sample %s\n", id)
				for _, h := range hops {
					fmt.Fprintf(t, "%s\t%s/%d@%d\t%s\n", h.Time.Local().Format("15:04:05.000"), h.Topic, h.Partition, h.Offset, h.What)
				}
				return t.Flush()
			})
		},
	}
	c.Flags().StringVarP(&dataset, "dataset", "d", "", "the sample is named by its unique id in this dataset")
	a.jsonFlag(c)
	return c
}
