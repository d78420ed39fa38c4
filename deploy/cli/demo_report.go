package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gleaner/deploy/demo"
	"gleaner/deploy/wire"
	"gleaner/schemas"
)

// printDemo tells people what happened.
func printDemo(ctx context.Context, w io.Writer, c *wire.Connections, s *wire.System, r demo.Report, o demo.Options, took time.Duration) error {
	status, err := s.Status(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "\nThe steps, since this process started; rates when the last image was through, latencies of one record in its step")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "step\tin\tout\trejected\tdead\trate/s\tp50 ms\tp95 ms\t")
	for i, s := range status.Steps {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%.1f\t%.1f\t%.1f\t\n", s.Step, s.In, s.Out, s.Rejected, s.Dead, r.Rates.Steps[i].Rate, s.P50, s.P95)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if r.Push.Skipped == 0 {
		fmt.Fprintf(w, "\n%d images through the flow in %.1f s, %.1f a second\n", r.Images, r.Flow.Seconds(), float64(r.Images)/r.Flow.Seconds())
	} else {
		fmt.Fprintf(w, "\n%d images; %d were pushed by an earlier run, and the flow went on from where that ended (%.1f s)\n", r.Images, r.Push.Skipped, r.Flow.Seconds())
	}
	for _, f := range r.Push.Failed {
		fmt.Fprintf(w, "Left out, since it cannot be pushed: %s: %s\n", f.Path, f.Error)
	}

	a := r.Account
	fmt.Fprintf(w, "\nWhere they are\n  %4d accepted automatically\n  %4d labeled on the desk, %d of them now by the simulated labeler %q\n  %4d wait for people on the desk\n  %4d rejected%s\n", a.Automatic, a.Human, r.Simulated, demo.Simulated, a.Waiting, a.Rejects(), reasons(a.Rejected))
	if n := len(r.Faults); n > 0 {
		fmt.Fprintf(w, "  labels beside %d of the images cannot be used, the first since %v\n", n, r.Faults[0])
	}
	if r.Erased > 0 {
		fmt.Fprintf(w, "  %4d erased\n", r.Erased)
	}
	if r.Dead > 0 {
		fmt.Fprintf(w, "  %4d set aside, since a step cannot handle them: gleaner replay --dry-run --data %s lists them\n", r.Dead, c.Config.DataDir)
	}
	total := int(a.Total() + r.Erased + r.Dead)
	verdict := "all accounted for"
	switch {
	case total < r.Images:
		verdict = "NOT all accounted for"
	case total > r.Images:
		verdict = fmt.Sprintf("%d more are in the dataset than in the folder", total-r.Images)
	}
	fmt.Fprintf(w, "  %4d in, %d out: %s; %d labels are back on the desk because losses doubt them\n", r.Images, total, verdict, a.Returned)
	if r.Labels == nil {
		fmt.Fprintln(w, "  No labels lie beside the images: the desk waits for people.")
	} else {
		fmt.Fprintf(w, "  Labels beside the images: %s (%s)\n", r.Labels.From, r.Labels.Format)
	}

	if len(r.Doubtful) > 0 {
		fmt.Fprintln(w, "\nThe most doubtful labels, by lint")
		for _, d := range r.Doubtful {
			fmt.Fprintf(w, "  %.2f  %-10s %-30s %s\n", d.Finding.Score, d.Finding.Type, d.UniqueID, d.Finding.Why)
		}
	}
	if r.Run == nil {
		fmt.Fprintf(w, "\nNothing was trained: %s\n", r.NotRun)
	} else if err := printLoop(ctx, w, c, r); err != nil {
		return err
	}
	if r.Sheet {
		fmt.Fprintf(w, "\nContact sheet: %s\n", o.SheetPath)
	}
	if len(r.Models) == 0 {
		fmt.Fprintln(w, "\nNo model labeled first. Bring your own images and a detector:\n  make demo IMAGES=folder MODEL=detector.onnx      (class names in a *.names file beside it)")
	}
	printAddresses(w, c)
	if o.Once {
		fmt.Fprintln(w, "They listen until the demo ends, which is now: without ONCE=1 (--once) it stays up.")
	}
	fmt.Fprintf(w, "The run took %.1f s.\n", took.Seconds())
	return nil
}

// printLoop tells what the trainer learned and what it sent back.
func printLoop(ctx context.Context, w io.Writer, c *wire.Connections, r demo.Report) error {
	f, err := c.DB.Forgetting(ctx, r.Run.RunID)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "\nTrained on the accepted labels")
	if r.Run.Finished.IsZero() {
		fmt.Fprintf(w, "  run %s: these very labels were trained on before\n", r.Run.RunID)
	} else {
		printContest(w, *r.Run, r.Beside)
	}
	fmt.Fprintf(w, "  forgetting (Toneva et al. 2019), asked of ClickHouse: of %d boxes %d were never learned, %d never forgotten; %.2f events per learned box\n", f.Objects, f.NeverLearned, f.Unforgettable, f.PerLearned)
	if len(r.Selection.Picks) == 0 {
		fmt.Fprintln(w, "\nThe losses argue with no label: none goes back to the desk.")
		return nil
	}
	fmt.Fprintln(w, "\nThe most doubtful of the accepted labels, by these losses, with how far they fall short (logits): back on the desk")
	names := map[string]string{}
	for _, p := range r.Selection.Picks[:min(len(r.Selection.Picks), 10)] {
		id := p.SampleID.String()
		if names[id] == "" {
			names[id] = id
			if s, ok, err := c.DB.Sample(ctx, p.SampleID); err == nil && ok && s.UniqueID != "" {
				names[id] = s.UniqueID
			}
		}
		fmt.Fprintf(w, "  %6.2f  %-30s %-10s %s\n", p.Score, names[id], p.ObjectID, p.Reason)
	}
	return nil
}

// printContest tells how the learners did on boxes that they had not seen.
func printContest(w io.Writer, used schemas.Run, beside *schemas.Run) {
	line := func(run schemas.Run) {
		m := run.Metrics
		fmt.Fprintf(w, "  run %s: %.0f boxes, %.0f classes, %d epochs, %d loss rows in %.1f s\n", run.RunID, m["train_boxes"]+m["train_images"], m["classes"], run.Epochs, run.Rows, run.Finished.Sub(run.Started).Seconds())
		if n := m["val_boxes"] + m["val_images"]; n > 0 {
			fmt.Fprintf(w, "    held-out boxes: %.1f %% right of %.0f\n", 100*m["val_accuracy"], n)
		}
	}
	line(used)
	if beside == nil {
		return
	}
	line(*beside)
	why := "no less of them right"
	if used.Metrics["val_accuracy"] < beside.Metrics["val_accuracy"] {
		why = "less of them right, but the other one took longer"
	}
	fmt.Fprintf(w, "  always naming the commonest class: %.1f %%; the losses of the first count: %s\n", 100*max(used.Metrics["val_majority"], beside.Metrics["val_majority"]), why)
}

func reasons(by map[string]uint64) string {
	if len(by) == 0 {
		return ""
	}
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, fmt.Sprintf("%d %s", by[reason], reason))
	}
	return ": " + strings.Join(parts, ", ")
}

// openPage shows an address in the person's browser, where there is a screen; elsewhere the printed address must do.
func openPage(address string) {
	program := "xdg-open"
	switch {
	case runtime.GOOS == "darwin":
		program = "open"
	case os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "":
		return
	}
	if path, err := exec.LookPath(program); err == nil {
		_ = exec.Command(path, address).Start()
	}
}
