package cli

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gleaner/connectors/web"
	"gleaner/schemas"
)

func TestMergeAddsWhatOtherProcessesRun(t *testing.T) {
	early, late := time.Unix(1, 0), time.Unix(2, 0)
	all := web.Status{Steps: []web.StepStatus{
		{Step: "ingest", State: "elsewhere", Lag: 7},
		{Step: "lint", State: "running", In: 5, Out: 5, Rate: 1, P50: 3, P95: 4, Lag: 2, LastError: "old", LastErrorAt: early},
		{Step: "route", State: "running", In: 1},
	}}
	merge(&all, web.Status{Steps: []web.StepStatus{
		{Step: "ingest", State: "running", In: 9, Rejected: 1},
		{Step: "lint", State: "failed", In: 2, Out: 1, Dead: 1, Rate: 2, P50: 9, P95: 1, Lag: 3, InFlight: 4, LastError: "new", LastErrorAt: late},
		{Step: "route", State: "elsewhere", Lag: 99},
	}})
	want := []web.StepStatus{
		{Step: "ingest", State: "running", In: 9, Rejected: 1},
		{Step: "lint", State: "failed", In: 7, Out: 6, Dead: 1, Rate: 3, P50: 9, P95: 4, Lag: 3, InFlight: 4, LastError: "new", LastErrorAt: late},
		{Step: "route", State: "running", In: 1},
	}
	if d := cmp.Diff(want, all.Steps); d != "" {
		t.Error(d)
	}
	merge(&all, web.Status{Serving: map[string]schemas.InForce{"*": {Asked: late}}})
	merge(&all, web.Status{Serving: map[string]schemas.InForce{"*": {Asked: early}, "street": {Asked: late}}})
	if all.Serving["*"].Asked != early || all.Serving["street"].Asked != late {
		t.Errorf("%+v: want what is not in force everywhere", all.Serving)
	}
}
