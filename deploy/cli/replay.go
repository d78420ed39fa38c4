package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gleaner/deploy/wire"
)

func (a *app) replayCommand() *cobra.Command {
	var f wire.ReplayFilter
	var rejected bool
	var since time.Duration
	c := &cobra.Command{
		Use:   "replay",
		Short: "Send dead letters back to the step that failed on them, or take rejects back",
		Long: `Send dead letters, their bytes untouched, back to the topic they came from, for the step that failed on them alone. With
--rejected, send rejected images through ingest again, which then accepts what its thresholds refused. Images that cannot be
decoded and conflicts stay, and are listed with why.

Replaying twice is harmless: samples keep their ids and readers fold duplicates. --dry-run shows what would go.`,
		Example: `  gleaner replay --dry-run
  gleaner replay --step prelabel --reason panic --since 2h
  gleaner replay --rejected --reason blurred`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.Step != "" && !slices.Contains(wire.AllSteps(), f.Step) {
				return usageError{fmt.Errorf("replay: no step %q: known are %s", f.Step, strings.Join(wire.AllSteps(), ", "))}
			}
			if since > 0 {
				f.Since = time.Now().Add(-since)
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				n, stay := 0, 0
				each := func(r wire.Replayed) {
					line := firstLine(r.Error)
					if r.Stays == "" {
						n++
					} else {
						stay++
						line = "stays: " + r.Stays
					}
					if a.asJSON {
						_ = printJSON(c.OutOrStdout(), r)
						return
					}
					fmt.Fprintf(c.OutOrStdout(), "%s  %s  %s  %s  %s\n", r.At.Local().Format(time.DateTime), r.Step, r.Reason, strings.TrimSpace(r.Key+"  "+r.Name), line)
				}
				send := conn.Replay
				if rejected {
					send = conn.TakeBack
				}
				if err := send(ctx, f, each); err != nil {
					return err
				}
				if !a.asJSON {
					done := "sent back"
					if f.DryRun {
						done = "would be sent back"
					}
					fmt.Fprintf(c.OutOrStdout(), "%d records %s\n", n, done)
				}
				if stay > 0 {
					fmt.Fprintf(os.Stderr, "%d records stay where they are\n", stay)
				}
				if n+stay > 0 || f.Reason == "" {
					return nil
				}
				reasons := map[string]bool{}
				all := f
				all.Reason, all.Limit, all.DryRun = "", 0, true
				if err := send(ctx, all, func(r wire.Replayed) { reasons[r.Reason] = true }); err != nil {
					return err
				}
				if len(reasons) > 0 {
					fmt.Fprintf(os.Stderr, "none has the reason %q; there are %s\n", f.Reason, strings.Join(slices.Sorted(maps.Keys(reasons)), ", "))
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&rejected, "rejected", false, "take back rejected images instead of dead letters")
	c.Flags().StringVar(&f.Step, "step", "", "only of this step")
	offer(c, "step", wire.AllSteps()...)
	c.Flags().StringVar(&f.Reason, "reason", "", "only with this reason, such as undecodable, panic, blurred")
	c.Flags().StringVar(&f.Key, "key", "", "only with this key: a sample id, or for raw dead letters a unique id")
	c.Flags().DurationVar(&since, "since", 0, "only of the last so long, such as 2h")
	c.Flags().IntVar(&f.Limit, "limit", 0, "at most so many (0: all)")
	c.Flags().BoolVar(&f.DryRun, "dry-run", false, "show what would be sent, send nothing")
	a.jsonFlag(c)
	return c
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
