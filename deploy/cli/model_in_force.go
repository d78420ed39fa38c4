package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"gleaner/deploy/wire"
	"gleaner/schemas"
)

// inForce is what labels the samples of each dataset first, as the process says that serves the page; nil where none is known here,
// or that one does not run prelabel.
func inForce(ctx context.Context, c *wire.Connections) (map[string]schemas.InForce, error) {
	if c.At.Web == "" {
		return nil, nil
	}
	s, err := fetchStatus(ctx, c.At.Web, c.Config.Web.Token)
	return s.Serving, err
}

const (
	forceWithin = 2 * time.Minute // that a set of models is waited for
	askEvery    = 50 * time.Millisecond
)

// awaitForce waits until what was asked for is in force, where inForce knows. It is an error when it is refused, and when within is over.
func awaitForce(ctx context.Context, c *wire.Connections, s schemas.Serving, within time.Duration) error {
	waiting, stop := context.WithTimeout(ctx, within)
	defer stop()
	what := fmt.Sprintf("%s: %s", datasetText(s.Dataset), setText(s.Dataset, s.ModelSet))
	why := "its models are still being loaded"
	for {
		known, err := inForce(waiting, c)
		switch now, ok := known[s.Dataset]; {
		case waiting.Err() != nil:
		case err != nil:
			fmt.Fprintf(os.Stderr, "whether it is in force yet is not known: %v\n", err)
			return nil
		case known == nil:
			return nil
		case !ok || now.Asked.Before(s.At):
		case now.Refused:
			return fmt.Errorf("%s: refused, and what served before goes on: %s", what, now.Why)
		case now.Why == "":
			return nil
		default:
			why = now.Why
		}
		select {
		case <-waiting.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("%s: not in force after %v: %s. It is tried for as long as it is asked for; `gleaner model list` shows when it is in force", what, within, why)
		case <-time.After(askEvery):
		}
	}
}

// standing says what is in force of a dataset, where that is not what is asked for; else nothing.
func standing(asked schemas.Serving, now schemas.InForce) string {
	if now.Equal(asked.ModelSet) {
		return ""
	}
	why := now.Why
	if why == "" || now.Asked.Before(asked.At) {
		why = "not loaded yet"
	}
	is := setText(asked.Dataset, now.ModelSet)
	if now.Waits {
		is = "none, samples wait"
	}
	return fmt.Sprintf("; in force: %s (%s)", is, strings.TrimSuffix(why, "."))
}
