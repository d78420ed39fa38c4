package kafka

import (
	"os"
	"testing"

	"gleaner/connectors/conntest"
	"gleaner/schemas"
)

func TestContract(t *testing.T) {
	t.Parallel()
	contract(t, broker(t))
}

// TestContractOnRealBroker runs where GLEANER_KAFKA=host:port names a broker that may create topics; it removes them.
func TestContractOnRealBroker(t *testing.T) {
	t.Parallel()
	addr := os.Getenv("GLEANER_KAFKA")
	if addr == "" {
		t.Skip("SKIPPED, NOT PASSED: GLEANER_KAFKA names no broker; set it to the host:port of a real one")
	}
	contract(t, addr)
}

func contract(t *testing.T, addr string) {
	c := client(t, quickConfig(addr))
	conntest.SourceSink(t, conntest.Log{
		Create: func(t *testing.T, spec schemas.TopicSpec) {
			ensure(t, c, spec)
			t.Cleanup(func() {
				if err := deleteTopic(c, spec.Name); err != nil {
					t.Errorf("delete topic: %v", err)
				}
			})
		},
		Source: func(t *testing.T, group string, topic schemas.Topic) conntest.Source {
			s, err := c.Source(SourceConfig{Group: group, Topic: topic})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Sink: func(*testing.T) conntest.Sink { return c.Sink() },
	})
}
