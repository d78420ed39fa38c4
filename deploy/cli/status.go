package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gleaner/connectors/web"
	"gleaner/deploy/wire"
)

func (a *app) statusCommand() *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show each step's rate, lag, in flight, rejects and last error",
		Long: `Show every step of the flow. Counts are those of the process that serves the page; steps that run elsewhere, or nowhere, are
shown by their lag alone.`,
		Example: "  gleaner status\n  gleaner status --watch\n  gleaner status --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				for {
					s, err := fetchStatus(ctx, conn)
					if err != nil {
						return err
					}
					out := c.OutOrStdout()
					if a.asJSON {
						err = printJSON(out, s)
					} else {
						if watch {
							fmt.Fprint(out, "\x1b[H\x1b[2J") // clear the screen
						}
						err = printStatus(out, s)
					}
					if err != nil || !watch {
						return err
					}
					select {
					case <-ctx.Done():
						return nil
					case <-time.After(time.Second):
					}
				}
			})
		},
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show it again every second until Ctrl-C")
	a.jsonFlag(c)
	return c
}

// fetchStatus asks the process that serves the page, and where there is none Kafka.
func fetchStatus(ctx context.Context, c *wire.Connections) (web.Status, error) {
	if c.At.Web == "" {
		return c.Lags(ctx)
	}
	var s web.Status
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.At.Web+"/api/status", nil)
	if err != nil {
		return s, err
	}
	if token := c.Config.Web.Token; token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return s, fmt.Errorf("status: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1024))
		return s, fmt.Errorf("status: %s answers %s: %s", c.At.Web, answer.Status, text)
	}
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil {
		return s, fmt.Errorf("status: %w", err)
	}
	return s, nil
}

func printStatus(w io.Writer, s web.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "step\tstate\tin\tout\trejected\tdead\tlag\tin flight\trate/s\tp50 ms\tp95 ms\t")
	for _, r := range s.Steps {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t%.1f\t%.1f\t\n", r.Step, r.State, r.In, r.Out, r.Rejected, r.Dead, r.Lag, r.InFlight, r.Rate, r.P50, r.P95)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range s.Steps {
		if r.LastError != "" {
			at := ""
			if !r.LastErrorAt.IsZero() {
				at = ", " + r.LastErrorAt.Local().Format(time.TimeOnly)
			}
			if _, err := fmt.Fprintf(w, "last error of %s%s: %s\n", r.Step, at, r.LastError); err != nil {
				return err
			}
		}
	}
	return nil
}
