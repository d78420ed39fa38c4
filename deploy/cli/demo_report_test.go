package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"gleaner/schemas"
)

// TestContest wants the figures of both learners told, and why the losses of the first count.
func TestContest(t *testing.T) {
	run := func(id string, accuracy float64) schemas.Run {
		began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		return schemas.Run{RunID: id, Started: began, Finished: began.Add(2 * time.Second), Metrics: map[string]float64{"val_accuracy": accuracy, "val_images": 40, "val_majority": 0.3}}
	}
	better, worse := run("classify/x", 0.75), run("probe/x", 0.5)
	for _, c := range []struct {
		used, beside schemas.Run
		why          string
	}{{better, worse, "no less of them right"}, {worse, better, "the other one took longer"}} {
		var out bytes.Buffer
		printContest(&out, c.used, &c.beside)
		for _, want := range []string{"run classify/x", "75.0 % right of 40", "run probe/x", "50.0 % right of 40", "commonest class: 30.0 %", c.why} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("it does not say %q:\n%s", want, out.String())
			}
		}
	}
}
