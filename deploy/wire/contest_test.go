package wire

import (
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
