package cli

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/schemas"
	"gleaner/stages"
)

// The README's diagram stands between these lines.
const (
	diagramBegin = "<!-- flow: written by `make generate` -->"
	diagramEnd   = "<!-- /flow -->"
)

func (a *app) flowCommand() *cobra.Command {
	var format, readme string
	c := &cobra.Command{
		Use:   "flow",
		Short: "Print the steps and the topics between them",
		Example: `  gleaner flow
  gleaner flow --format mermaid
  gleaner flow --readme README.md   # rewrite the diagram in a file`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			flow := stages.Flow()
			if err := stages.Validate(flow); err != nil {
				return err
			}
			if readme != "" {
				return writeDiagram(readme, flow)
			}
			if format == "topics" {
				_, err := fmt.Fprint(c.OutOrStdout(), stages.TopicTable(schemas.TopicSpecs()))
				return err
			}
			text, err := stages.Render(flow, format)
			if err != nil {
				return usageError{fmt.Errorf("%w or topics", err)}
			}
			_, err = fmt.Fprint(c.OutOrStdout(), text)
			return err
		},
	}
	c.Flags().StringVar(&format, "format", "text", strings.Join(stages.Formats(), ", ")+" or topics")
	offer(c, "format", append(stages.Formats(), "topics")...)
	c.Flags().StringVar(&readme, "readme", "", "write the diagram into this file, between its two marker lines")
	return c
}

func writeDiagram(path string, flow []stages.Step) error {
	mermaid, err := stages.Render(flow, "mermaid")
	if err != nil {
		return err
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := bytes.Index(old, []byte(diagramBegin)), bytes.Index(old, []byte(diagramEnd))
	if begin < 0 || end < begin {
		return fmt.Errorf("%s lacks the lines %q and %q, between which the diagram goes", path, diagramBegin, diagramEnd)
	}
	var out bytes.Buffer
	out.Write(old[:begin])
	fmt.Fprintf(&out, "%s\n```mermaid\n%s```\n", diagramBegin, mermaid)
	out.Write(old[end:])
	return os.WriteFile(path, out.Bytes(), 0o644)
}
