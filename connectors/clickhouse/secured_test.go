package clickhouse

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/schemas"
)

// TestSecured migrates, writes and reads over TLS, by both clients, and trusts no authority but the named one. The embedded engine
// speaks no TLS: what ends it stands before the engine.
func TestSecured(t *testing.T) {
	lent := httptest.NewTLSServer(nil) // for its certificate
	lent.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: lent.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	at := endTLS(t, lent.TLS.Certificates)
	db := open(t, func(c *Config) { c.Addrs, c.TLS = []string{at}, TLS{Enabled: true, CAFile: ca} })
	insertStory(t, db, "", func(l *schemas.Losses) { story(l, "run", 1, 1, "", 0, "cc") })
	if got := ask(t, db, "SELECT count() FROM losses"); got != "(2)" {
		t.Errorf("%s rows of losses, want (2)", got)
	}
	for name, settings := range map[string]TLS{"certificate": {Enabled: true}, "connect": {}} {
		cfg := db.cfg
		cfg.TLS, cfg.RetryFor = settings, 0
		if other, err := Open(t.Context(), cfg, logger(t)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("with %+v: %v, want an error about the %s", settings, err, name)
			if err == nil {
				other.Close()
			}
		}
	}
}

// endTLS passes what comes over TLS on to the engine, for the length of the test.
func endTLS(t *testing.T, certificates []tls.Certificate) string {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certificates})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer from.Close()
				to, err := net.Dial("tcp", address)
				if err != nil {
					return
				}
				defer to.Close()
				go func() {
					_, _ = io.Copy(to, from)
					to.Close()
				}()
				_, _ = io.Copy(from, to)
			}()
		}
	}()
	return listener.Addr().String()
}
