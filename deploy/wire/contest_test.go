package wire

import (
	"context"
	"testing"
	"time"

	"gleaner/schemas"
)

func TestJudge(t *testing.T) {
	began := time.Now()
	run := func(id string, accuracy float64, took time.Duration) schemas.Run {
		return schemas.Run{RunID: id, Metrics: map[string]float64{"val_accuracy": accuracy}, Started: began, Finished: began.Add(took)}
	}
	for _, c := range []struct {
		accuracy float64
		took     time.Duration
		want     string
	}{{0.6, 10 * time.Second, "rival"}, {0.6, 12 * time.Second, "probe"}, {0.5, time.Second, "probe"}, {0.4, time.Second, "probe"}} {
		used, beside := judge(run("probe", 0.5, 10*time.Second), run("rival", c.accuracy, c.took))
		if used.RunID != c.want || beside == nil || beside.RunID == used.RunID {
			t.Errorf("%+v: %s is used beside %+v", c, used.RunID, beside)
		}
	}
}

type records []schemas.Record

func (r *records) Write(_ context.Context, more []schemas.Record) error {
	*r = append(*r, more...)
	return nil
}

// TestWithoutEnds wants rows to go on, and not the end of a run.
func TestWithoutEnds(t *testing.T) {
	var got records
	w := withoutEnds{&got}
	end, err := schemas.RunFinishedRecord(schemas.Run{RunID: "r"})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []schemas.Record{{Key: []byte("rows")}, end, {Key: []byte("more")}} {
		if err := w.Write(t.Context(), []schemas.Record{r}); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 2 || string(got[1].Key) != "more" {
		t.Errorf("%d records went on: %+v", len(got), got)
	}
}
