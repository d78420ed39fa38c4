package e2e

import (
	"os"
	"testing"

	"gleaner/connectors/engine"
)

// TestMain lets the test binary be the other processes of a test: the embedded ClickHouse, and steps that can be killed.
func TestMain(m *testing.M) {
	engine.ClickHouseChild()
	if os.Getenv(runnerChildEnv) != "" {
		os.Exit(runnerChild())
	}
	code := m.Run()
	_ = os.RemoveAll(binaryDir())
	os.Exit(code)
}
