package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"gleaner/deploy/e2e/realdata"
)

// Section is one part of a benchmark, B: what it measures goes out as markdown.
type Section[B any] struct {
	Name string
	Run  func(b B, ctx context.Context, out io.Writer) error
}

// Suite is the sections of one command, and where their results stand.
type Suite[B any] struct {
	Target   string // of make: bench-lint
	Package  string // ./deploy/bench/lint
	Marks    string // what the names of the sections' marks in the markdown file begin with: lint, for lint/speed
	Sections []Section[B]
}

// Main runs a command until it ends or a signal ends it, and exits with 1 where it failed.
func Main(name string, run func(context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Data is the folder of real data.
func Data() (string, error) {
	data, ok := realdata.Dir()
	if !ok {
		return "", errors.New("NOTHING WAS MEASURED: the real data is absent; set GLEANER_DATA to the folder that has it")
	}
	return data, nil
}

// Names are those of all sections, separated by commas.
func (s Suite[B]) Names() string {
	names := make([]string, len(s.Sections))
	for i, section := range s.Sections {
		names[i] = section.Name
	}
	return strings.Join(names, ",")
}

// Check refuses a list of sections, separated by commas, that names one which is not there.
func (s Suite[B]) Check(only string) error {
	for name := range strings.SplitSeq(only, ",") {
		if !slices.ContainsFunc(s.Sections, func(s Section[B]) bool { return s.Name == name }) {
			return fmt.Errorf("-only %s: there is no section %q: there are %s", only, name, s.Names())
		}
	}
	return nil
}

// Run runs those sections that only lists, in their own order. The results of each go to the standard output and, unless write is empty,
// at once between its marks in that markdown file; on the standard error stands how long it took.
func (s Suite[B]) Run(ctx context.Context, b B, only, write string) error {
	wanted := strings.Split(only, ",")
	for _, section := range s.Sections {
		if !slices.Contains(wanted, section.Name) {
			continue
		}
		var results strings.Builder
		out := io.MultiWriter(os.Stdout, &results)
		began := time.Now()
		if err := section.Run(b, ctx, out); err != nil {
			return fmt.Errorf("%s: %w", section.Name, err)
		}
		fmt.Fprintf(out, "\n%s Command: `%s`.\n", Machine(), Command(s.Package))
		fmt.Fprintf(os.Stderr, "%s: %s took %.0f s\n", s.Target, section.Name, time.Since(began).Seconds())
		if write == "" {
			continue
		}
		if err := Replace(write, s.Marks+"/"+section.Name, s.Target, results.String()); err != nil {
			return err
		}
	}
	return nil
}
