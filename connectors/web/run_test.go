package web_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gleaner/connectors/web"
	"gleaner/schemas"
)

// gate is a raw topic that takes its time.
type gate struct{ entered, release chan struct{} }

func (g gate) Write(context.Context, []schemas.Record) error {
	close(g.entered)
	<-g.release
	return nil
}

// A request that is under way when the server is told to stop is answered; one that does not end is cut off.
func TestStop(t *testing.T) {
	for name, finish := range map[string]bool{"finishes": true, "hangs": false} {
		t.Run(name, func(t *testing.T) {
			cfg := web.DefaultConfig()
			cfg.Address = "127.0.0.1:0"
			if !finish {
				cfg.Drain = 50 * time.Millisecond
			}
			raw := gate{make(chan struct{}), make(chan struct{})}
			server, err := web.New(cfg, web.Deps{Desk: &bench{}, Blobs: &shelf{}, Raw: raw}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			over := make(chan error, 1)
			go func() { over <- server.Run(ctx) }()

			status := make(chan int, 1)
			go func() {
				req, _ := http.NewRequest(http.MethodPost, "http://"+server.Addr()+"/api/images", strings.NewReader("x"))
				req.Header.Set("dataset", "d")
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					status <- 0
					return
				}
				res.Body.Close()
				status <- res.StatusCode
			}()
			<-raw.entered
			stop()
			if finish {
				close(raw.release)
			} else {
				defer close(raw.release)
			}
			if err := <-over; err != nil {
				t.Errorf("run: %v", err)
			}
			if got := <-status; (got == http.StatusAccepted) != finish {
				t.Errorf("the request ended with %d", got)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	lent := httptest.NewUnstartedServer(nil) // for its certificate
	lent.StartTLS()
	defer lent.Close()
	cert := lent.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cfg := web.DefaultConfig()
	cfg.Address = "127.0.0.1:0"
	cfg.TLS = web.TLS{Cert: filepath.Join(t.TempDir(), "cert.pem"), Key: filepath.Join(t.TempDir(), "key.pem")}
	for path, block := range map[string]*pem.Block{cfg.TLS.Cert: {Type: "CERTIFICATE", Bytes: cert.Certificate[0]}, cfg.TLS.Key: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := web.New(cfg, web.Deps{Desk: &bench{}, Blobs: &shelf{}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- s.Run(ctx) }()
	roots := x509.NewCertPool()
	roots.AddCert(lent.Certificate())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	res, err := client.Get("https://" + s.Addr() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("status %d", res.StatusCode)
	}
	client.CloseIdleConnections()
	stop()
	if err := <-over; err != nil {
		t.Error(err)
	}

	cfg.TLS.Key = cfg.TLS.Cert
	broken, err := web.New(cfg, web.Deps{Desk: &bench{}, Blobs: &shelf{}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := broken.Run(t.Context()); err == nil {
		t.Error("a certificate without its key was taken")
	}
}
