package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gleaner/deploy/wire"
	findings "gleaner/stages/lint/learned"
	"gleaner/stages/prelabel/calibrate"
	"gleaner/stages/prelabel/convention"
	"gleaner/stages/prelabel/evaluate"
	"gleaner/stages/prelabel/fuse"
	"gleaner/stages/prelabel/learned"
)

func (a *app) learnedCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "learned DATASET", Short: "Show what people's corrections have taught prelabel and lint: conventions, calibration, fusion, findings",
		Long: `Show what has been learned from the corrections of a dataset, as a running system has it within seconds, or for calibration and
fusion when a tenth of the samples is new.

Conventions: how far people draw each edge outwards (+) or inwards (-) of the model's box, in percent of the box's width or
height, with the 95 % interval and the number of corrections that show it. Edges marked "applied" are moved in new proposals:
their interval leaves zero out, and on images that were not learned from the estimate has made boxes better. A line without a
model holds for models and classes below of which too little is known.

Calibration: the log-odds of being accepted are shift + slope * the log-odds of the model's score, by the narrowest line there is.

Fusion: what each way of making one list of several models' detections was worth on images that it did not learn from. Refused
classes stay with their best model.

Findings: how often people, shown one, fixed the label, kept it for a reason, or passed the finding by, and what a score of 0.5 that
lint gives by itself is worth here: the probability that a reviewer changes the label.`,
		Example: "  gleaner dataset learned street\n  gleaner dataset learned street --json", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				known, err := conn.Learned(ctx, args[0])
				if err != nil {
					return err
				}
				judged, err := conn.LearnedOfFindings(ctx, args[0])
				if err != nil {
					return err
				}
				if a.asJSON {
					return printJSON(c.OutOrStdout(), struct {
						learned.Known
						Findings []findings.Type `json:"findings,omitempty"`
					}{known, judged})
				}
				return errors.Join(printLearned(c.OutOrStdout(), args[0], known), printFindings(c.OutOrStdout(), judged))
			})
		},
	}
	a.jsonFlag(c)
	return c
}

func printLearned(w io.Writer, dataset string, known learned.Known) error {
	if known.Samples == 0 {
		_, err := fmt.Fprintf(w, "nothing is known of %s yet: no person has submitted a sample that a model looked at\n", dataset)
		return err
	}
	fmt.Fprintln(w, "CONVENTIONS")
	if err := printConventions(w, known.Conventions); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nCALIBRATION, by %d samples\n", known.Samples)
	if err := printCalibration(w, known.Calibration); err != nil {
		return err
	}
	for _, f := range known.Fusion {
		if err := printFusion(w, f); err != nil {
			return err
		}
	}
	return nil
}

func printFindings(w io.Writer, types []findings.Type) error {
	if len(types) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nFINDINGS")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "type\tfixed\tkept\tpassed\tscore 0.5 is")
	for _, f := range types {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%.2f\n", f.Type, f.Fixed, f.Kept, f.Passed, f.AtHalf)
	}
	return t.Flush()
}

func printConventions(w io.Writer, estimates []convention.Estimate) error {
	if len(estimates) == 0 {
		_, err := fmt.Fprintln(w, "none yet: no label stands where a model proposed one")
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

func printCalibration(w io.Writer, b *calibrate.Book) error {
	if b.All == nil {
		_, err := fmt.Fprintln(w, "none yet: scores are taken as probabilities")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "model\tsuper-class\tclass\tn\tshift\tslope\tscore 0.5 is")
	var lines func(l *calibrate.Line, path ...string)
	lines = func(l *calibrate.Line, path ...string) {
		names := []string{"all", "all", "all"}
		for i, name := range path {
			names[i] = cmp.Or(name, "-")
		}
		fmt.Fprintf(t, "%s\t%d\t%+.2f\t%.2f\t%.2f\n", strings.Join(names, "\t"), l.N, l.Shift, l.Slope, l.Probability(0.5))
		for _, name := range slices.Sorted(maps.Keys(l.Below)) {
			lines(l.Below[name], append(path[:len(path):len(path)], name)...)
		}
	}
	lines(b.All)
	return t.Flush()
}

func printFusion(w io.Writer, f learned.Fusion) error {
	var ids []string
	for _, m := range f.Models {
		ids = append(ids, m.ID)
	}
	fmt.Fprintf(w, "\nFUSION of %s, by %d images\n", strings.Join(ids, " and "), f.Images)
	if len(f.Trials) == 0 {
		_, err := fmt.Fprintf(w, "not learned yet: %d labeled images are needed; each class has the first model that knows it\n", fuse.DefaultConfig().MinImages)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "method\tAP50 %\tless single's, 95 % interval\t")
	for _, trial := range f.Trials {
		over, chosen := "", ""
		if trial.Method != fuse.Single {
			over = points(trial.Over)
		}
		if trial.Method == f.Method {
			chosen = "chosen"
		}
		fmt.Fprintf(t, "%s\t%.1f\t%s\t%s\n", trial.Method, 100*trial.AP, over, chosen)
	}
	for _, class := range slices.Sorted(maps.Keys(f.Refused)) {
		fmt.Fprintf(t, "%s\t\t%s\trefused\n", class, points(f.Refused[class]))
	}
	return t.Flush()
}

// points prints a difference of average precisions in percent.
func points(i evaluate.Interval) string {
	return fmt.Sprintf("%+.1f, %+.1f to %+.1f", 100*i.Value, 100*i.Low, 100*i.High)
}
