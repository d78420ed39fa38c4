package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/stages/prelabel"
)

// modelStatus is a registry entry and what has become of it, for list and show.
type modelStatus struct {
	schemas.Model
	Serves  []string              `json:"serves"`            // datasets that ask for it
	InForce []string              `json:"in_force,omitzero"` // datasets whose samples it labels; nil: not known here
	Removed *schemas.ModelRemoval `json:"removed,omitempty"`
}

func statusOf(r prelabel.Registry, m schemas.Model, now map[string]schemas.InForce) modelStatus {
	s := modelStatus{Model: m, Serves: wire.ServedBy(r, m.ID)}
	if now != nil {
		s.InForce = []string{}
	}
	for _, dataset := range slices.Sorted(maps.Keys(now)) {
		if slices.Contains(now[dataset].All(), m.ID) {
			s.InForce = append(s.InForce, dataset)
		}
	}
	if removal, ok := r.Removed[m.ID]; ok {
		s.Removed = &removal
	}
	return s
}

func (s modelStatus) text() string {
	var parts []string
	if len(s.Serves) > 0 {
		parts = append(parts, "serves "+strings.Join(s.Serves, ", "))
	}
	if s.InForce != nil && !slices.Equal(s.InForce, s.Serves) {
		parts = append(parts, "in force: "+cmp.Or(strings.Join(s.InForce, ", "), "nowhere"))
	}
	if s.Removed != nil {
		parts = append(parts, "removed")
	}
	return strings.Join(parts, "; ")
}

// knownForce is what is in force as far as that can be told.
func knownForce(ctx context.Context, c *wire.Connections) map[string]schemas.InForce {
	now, err := inForce(ctx, c)
	if err != nil {
		fmt.Fprintf(os.Stderr, "what is in force is not known: %v\n", err)
	}
	return now
}

func (a *app) modelList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the registered models, the oldest first, and what serves which dataset",
		Long: `List the registered models, the oldest first, and which of them are to serve which dataset. Where something else is in force, since
models are being loaded or cannot be, that is said too, with the reason, as far as the process that serves the page runs prelabel.`,
		Example: "  gleaner model list\n  gleaner model list --json", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				r, err := conn.Registry(ctx)
				if err != nil {
					return err
				}
				now := knownForce(ctx, conn)
				models := slices.SortedFunc(maps.Values(r.Models), func(x, y schemas.Model) int { return x.At.Compare(y.At) })
				if a.asJSON {
					all := make([]modelStatus, len(models))
					for i, m := range models {
						all[i] = statusOf(r, m, now)
					}
					return printJSON(c.OutOrStdout(), all)
				}
				t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "model\tregistered\ttask\tdecoder\tclasses\tMB\tlicense\t")
				for _, m := range models {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%.1f\t%s\t%s\n", m.ID, m.At.Local().Format(time.DateTime), m.Task, m.Decode.Decoder, len(m.Classes), float64(m.File.Size)/1e6, m.License, statusOf(r, m, now).text())
				}
				if err := t.Flush(); err != nil {
					return err
				}
				for _, dataset := range slices.Sorted(maps.Keys(r.Serving)) {
					asked, is := r.Serving[dataset], ""
					if now != nil {
						is = standing(asked, now[dataset])
					}
					fmt.Fprintf(c.OutOrStdout(), "%s: %s%s\n", datasetText(dataset), setText(dataset, asked.ModelSet), is)
				}
				return nil
			})
		},
	}
}

func (a *app) modelShow() *cobra.Command {
	return &cobra.Command{
		Use: "show MODEL", Short: "Show a model's entry, and where it serves",
		Example: "  gleaner model show yolox_nano@1", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				r, err := conn.Registry(ctx)
				if err != nil {
					return err
				}
				m, err := wire.FindModel(r, args[0])
				if err != nil {
					return err
				}
				s := statusOf(r, m, knownForce(ctx, conn))
				if a.asJSON {
					return printJSON(c.OutOrStdout(), s)
				}
				return printModel(c.OutOrStdout(), s)
			})
		},
	}
}

func printModel(w io.Writer, s modelStatus) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "model\t%s\n", s.ID)
	if text := s.text(); text != "" {
		fmt.Fprintf(t, "state\t%s\n", text)
	}
	fmt.Fprintf(t, "registered\t%s\n", s.At.Local().Format(time.DateTime))
	fmt.Fprintf(t, "sha256\t%s\n", s.SHA256)
	fmt.Fprintf(t, "file\t%s, %d bytes\n", s.File.Key, s.File.Size)
	fmt.Fprintf(t, "task\t%s\n", s.Task)
	decode, err := schemas.CanonicalJSON(s.Decode)
	if err != nil {
		return err
	}
	fmt.Fprintf(t, "decode\t%s\n", decode)
	for _, optional := range [][2]string{{"license", s.License}, {"label space", s.LabelSpace}} {
		if optional[1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", optional[0], optional[1])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Metrics)) {
		fmt.Fprintf(t, "%s\t%.4g\n", name, s.Metrics[name])
	}
	fmt.Fprintf(t, "classes\t%s\n", strings.Join(s.Classes, ", "))
	return t.Flush()
}
