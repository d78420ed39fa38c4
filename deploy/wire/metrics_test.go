package wire

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gleaner/connectors/blob"
)

// TestStepsAloneServeMetrics: a process without the page can be watched too, and ends with its steps.
func TestStepsAloneServeMetrics(t *testing.T) {
	c := overKafka(t)
	var err error
	if c.Blobs, err = blob.Open(t.Context(), c.Config.Blob); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Config.Metrics.Address = free.Addr().String()
	taken, err := c.NewSystem([]string{"superpixel"})
	if err != nil {
		t.Fatal(err)
	}
	if err := taken.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "metrics: listen") {
		t.Errorf("on a port that is taken: %v", err)
	}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}

	s, err := c.NewSystem([]string{"superpixel"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for path, want := range map[string]string{"/healthz": "ok", "/metrics": "gleaner_", "/api/status": `"step":"superpixel","state":"running"`} {
		var body string
		for deadline := time.Now().Add(30 * time.Second); !strings.Contains(body, want) && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if answer, err := http.Get("http://" + c.Config.Metrics.Address + path); err == nil {
				text, _ := io.ReadAll(answer.Body)
				_ = answer.Body.Close()
				body = string(text)
			}
		}
		if !strings.Contains(body, want) {
			t.Errorf("%s answers %q, want %q in it", path, body, want)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", c.Config.Metrics.Address); err == nil {
		_ = conn.Close()
		t.Error("it listens after the end")
	}
}
