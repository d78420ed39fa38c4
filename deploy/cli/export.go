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
	"gleaner/deploy/query"
	"gleaner/deploy/wire"
	"gleaner/schemas"
)

func (a *app) exportCommand() *cobra.Command {
	var dataset, format, out, scores, losses string
	c := &cobra.Command{
		Use:   "export",
		Short: "Export a dataset's best labels, or the scores or losses of a training run",
		Long: `Stream the best label of every sample of a dataset, from ClickHouse, in memory that does not grow with the dataset. With --scores or
--losses, stream the scores or the losses of a training run to a file of Parquet.`,
		Example: `  gleaner export --format coco --dataset street --out street.json
  gleaner export --dataset street | jq '.categories'
  gleaner export --scores run7 --out scores.parquet
  gleaner export --losses run7 --out losses.parquet`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if scores != "" || losses != "" {
				return a.exportRun(c.Context(), scores, losses, out)
			}
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
					n, err := conn.DB.Counts(ctx, dataset)
					if err == nil && len(n.Labels) == 0 {
						err = fmt.Errorf("dataset %q has no labels", dataset)
					}
					if err != nil {
						return err
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
	c.Flags().StringVarP(&dataset, "dataset", "d", "", "dataset whose labels to export")
	c.Flags().StringVar(&scores, "scores", "", "training run whose scores to export")
	c.Flags().StringVar(&losses, "losses", "", "training run whose losses to export")
	c.MarkFlagsMutuallyExclusive("dataset", "scores", "losses")
	c.Flags().StringVar(&format, "format", "coco", "coco")
	c.Flags().StringVarP(&out, "out", "o", "", "file to write (default: standard output); it appears when it is whole")
	return c
}

// exportRun writes the scores, or the losses, of a run.
func (a *app) exportRun(ctx context.Context, scores, losses, out string) error {
	if out == "" {
		return usageError{fmt.Errorf("export: --out is required: the file of Parquet to write")}
	}
	name, run := "scores", scores
	if losses != "" {
		name, run = "losses", losses
	}
	q, err := query.Find(name)
	if err != nil {
		return err
	}
	return a.connected(ctx, func(ctx context.Context, conn *wire.Connections) error {
		last, err := conn.DB.LastAttempt(ctx, run)
		if err == nil && last == 0 {
			err = fmt.Errorf("run %q has no losses: `gleaner query runs --param dataset=…` lists runs", run)
		}
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		return writeParquet(ctx, conn.DB, q.SQL, map[string]string{"run": run}, out)
	})
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
