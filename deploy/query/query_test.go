package query

import (
	"strings"
	"testing"
)

func TestAllAreWhole(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Errorf("%d queries", len(all))
	}
	for _, q := range all {
		if q.About == "" || !strings.HasPrefix(strings.TrimSpace(q.SQL), "SELECT") {
			t.Errorf("%+v", q)
		}
	}
	if _, err := Find("nothing"); err == nil || !strings.Contains(err.Error(), "there are classes, decisions") {
		t.Errorf("%v: want the names", err)
	}
}

func TestBind(t *testing.T) {
	q, err := parse("x", "-- What it answers.\n-- run: training run\n-- top: at most so many [5]\nSELECT 1 WHERE {run:String} = '' LIMIT {top:UInt32}\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := q.Bind(map[string]string{"run": "r"}); err != nil || got["run"] != "r" || got["top"] != "5" {
		t.Errorf("%v, %v", got, err)
	}
	for want, given := range map[string]map[string]string{"parameter run is missing: training run": nil, "no parameter epoch, but run, top": {"run": "r", "epoch": "1"}} {
		if _, err := q.Bind(given); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for name, text := range map[string]string{
		"nothing said":   "SELECT 1",
		"not used":       "-- It.\n-- run: a run\nSELECT 1",
		"not declared":   "-- It.\nSELECT {run:String}",
		"not understood": "-- It.\n-- Another sentence.\nSELECT 1",
	} {
		if _, err := parse("x", text); err == nil {
			t.Errorf("%s: it is read", name)
		}
	}
}
