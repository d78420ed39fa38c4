package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gleaner/connectors/clickhouse"
	"gleaner/deploy/sheet"
	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/stages/pixels"
)

func (a *app) similarCommand() *cobra.Command {
	var dataset, sheetPath string
	var likeness wire.Likeness
	c := &cobra.Command{
		Use:   "similar SAMPLE",
		Short: "Find the images, or objects, that look most like one",
		Long: `Print the nearest neighbors of a sample's image, or of one of its objects, by the features of one model:
1 minus the cosine of the two vectors, so 0 is the same and 1 has nothing in common. Twins come first. What other models alone have
embedded cannot be compared.`,
		Example: `  gleaner similar 000000000049.jpg --dataset coco128
  gleaner similar 3f0c2a9d5b7e41c8a6d2f1e0b9c8d7a6 --object o3 -n 20 --sheet similar.png
  gleaner similar 0001.jpg --dataset street --within archive --model yolox_nano --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if likeness.Count < 1 || likeness.Count > clickhouse.MaxSimilar {
				return usageError{fmt.Errorf("similar: --count %d: want 1 to %d", likeness.Count, clickhouse.MaxSimilar)}
			}
			if err := checkSheet(sheetPath); err != nil {
				return usageError{fmt.Errorf("similar: %w", err)}
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				var err error
				if likeness.Sample, err = conn.ResolveSample(dataset, args[0]); err != nil {
					return usageError{err}
				}
				found, err := conn.Similar(ctx, likeness)
				if err != nil {
					return err
				}
				if sheetPath != "" {
					if err := writeNeighbors(ctx, conn, found, sheetPath); err != nil {
						return fmt.Errorf("similar: contact sheet: %w", err)
					}
				}
				if a.asJSON {
					return printJSON(c.OutOrStdout(), found)
				}
				t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintf(t, "nearest to %s by layer %s of %s:\n", name(found.Of), found.Of.Layer, found.Of.Model)
				for _, n := range found.Neighbors {
					fmt.Fprintf(t, "%.4f\t%s\t%s\t%s\t%s\n", n.Distance, n.Dataset, name(n), strings.Join(n.Classes, ", "), n.SampleID)
				}
				if len(found.Neighbors) == 0 {
					fmt.Fprintln(t, "nothing else that this model has embedded")
				}
				if alone := found.Embedded - min(found.Compared, found.Embedded); alone > 0 {
					fmt.Fprintf(t, "%d of %d embedded samples were not compared: other models alone have embedded them, and --model names another\n", alone, found.Embedded)
				}
				return t.Flush()
			})
		},
	}
	c.Flags().StringVarP(&dataset, "dataset", "d", "", "the sample is named by its unique id in this dataset")
	c.Flags().StringVar(&likeness.Object, "object", "", "compare this object of the sample with objects (default: images with images)")
	c.Flags().StringVar(&likeness.Model, "model", "", "compare by this model, NAME or NAME@VERSION (default: the one that embedded the sample last)")
	c.Flags().StringVar(&likeness.Within, "within", "", "search in this dataset alone (default: in all)")
	c.Flags().IntVarP(&likeness.Count, "count", "n", 10, fmt.Sprintf("how many, up to %d", clickhouse.MaxSimilar))
	c.Flags().StringVar(&sheetPath, "sheet", "", "also draw a contact sheet, the sample first, to this PNG file")
	a.jsonFlag(c)
	return c
}

// name is what people call a neighbor.
func name(n wire.Neighbor) string {
	out := n.UniqueID
	if out == "" {
		out = n.SampleID.String()
	}
	if n.ObjectID != "" {
		out += " " + n.ObjectID
	}
	return out
}

// writeNeighbors draws a sheet of what was asked for and its neighbors; of images with their objects, of objects with these alone.
func writeNeighbors(ctx context.Context, conn *wire.Connections, found wire.Neighborhood, path string) error {
	var cells []sheet.Cell
	for _, n := range append([]wire.Neighbor{found.Of}, found.Neighbors...) {
		if n.Sample.Image.Size == 0 {
			continue
		}
		img, err := imageOf(ctx, conn, n.Sample)
		if err != nil {
			return err
		}
		objects := slices.DeleteFunc(slices.Clone(n.Sample.Objects), func(o schemas.Object) bool { return n.ObjectID != "" && n.ObjectID != o.ID })
		cells = append(cells, sheet.Cell{Image: img, Caption: fmt.Sprintf("%s %.3f", name(n), n.Distance), Objects: objects})
	}
	return sheet.Write(path, cells, 4)
}

// checkSheet refuses a file that is not named as what is drawn; "" is none.
func checkSheet(path string) error {
	if path != "" && !strings.EqualFold(filepath.Ext(path), ".png") {
		return fmt.Errorf("--sheet %s: a PNG is drawn: name it so", path)
	}
	return nil
}

// imageOf reads and decodes a sample's image.
func imageOf(ctx context.Context, conn *wire.Connections, s schemas.Sample) (*pixels.Image, error) {
	data, err := conn.Blobs.Get(ctx, schemas.ImageKey(s.Image.SHA256))
	if err != nil {
		return nil, err
	}
	img, _, err := pixels.Decode(data, conn.Config.Pixels.Limits)
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w", s.ID, err)
	}
	return img, nil
}
