package cli

import (
	"strings"
	"testing"
	"time"
)

// TestProgressRate wants no bar, and so no rate, before there was time to measure one.
func TestProgressRate(t *testing.T) {
	var out strings.Builder
	p := &progress{bar: drawn(10, "steps", &out), began: time.Now().Add(time.Hour)}
	p.Set(1)
	if out.Len() > 0 || !p.bar.IsStarted() {
		t.Errorf("at once: %q, its time runs: %t", out.String(), p.bar.IsStarted())
	}
	p.began = time.Now().Add(-time.Hour)
	p.Set(2)
	if !strings.Contains(out.String(), "20%") {
		t.Errorf("later: %q", out.String())
	}
}
