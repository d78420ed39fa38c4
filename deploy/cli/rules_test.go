package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"gleaner/stages/rules"
)

// TestRulesOfTheHelp holds the file in the help of apply to be one that apply reads, and what is printed of it to be all of it.
func TestRulesOfTheHelp(t *testing.T) {
	var file strings.Builder
	for line := range strings.Lines((&app{}).applyCommand().Long) {
		if rest, ok := strings.CutPrefix(line, "  "); ok {
			file.WriteString(rest)
		}
	}
	set, err := rules.Read([]byte(file.String()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, file.String())
	}
	written, err := yaml.Marshal(set.Rules())
	if err != nil {
		t.Fatal(err)
	}
	again, err := rules.Read(written)
	if err != nil {
		t.Fatalf("%v in\n%s", err, written)
	}
	if changes, err := rules.Compare(set.Rules(), again.Rules()); err != nil || len(changes) != 0 {
		t.Errorf("written and read again: %v, %v", changes, err)
	}
	var out bytes.Buffer
	if err := printRules(&out, set.Rules()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"width 20 px, height 20 px", "stain*=pale|dark", "skip above 80 %", "mark", "60", "warn", "predicate long (warn, both): A red cell", "iou(a, b) > 0.9", "decision doubtful: review\n    when     aum < 0.0", "limit    50"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}
