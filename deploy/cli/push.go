package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/connectors/formats"
	"gleaner/deploy/wire"
	"gleaner/schemas"
)

func (a *app) pushCommand() *cobra.Command {
	o := wire.PushOptions{Slices: map[string]string{}}
	c := &cobra.Command{
		Use:   "push DIR|FILE…|-",
		Short: "Push images to the raw topic",
		Long: `Push image files, or every image below a folder, or the files listed on standard input (-, one path a line). Links to folders
below the folder are not followed.

An image's unique id is its path within the folder, or its name for a single file: pushing it again is harmless, and the
same id with other bytes is rejected as a conflict. Of a file that is listed on standard input the id is the path as listed:
list paths within the folder, as below, for the ids of gleaner push photos. An interrupted push resumes where it ended. Files
that cannot be pushed are named at the end and make the command fail; the others are pushed all the same.`,
		Example: `  gleaner push photos/ --dataset street
  gleaner push a.jpg b.png --dataset street --slice weather=rain --slice time=night
  cd /mnt/photos && find * -name '*.jpg' | gleaner push - --dataset street`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if o.Dataset == "" {
				return usageError{fmt.Errorf("push: --dataset is required")}
			}
			if err := schemas.CheckDataset(o.Dataset); err != nil {
				return usageError{fmt.Errorf("push: --dataset: %w", err)}
			}
			files, err := pushFiles(args, c.InOrStdin())
			if err != nil {
				return err
			}
			if len(files) == 0 {
				return fmt.Errorf("push: no images in %s", strings.Join(args, ", "))
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				b := bar(int64(len(files)), "push")
				result, err := conn.Push(ctx, files, o, func(n int) { b.Add(n) })
				b.End()
				if err != nil {
					fmt.Fprintf(os.Stderr, "%d of %d images are pushed: the same command goes on from there\n", result.Pushed+result.Skipped, len(files))
					return err
				}
				if a.asJSON {
					err = printJSON(c.OutOrStdout(), result)
				} else {
					_, err = fmt.Fprintf(c.OutOrStdout(), "pushed %d images, %.1f MB, to dataset %s; %d were pushed before\ningest judges them next: gleaner status counts what it rejects, gleaner replay --rejected --dry-run lists it\n", result.Pushed, float64(result.Bytes)/1e6, o.Dataset, result.Skipped)
				}
				if err != nil || len(result.Failed) == 0 {
					return err
				}
				for _, f := range result.Failed {
					fmt.Fprintf(os.Stderr, "%s: %s\n", f.Path, f.Error)
				}
				return fmt.Errorf("push: %d of %d files cannot be pushed", len(result.Failed), len(files))
			})
		},
	}
	c.Flags().StringVarP(&o.Dataset, "dataset", "d", "", "dataset that the images belong to (required)")
	c.Flags().StringVar(&o.Task, "task", "", "what is asked of labelers (default \"detect\")")
	c.Flags().Var(pairs(o.Slices), "slice", "metadata that quality figures can be cut by; may be repeated")
	c.Flags().BoolVar(&o.Again, "again", false, "push files that were pushed before, too")
	a.jsonFlag(c)
	return c
}

func pushFiles(args []string, stdin io.Reader) ([]wire.PushFile, error) {
	var files []wire.PushFile
	for _, arg := range args {
		if arg == "-" {
			lines := bufio.NewScanner(stdin)
			for lines.Scan() {
				if path := strings.TrimSpace(lines.Text()); path != "" {
					files = append(files, wire.PushFile{Path: path, UniqueID: filepath.ToSlash(path)})
				}
			}
			if err := lines.Err(); err != nil {
				return nil, fmt.Errorf("push: standard input: %w", err)
			}
			continue
		}
		info, err := os.Stat(arg)
		if err != nil {
			return nil, fmt.Errorf("push: %w", err)
		}
		if !info.IsDir() {
			files = append(files, wire.PushFile{Path: arg, UniqueID: filepath.Base(arg)})
			continue
		}
		images, err := formats.Images(arg)
		if err != nil {
			return nil, fmt.Errorf("push: %w", err)
		}
		for _, i := range images {
			files = append(files, wire.PushFile{Path: filepath.Join(arg, filepath.FromSlash(i)), UniqueID: i})
		}
	}
	return files, nil
}
