package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gleaner/connectors/web"
	"gleaner/deploy/wire"
)

func (a *app) statusCommand() *cobra.Command {
	var watch bool
	var peers []string
	c := &cobra.Command{
		Use:   "status",
		Short: "Show each step's rate, lag, in flight, rejects and last error",
		Long: `Show every step of the flow. Counts are those of the process that serves the page, and of the others that --at names by the
address of their metrics; steps that run in neither are shown by their lag alone. Lag, the records that are not read yet, is as it was
when a step last measured it, every runner.lag_every (10 s).`,
		Example: `  gleaner status
  gleaner status --watch
  gleaner status --at http://worker-1:9100 --at http://worker-2:9100 --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				for {
					s, err := gather(ctx, conn, peers)
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
	c.Flags().StringArrayVar(&peers, "at", nil, "http address of a process started by gleaner run with --metrics; may be repeated")
	a.jsonFlag(c)
	return c
}

// gather asks the process that serves the page and those at the given addresses, and where there are none Kafka.
func gather(ctx context.Context, c *wire.Connections, peers []string) (web.Status, error) {
	if c.At.Web != "" {
		peers = append([]string{c.At.Web}, peers...)
	}
	if len(peers) == 0 {
		return c.Lags(ctx)
	}
	all, err := fetchStatus(ctx, peers[0], c.Config.Web.Token)
	for _, address := range peers[1:] {
		if err != nil {
			break
		}
		var s web.Status
		if s, err = fetchStatus(ctx, address, c.Config.Web.Token); err == nil {
			merge(&all, s)
		}
	}
	return all, err
}

// merge adds what another process runs. A step that both run has the sum of their counts and rates, and the worse latency; of the
// models in force those count that are not what was asked for last.
func merge(all *web.Status, s web.Status) {
	if all.Serving == nil {
		all.Serving = s.Serving
	}
	for dataset, b := range s.Serving {
		if a, ok := all.Serving[dataset]; !ok || b.Asked.Before(a.Asked) || b.Asked.Equal(a.Asked) && b.Why != "" {
			all.Serving[dataset] = b
		}
	}
	for i := range all.Steps {
		a := &all.Steps[i]
		at := slices.IndexFunc(s.Steps, func(b web.StepStatus) bool { return b.Step == a.Step })
		if at < 0 || s.Steps[at].State == "elsewhere" {
			continue
		}
		b := s.Steps[at]
		if a.State == "elsewhere" {
			*a = b
			continue
		}
		if b.State == "failed" {
			a.State = b.State
		}
		a.In, a.Out, a.Rejected, a.Dead = a.In+b.In, a.Out+b.Out, a.Rejected+b.Rejected, a.Dead+b.Dead
		a.InFlight, a.Rate = a.InFlight+b.InFlight, a.Rate+b.Rate
		a.Lag, a.P50, a.P95 = max(a.Lag, b.Lag), max(a.P50, b.P50), max(a.P95, b.P95)
		if b.LastErrorAt.After(a.LastErrorAt) {
			a.LastError, a.LastErrorAt = b.LastError, b.LastErrorAt
		}
	}
}

func fetchStatus(ctx context.Context, address, token string) (web.Status, error) {
	var s web.Status
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(address, "/")+"/api/status", nil)
	if err != nil {
		return s, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return s, fmt.Errorf("%w: %s does not answer: %w", wire.ErrNotRunning, address, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1024))
		return s, fmt.Errorf("status: %s answers %s: %s", address, answer.Status, text)
	}
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil {
		return s, fmt.Errorf("status: %s: %w", address, err)
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
