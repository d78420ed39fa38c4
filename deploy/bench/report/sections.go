package report

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// Section is one part of a benchmark, B: what it measures goes out as markdown.
type Section[B any] struct {
	Name string
	Run  func(b B, ctx context.Context, out io.Writer) error
}

// Names are those of all sections, separated by commas.
func Names[B any](sections []Section[B]) string {
	names := make([]string, len(sections))
	for i, s := range sections {
		names[i] = s.Name
	}
	return strings.Join(names, ",")
}

// Check refuses a list of sections, separated by commas, that names one which is not there.
func Check[B any](sections []Section[B], only string) error {
	for name := range strings.SplitSeq(only, ",") {
		if !slices.ContainsFunc(sections, func(s Section[B]) bool { return s.Name == name }) {
			return fmt.Errorf("-only %s: there is no section %q: there are %s", only, name, Names(sections))
		}
	}
	return nil
}

// Run runs those sections that only lists, in their own order, and says on the standard error, as program, how long each took.
func Run[B any](ctx context.Context, b B, program string, sections []Section[B], only string, out io.Writer) error {
	wanted := strings.Split(only, ",")
	for _, s := range sections {
		if !slices.Contains(wanted, s.Name) {
			continue
		}
		began := time.Now()
		if err := s.Run(b, ctx, out); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %s took %.0f s\n", program, s.Name, time.Since(began).Seconds())
	}
	return nil
}
