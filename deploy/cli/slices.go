package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gleaner/connectors/clickhouse"
	"gleaner/deploy/sheet"
	"gleaner/deploy/wire"
)

const (
	sliceValuesShown = 20 // values of a producer's slice that are printed
	slicePartsShown  = 3  // of what stands out in a value, and of what is nearest to its center
)

func (a *app) slicesCommand() *cobra.Command {
	d := wire.Discovery{}
	var remove, sheetPath string
	rename := map[string]string{}
	c := &cobra.Command{
		Use: "slices DATASET", Short: "List a dataset's slices, or discover one by what its images look like",
		Long: `List the values of a dataset's slices, with how many samples have each. With --clusters a slice is discovered first: images are grouped
by k-means on the embeddings of the model that labels first, and each sample's group becomes its value of the slice --name, NAME-0 for the
largest. Beside each discovered value stand those of the producer's that it has more of than chance gives, with their share and by what
factor that is above the slice's as a whole, and the samples nearest to the group's center, which --sheet draws, a row each. That is
to name it by: --rename look-3=night.

The same embeddings and seed give the same values. Samples that come later have none until the command runs again, which assigns all anew
and forgets the names. Whatever cuts by slice in ClickHouse reads discovered slices like the producer's: scores, pick, decisions of rules, and
the views sample_latest, label_latest and correction_latest. Rules' predicates at label time, and versions of the dataset, know the
producer's alone.`,
		Example: `  gleaner dataset slices street
  gleaner dataset slices street --clusters 8 --sheet looks.png
  gleaner dataset slices street --rename look-3=night --rename look-5=night
  gleaner scores run7 --by error_score --slice look=night
  gleaner dataset slices street --remove look`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			d.Dataset = args[0]
			finds, only := c.Flags().Changed("clusters"), ""
			if finds || c.Flags().Changed("name") {
				only = d.Name
			}
			err := checkSheet(sheetPath)
			if finds && err == nil {
				err = d.Validate()
			}
			if err != nil {
				return usageError{fmt.Errorf("dataset slices: %w", err)}
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				var err error
				switch {
				case finds:
					show, end := trainProgress()
					err = conn.DiscoverSlice(ctx, d, show)
					end()
				case len(rename) > 0:
					err = conn.RenameSlice(ctx, d.Dataset, d.Name, rename)
				case remove != "":
					err = conn.RemoveSlice(ctx, d.Dataset, remove)
				}
				if err != nil {
					return err
				}
				found, err := conn.Slices(ctx, d.Dataset, only)
				if err != nil {
					return err
				}
				if sheetPath != "" {
					if err := writeNearest(ctx, conn, found, sheetPath); err != nil {
						return fmt.Errorf("dataset slices: contact sheet: %w", err)
					}
				}
				if a.asJSON {
					return printJSON(c.OutOrStdout(), found)
				}
				return printSlices(c.OutOrStdout(), found)
			})
		},
	}
	flags := c.Flags()
	flags.IntVar(&d.Clusters, "clusters", 0, fmt.Sprintf("discover a slice of so many values, 2 to %d", clickhouse.MaxSliceValues))
	flags.StringVar(&d.Name, "name", "look", "the slice to discover, to rename values of, or to list alone")
	flags.StringVar(&d.Model, "model", "", "discover by this model's embeddings, NAME or NAME@VERSION (default: the one that embedded last)")
	flags.Int64Var(&d.Seed, "seed", 0, "seed of k-means")
	flags.Var(pairs(rename), "rename", "give a discovered value a name, look-3=night; may be repeated, and the same name makes one value of two")
	flags.StringVar(&remove, "remove", "", "take this discovered slice back")
	flags.StringVar(&sheetPath, "sheet", "", "also draw the samples nearest to each discovered value's center to this PNG file")
	c.MarkFlagsMutuallyExclusive("clusters", "rename", "remove")
	return c
}

func printSlices(w io.Writer, found []wire.Slice) error {
	if len(found) == 0 {
		_, err := fmt.Fprintln(w, "no slices: producers give them (gleaner push --slice), and --clusters discovers them")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "slice\tvalue\tsamples\tfrom\tstands out\tnearest to the center")
	name, shown := "", 0
	for _, s := range found {
		if s.Model != "" {
			var parts, nearest []string
			for _, o := range s.StandsOut[:min(slicePartsShown, len(s.StandsOut))] {
				parts = append(parts, fmt.Sprintf("%s=%s %.0f %% (×%.1f)", o.Name, o.Value, 100*o.Share, o.Lift))
			}
			for _, n := range s.Nearest[:min(slicePartsShown, len(s.Nearest))] {
				nearest = append(nearest, cmp.Or(n.UniqueID, n.SampleID.String()))
			}
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\n", s.Name, s.Value, s.Samples, s.Model, cmp.Or(strings.Join(parts, ", "), "-"), strings.Join(nearest, ", "))
			continue
		}
		if s.Name != name {
			name, shown = s.Name, 0
		}
		if shown++; shown <= sliceValuesShown {
			fmt.Fprintf(t, "%s\t%s\t%d\tproducer\t\t\n", s.Name, s.Value, s.Samples)
		} else if shown == sliceValuesShown+1 {
			fmt.Fprintf(t, "%s\t…\t\tproducer: --json lists more\t\t\n", s.Name)
		}
	}
	return t.Flush()
}

// writeNearest draws a sheet with a row for each discovered value.
func writeNearest(ctx context.Context, conn *wire.Connections, found []wire.Slice, path string) error {
	const columns = wire.NearestShown
	var cells []sheet.Cell
	for _, s := range found {
		if s.Model == "" {
			continue
		}
		row := make([]sheet.Cell, columns)
		for i, n := range s.Nearest {
			sample, known, err := conn.DB.Sample(ctx, n.SampleID)
			if err != nil {
				return err
			}
			if !known || sample.Image.Size == 0 {
				continue
			}
			img, err := imageOf(ctx, conn, sample)
			if err != nil {
				return err
			}
			row[i] = sheet.Cell{Image: sheet.Thumbnail(img), Caption: s.Value + " " + cmp.Or(n.UniqueID, n.SampleID.String())}
		}
		cells = append(cells, row...)
	}
	if len(cells) == 0 {
		return errors.New("no discovered slice to draw: --clusters discovers one")
	}
	return sheet.Write(path, cells, columns)
}
