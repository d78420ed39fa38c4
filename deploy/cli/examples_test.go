package cli

import (
	"os"
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

// checkLine reports a line of shell in which a call of gleaner is none of its command lines.
func checkLine(t *testing.T, line string) {
	t.Helper()
	for _, args := range asked(t, line) {
		found, rest, err := newRoot("test").Find(args)
		if err == nil {
			err = found.ParseFlags(rest)
		}
		if err == nil {
			err = found.ValidateArgs(found.Flags().Args())
		}
		if err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// TestExamples holds every command to be there once and to have examples, which are command lines as pasted into a shell.
func TestExamples(t *testing.T) {
	there := map[string]bool{}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if there[c.CommandPath()] {
			t.Errorf("%s is there twice", c.CommandPath())
		}
		there[c.CommandPath()] = true
		if !c.HasSubCommands() && c.Example == "" {
			t.Errorf("%s has no examples", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			checkLine(t, strings.TrimSpace(line))
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRoot("test"))
}

// TestReadme holds the commands in the README's blocks of shell to be command lines, too.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for i, block := range strings.Split(string(text), "```") {
		if i%2 == 0 || !strings.HasPrefix(block, "sh\n") {
			continue
		}
		for line := range strings.Lines(block) {
			if strings.HasPrefix(line, "gleaner ") {
				checkLine(t, strings.TrimSpace(line))
				calls++
			}
		}
	}
	if calls < 20 {
		t.Errorf("%d commands found in the README: has the form of its blocks changed?", calls)
	}
}
