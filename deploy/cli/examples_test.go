package cli

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// asked are the lines of arguments that a line of shell calls gleaner with.
func asked(t *testing.T, line string) [][]string {
	t.Helper()
	const stubs = "find() { :; }; cd() { :; }; jq() { cat; }; gleaner() { printf '%s\\n' \"$@\" '' >&2; }; "
	shell := exec.CommandContext(t.Context(), "sh", "-c", stubs+line)
	shell.Dir = t.TempDir()
	var said strings.Builder
	shell.Stderr = &said
	if err := shell.Run(); err != nil {
		t.Fatalf("%s: %v: %s", line, err, said.String())
	}
	var calls [][]string
	for _, call := range strings.Split(strings.TrimSuffix(said.String(), "\n\n"), "\n\n") {
		calls = append(calls, strings.Split(call, "\n"))
	}
	return calls
}

// TestExamples holds the examples in the helps to be command lines, as pasted into a shell.
func TestExamples(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		for line := range strings.Lines(c.Example) {
			for _, args := range asked(t, strings.TrimSpace(line)) {
				found, rest, err := newRoot("test").Find(args)
				if err == nil {
					err = found.ParseFlags(rest)
				}
				if err == nil {
					err = found.ValidateArgs(found.Flags().Args())
				}
				if err != nil {
					t.Errorf("%q: %v", strings.TrimSpace(line), err)
				}
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRoot("test"))
}
