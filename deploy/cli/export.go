package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gleaner/connectors/formats/coco"
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
			if format != "coco" {
				return usageError{fmt.Errorf("export: format %q: known is coco", format)}
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				b := bar(-1, "export")
				images, annotations, err := writeTo(out, c.OutOrStdout(), func(w io.Writer) (int64, int64, error) {
					if n, err := conn.DB.Counts(ctx, dataset); err != nil || len(n.Labels) == 0 {
						return 0, 0, errors.Join(err, fmt.Errorf("dataset %q has no labels", dataset))
					}
					return coco.Write(w, counted(conn.DB.Labels(ctx, dataset), func() { b.Add(1) }))
				})
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

// writeTo writes to a file that appears when it is whole, or to stdout where path is empty.
func writeTo(path string, stdout io.Writer, write func(io.Writer) (int64, int64, error)) (int64, int64, error) {
	if path == "" {
		return write(stdout)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(f.Name())
	w := bufio.NewWriter(f)
	m, n, err := write(w)
	if err == nil {
		err = w.Flush()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return m, n, err
}
