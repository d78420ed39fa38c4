package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gleaner/deploy/wire"
	"gleaner/schemas"
)

func (a *app) acceptCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "accept DATASET", Short: "Show what is accepted without a person, and by what evidence",
		Long: `Show the automatic acceptance of a dataset whose rules state a target_quality: the share of accepted images without an error that a
reviewer would mend.

Images from a threshold of confidence on are accepted while audits show that enough of them are right. Audits are images drawn at
random that people see as they see any other. The bound holds however often it is read, with confidence .95. Before there are
enough audits people see everything, and all of it counts. In doubt acceptance pauses; when audits show a change it is
withdrawn, what was accepted since goes back to people, and audits begin anew.`,
		Example: "  gleaner dataset accept street\n  gleaner dataset accept street --json", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				known, ok, err := conn.Acceptance(ctx, args[0])
				switch {
				case err != nil:
					return err
				case !ok:
					return fmt.Errorf("%s states no target_quality: put one into its rules and apply them with `gleaner dataset apply FILE`", args[0])
				case a.asJSON:
					return printJSON(c.OutOrStdout(), known)
				}
				return printAcceptance(c.OutOrStdout(), known)
			})
		},
	}
	a.jsonFlag(c)
	return c
}

func printAcceptance(w io.Writer, a schemas.Acceptance) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(what, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", what, fmt.Sprintf(format, args...)) }
	line("state", "%s", a.State)
	line("target", "%g of accepted images without an error", a.Target)
	if a.Audits > 0 {
		line("threshold", "confidence %.3f: %.0f %% of the images", a.Threshold, 100*a.Share)
		line("bound", "at most %.1f %% of these are wrong, %.1f %% are allowed", 100*a.Bound, 100*(1-a.Target))
	}
	line("audits", "%d of these images, %d with an error; %d of all, %d with an error", a.Audits, a.Wrong, a.TotalAudits, a.TotalWrong)
	if a.Outstanding > 0 {
		line("outstanding", "%d audits are still to come", a.Outstanding)
	}
	if a.Needed > 0 {
		line("missing", "%d audits without an error; %d are the least for this target", a.Needed, a.AtLeast)
	}
	line("audited", "%g of the images", a.Audit)
	saving := 0.0
	if all := a.Automatic + a.People; all > 0 {
		saving = float64(a.Automatic) / float64(all)
	}
	line("saved", "%d tasks, %.0f %% of the labels; people made %d", a.Automatic, 100*saving, a.People)
	for _, at := range a.Withdrawals {
		line("withdrawn", "%s", at.Local().Format("2006-01-02 15:04:05"))
	}
	return t.Flush()
}
