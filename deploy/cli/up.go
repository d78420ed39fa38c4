package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/deploy/wire"
)

func (a *app) upCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Run the whole system, with embedded Kafka and ClickHouse unless the configuration names servers",
		Long: `Run every step, the desk and the page in this process until Ctrl-C. Where the configuration names no Kafka brokers or no
ClickHouse server, the embedded engine runs, with its data in the data folder: starting again continues where it ended.`,
		Example: `  gleaner up
  gleaner up --data /srv/gleaner
  gleaner up --config gleaner.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, log, err := a.load()
			if err != nil {
				return err
			}
			return wire.Up(c.Context(), cfg, a.version, log, func(_ context.Context, conn *wire.Connections, _ *wire.System) (bool, error) {
				printAddresses(c.OutOrStdout(), conn)
				fmt.Fprintln(c.OutOrStdout(), "Ctrl-C stops it.")
				return true, nil
			})
		},
	}
}

func printAddresses(w io.Writer, c *wire.Connections) {
	fmt.Fprintf(w, "\n  page       %s/\n  labeling   %s/label\n  metrics    %s/metrics\n", c.At.Web, c.At.Web, c.At.Web)
	if c.At.Play != "" {
		fmt.Fprintf(w, "  ClickHouse %s\n", c.At.Play)
	}
	if c.At.Kafka != "" {
		fmt.Fprintf(w, "  Kafka      %s\n", c.At.Kafka)
	}
	fmt.Fprintln(w)
}

func (a *app) runCommand() *cobra.Command {
	var metrics string
	c := &cobra.Command{
		Use:   "run STEP…",
		Short: "Run some steps only, against servers or beside a running system",
		Long: "Run the named steps in this process until Ctrl-C. Instances of a step share its topics' partitions.\n\nSteps: " +
			strings.Join(wire.AllSteps(), ", "),
		Example: `  gleaner run prelabel lint --config gleaner.yaml
  gleaner run ingest --config gleaner.yaml --metrics :9100   # also serve /metrics, /healthz and /api/status
  gleaner run desk --config gleaner.yaml                     # the desk and its page, which serves these too`,
		Args:      cobra.MinimumNArgs(1),
		ValidArgs: wire.AllSteps(),
		RunE: func(c *cobra.Command, names []string) error {
			for _, n := range names {
				if !slices.Contains(wire.AllSteps(), n) {
					return usageError{fmt.Errorf("run: no step %q: known are %s", n, strings.Join(wire.AllSteps(), ", "))}
				}
			}
			cfg, log, err := a.load()
			if err != nil {
				return err
			}
			if metrics != "" {
				cfg.Metrics.Address = metrics
				if err := cfg.Validate(); err != nil {
					return usageError{err}
				}
			}
			slices.Sort(names)
			return wire.RunSteps(c.Context(), cfg, a.version, log, slices.Compact(names))
		},
	}
	c.Flags().StringVar(&metrics, "metrics", "", "host:port to serve metrics at, without the page (default: the configuration's metrics.address, if any)")
	return c
}
