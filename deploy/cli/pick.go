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
	"gleaner/stages/analysis/coreset"
)

// pickFlags are what the command line says of a query in text.
type pickFlags struct {
	bytes, keep, drop, split string
	rows                     int
}

func (a *app) pickCommand() *cobra.Command {
	q := wire.PickQuery{Slices: map[string]string{}, Query: coreset.Query{Options: coreset.DefaultOptions()}}
	var f pickFlags
	var dry bool
	c := &cobra.Command{
		Use:   "pick",
		Short: "Pick the samples that stand for a dataset, or those to label next",
		Long: `Pick samples of a version of a dataset by the embeddings of the model that labels first, by scores of a training run, or by both,
and send them to the selections topic and the database. The same question about the same samples, by the same scores, gives the same
picks under the same id, and no other picks have it.
Beside the picks stands how well they cover the dataset, and how well as many random ones do, and random ones balanced by class.

A sample's class is the rarest of those of its objects. Scores are columns of the view scores, the mean over a sample's objects. With --unlabeled the samples that wait are picked from, and what models are unsure of and has no like among the labels comes first.

Methods:
` + describeMethods(),
		Example: `  gleaner pick --dataset street --method facility --fraction 0.1
  gleaner pick --dataset street --method ccs --by aum --run probe/street@0a1b2c3d4e5f/pixels/seed1 --count 500 --dry-run
  gleaner pick --dataset street --method herding --count 200 --per-class=equal --slice weather=rain --keep golden.txt --drop bad.txt
  gleaner pick --dataset street --unlabeled --count 100 --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.fill(&q); err != nil {
				return usageError{fmt.Errorf("pick: %w", err)}
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				show, end := trainProgress()
				p, err := conn.Pick(ctx, q, dry, show)
				end()
				if err != nil {
					return err
				}
				if a.asJSON {
					return printJSON(c.OutOrStdout(), p)
				}
				return printPicked(c.OutOrStdout(), p, dry, f.rows)
			})
		},
	}
	flags := c.Flags()
	flags.StringVarP(&q.Dataset, "dataset", "d", "", "dataset to pick from (required)")
	flags.StringVar(&q.Version, "version", "", "version of the dataset (default: one of the labels as they stand)")
	flags.BoolVar(&q.Unlabeled, "unlabeled", false, "pick what to label next of the samples that wait")
	flags.StringVar(&q.Method, "method", "", "how to pick, see above (required but with --unlabeled, where it is uncertain)")
	flags.Float64Var(&q.Fraction, "fraction", 0, "share of the samples to pick, more than 0, up to 1")
	flags.IntVar(&q.Count, "count", 0, "how many to pick")
	flags.StringVar(&f.bytes, "bytes", "", "size of the encoded images to pick, such as 200MiB")
	flags.StringVar(&q.PerClass, "per-class", "", "pick within each class: proportional to its size, or equal")
	flags.Lookup("per-class").NoOptDefVal = coreset.Proportional
	flags.StringVar(&q.Run, "run", "", "training run whose scores count")
	flags.StringVar(&q.By, "by", "", "score that methods by scores go by: aum, forgetting, el2n, … (default of forgetting and forgettable: forgetting)")
	flags.StringVar(&q.Model, "model", "", "model whose embeddings count, NAME or NAME@VERSION (default: the one that embedded last)")
	flags.StringVar(&f.keep, "keep", "", "file with samples to pick in any case, a sample id or unique id a line; they count towards the budget")
	flags.StringVar(&f.drop, "drop", "", "file with samples never to pick")
	flags.Var(pairs(q.Slices), "slice", "pick only of samples of this slice, the producer's or discovered; may be repeated, and all must hold")
	flags.StringVar(&f.split, "split", string(schemas.SplitTrain), "part of the version to pick from: train, val, test or all")
	flags.Int64Var(&q.Seed, "seed", 0, "seed of what is drawn")
	flags.IntVar(&q.Options.Clusters, "clusters", 0, "centers of k-means, for closest and farthest (default: one a class)")
	flags.IntVar(&q.Options.Neighbors, "neighbors", q.Options.Neighbors, "neighbors of each sample, for d2 and facility-sparse")
	flags.Float64Var(&q.Options.Beta, "beta", q.Options.Beta, "share of the hardest to leave out, for ccs")
	flags.IntVar(&f.rows, "rows", 10, "how many picks to print")
	flags.BoolVar(&dry, "dry-run", false, "print what would be picked, and write neither a selection nor a version")
	a.jsonFlag(c)
	return c
}

func describeMethods() string {
	var text strings.Builder
	for _, m := range coreset.Describe() {
		fmt.Fprintf(&text, "  %-20s %s\n", m[0], m[1])
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// fill reads the flags that are text, and refuses what could not be picked before anything is connected.
func (f *pickFlags) fill(q *wire.PickQuery) error {
	forgets := q.Method == "forgetting" || q.Method == "forgettable"
	if forgets && q.By == "" {
		q.By = "forgetting"
	}
	switch {
	case q.Dataset == "":
		return fmt.Errorf("--dataset is required")
	case q.Method == "" && !q.Unlabeled:
		return fmt.Errorf("--method is required: `gleaner pick --help` lists them")
	case q.Unlabeled && (q.Version != "" || q.Run != "" || q.By != "" || q.PerClass != "" || q.Method == coreset.Balanced):
		return fmt.Errorf("--unlabeled: samples that wait have no version, scores or classes yet: leave out --version, --run, --by, --per-class and the method balanced")
	case forgets && q.By != "forgetting":
		return fmt.Errorf("--by %s: the method %s goes by the score forgetting: leave it out, or take hardest", q.By, q.Method)
	case q.Run != "" && q.By == "":
		return fmt.Errorf("--run %s: name the score of it that counts (--by aum)", q.Run)
	case q.Unlabeled && q.Method == "":
		q.Method = coreset.Uncertain
	}
	if q.Split = schemas.Split(f.split); f.split == "all" || q.Unlabeled {
		q.Split = ""
	} else if !slices.Contains([]schemas.Split{schemas.SplitTrain, schemas.SplitVal, schemas.SplitTest}, q.Split) {
		return fmt.Errorf("--split %s: want train, val, test or all", f.split)
	}
	if f.bytes != "" {
		size, err := schemas.ParseByteSize(f.bytes)
		if err != nil {
			return fmt.Errorf("--bytes: %w", err)
		}
		q.Bytes = int64(size)
	}
	for _, list := range []struct {
		flag, path string
		to         *[]schemas.SampleID
	}{{"keep", f.keep, &q.Keep}, {"drop", f.drop, &q.Drop}} {
		if list.path == "" {
			continue
		}
		file, err := os.Open(list.path)
		if err != nil {
			return fmt.Errorf("--%s: %w", list.flag, err)
		}
		ids, err := coreset.ReadList(file, q.Dataset)
		file.Close()
		if err != nil {
			return fmt.Errorf("--%s: %s: %w", list.flag, list.path, err)
		}
		slices.SortFunc(ids, func(a, b schemas.SampleID) int { return slices.Compare(a[:], b[:]) })
		*list.to = slices.Compact(ids)
	}
	return q.Validate()
}

func printPicked(w io.Writer, p wire.Picked, dry bool, rows int) error {
	s := p.Selection
	verb := "selection"
	if dry {
		verb = "nothing was written; it would be selection"
	}
	from := s.DatasetVersion
	if s.Kind == "unlabeled" {
		from = "what waits in " + s.Dataset
	}
	fmt.Fprintf(w, "%s %s: %d of %d samples of %s by %s\n", verb, s.ID, len(s.Picks), p.Samples, from, s.Method)
	for _, why := range slices.Sorted(maps.Keys(p.LeftOut)) {
		fmt.Fprintf(w, "  not picked from: %d %s\n", p.LeftOut[why], why)
	}
	if p.Unscored > 0 {
		fmt.Fprintf(w, "  without %s in run %s: %d\n", p.Query.By, p.Query.Run, p.Unscored)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "method\tpicks\tsize\tclasses\tcoverage")
	for _, c := range p.Compared {
		classes, coverage := "-", "-"
		if p.Classes > 0 {
			classes = fmt.Sprintf("%d of %d", c.Classes, p.Classes)
		}
		if c.Coverage != nil {
			coverage = fmt.Sprintf("%.4f", *c.Coverage)
		}
		fmt.Fprintf(t, "%s\t%d\t%.1f MiB\t%s\t%s\n", c.Method, c.Picks, float64(c.Bytes)/(1<<20), classes, coverage)
	}
	if err := t.Flush(); err != nil || rows < 1 {
		return err
	}
	fmt.Fprintln(t, "score\tweight\tsample\twhy")
	for _, pick := range s.Picks[:min(rows, len(s.Picks))] {
		fmt.Fprintf(t, "%.4g\t%.4g\t%s\t%s\n", pick.Score, pick.Weight, pick.SampleID, pick.Reason)
	}
	if more := len(s.Picks) - rows; more > 0 {
		fmt.Fprintf(t, "…\t\t\tand %d more\n", more)
	}
	return t.Flush()
}
