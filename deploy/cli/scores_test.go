package cli

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"gleaner/connectors/clickhouse"
)

func TestScoresArePrinted(t *testing.T) {
	three := uint32(3)
	rows := []clickhouse.Score{
		{Sample: "ab", Class: "cat", Kind: "edge", Presentations: 9, FirstLearned: &three, Confidence: 0.25, DynUnc: clickhouse.Number(math.NaN())},
		{Sample: "cd", ObjectID: "o1", Kind: "unknown", NeverLearned: true},
	}
	var table strings.Builder
	if err := printRows(&app{}, &table, rows, scoreTable(rows)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(table.String(), "\n")
	if !strings.HasPrefix(lines[1], "ab      -       cat    edge") || !strings.Contains(lines[2], "never") {
		t.Errorf("table\n%s", table.String())
	}
	var out strings.Builder
	if err := printRows(&app{asJSON: true}, &out, rows, nil); err != nil {
		t.Fatal(err)
	}
	var back []map[string]any
	if err := json.Unmarshal([]byte(out.String()), &back); err != nil {
		t.Fatal(err)
	}
	if back[0]["dyn_unc"] != nil || back[0]["confidence"] != 0.25 || back[0]["first_learned"] != 3. || back[1]["first_learned"] != nil {
		t.Errorf("JSON %s", out.String())
	}
	out.Reset()
	if err := printRows(&app{}, &out, rows[:0], nil); err != nil || !strings.Contains(out.String(), "no samples") {
		t.Errorf("of no rows: %q, %v", out.String(), err)
	}
}
