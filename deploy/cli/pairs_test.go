package cli

import (
	"maps"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestPairs(t *testing.T) {
	parse := func(args ...string) (pairs, error) {
		p, flags := pairs{}, pflag.NewFlagSet("", pflag.ContinueOnError)
		flags.Var(p, "slice", "")
		return p, flags.Parse(args)
	}
	got, err := parse("--slice", "city=Zürich, CH", "--slice", "runs=['a','b=c']", "--slice", "empty=")
	if err != nil || !maps.Equal(got, pairs{"city": "Zürich, CH", "runs": "['a','b=c']", "empty": ""}) {
		t.Errorf("%q, %v", got, err)
	}
	for want, args := range map[string][]string{
		"want name=value":           {"--slice", "rain"},
		`weather is "rain" already`: {"--slice", "weather=rain", "--slice", "weather=snow"},
	} {
		if _, err := parse(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
	if _, err := parse("--slice", "=rain"); err == nil {
		t.Error("a pair without a name is read")
	}
}
