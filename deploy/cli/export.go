package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/connectors/formats/coco"
	"gleaner/deploy/batch"
	"gleaner/deploy/wire"
	"gleaner/schemas"
)

func (a *app) exportCommand() *cobra.Command {
	var dataset, format, out string
	c := &cobra.Command{
		Use:   "export",
		Short: "Export a dataset's best labels",
		Long:  "Stream the best label of every sample of a dataset, from ClickHouse, in memory that does not grow with the dataset.",
		Example: `  gleaner export --format coco --dataset street --out street.json
  gleaner export --dataset street | jq '.categories'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if dataset == "" {
				return usageError{fmt.Errorf("export: --dataset is required")}
			}
			if strings.Contains(dataset, "@") {
				return usageError{fmt.Errorf("export: --dataset %s: the best labels of now are exported, not a version: name the dataset alone", dataset)}
			}
			if format != "coco" {
				return usageError{fmt.Errorf("export: format %q: known is coco", format)}
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				b := bar(-1, "export")
				var images, annotations int64
				write := func(w io.Writer) (err error) {
					if n, err := conn.DB.Counts(ctx, dataset); err != nil || len(n.Labels) == 0 {
						return errors.Join(err, fmt.Errorf("dataset %q has no labels", dataset))
					}
					buffered := bufio.NewWriter(w)
					images, annotations, err = coco.Write(buffered, counted(conn.DB.Labels(ctx, dataset), func() { b.Add(1) }))
					return errors.Join(err, buffered.Flush())
				}
				var err error
				if out == "" {
					err = write(c.OutOrStdout())
				} else {
					err = batch.Write(out, write)
				}
				b.End()
				if err != nil {
					return fmt.Errorf("export: %w", err)
				}
				fmt.Fprintf(os.Stderr, "exported %d images with %d objects\n", images, annotations)
				return nil
			})
		},
	}
	c.Flags().StringVarP(&dataset, "dataset", "d", "", "dataset to export (required)")
	c.Flags().StringVar(&format, "format", "coco", "coco")
	c.Flags().StringVarP(&out, "out", "o", "", "file to write (default: standard output); it appears when it is whole")
	return c
}

func counted(labels iter.Seq2[schemas.Label, error], count func()) iter.Seq2[schemas.Label, error] {
	return func(yield func(schemas.Label, error) bool) {
		for l, err := range labels {
			count()
			if !yield(l, err) {
				return
			}
		}
	}
}
