package wire

import (
	"strings"
	"testing"
)

// TestAttemptOf: a run is decided about by the rules of the dataset that its losses are of, and of no other.
func TestAttemptOf(t *testing.T) {
	if n, err := attemptOf(map[string]uint32{"street": 3}, "r", "street"); n != 3 || err != nil {
		t.Errorf("attempt %d, %v", n, err)
	}
	for want, attempts := range map[string]map[string]uint32{
		"run r of dataset street has no losses":                             {},
		"run r is none of dataset street: its losses are of fields, meadow": {"meadow": 1, "fields": 2},
		"run r has losses of several datasets (fields, street)":             {"street": 1, "fields": 2},
	} {
		if _, err := attemptOf(attempts, "r", "street"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
