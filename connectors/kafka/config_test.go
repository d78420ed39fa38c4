package kafka

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"gleaner/schemas"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	good := func() Config {
		cfg := DefaultConfig()
		cfg.Brokers = []string{"localhost:9092"}
		return cfg
	}
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"brokers: name at least one":                      func(c *Config) { c.Brokers = nil },
		`brokers: "kafka" is not host:port`:               func(c *Config) { c.Brokers = []string{"kafka"} },
		"replication_factor: 0":                           func(c *Config) { c.ReplicationFactor = 0 },
		"tls: cert_file and key_file come together":       func(c *Config) { c.TLS.CertFile = "x" },
		"tls has settings but is not enabled":             func(c *Config) { c.TLS.CAFile = "x" },
		"sasl has settings but no mechanism":              func(c *Config) { c.SASL.Username = "ann" },
		`sasl.mechanism: "GSSAPI"`:                        func(c *Config) { c.SASL.Mechanism = "GSSAPI" },
		"sasl: PLAIN needs a username":                    func(c *Config) { c.SASL.Mechanism = "PLAIN"; c.SASL.Password = "x" },
		"needs either password or password_file":          func(c *Config) { c.SASL = SASL{Mechanism: "PLAIN", Username: "a", Password: "x", PasswordFile: "y"} },
		`produce.compression: "gzip"`:                     func(c *Config) { c.Produce.Compression = "gzip" },
		"consume.fetch_bytes: want more than zero":        func(c *Config) { c.Consume.FetchBytes = 0 },
		"consume.fetch_wait: 1m0s":                        func(c *Config) { c.Consume.FetchWait = time.Minute },
		"group.heartbeat: 3s: want at most a third":       func(c *Config) { c.Group.Heartbeat = 3 * time.Second },
		"group.drain: 6s: want less than session_timeout": func(c *Config) { c.Group.Drain = 6 * time.Second },
		"group.rebalance_timeout: 1s":                     func(c *Config) { c.Group.RebalanceTimeout = time.Second },
	} {
		cfg := good()
		change(&cfg)
		if _, err := New(cfg, quiet(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got: %v", want, err)
		}
	}
}

// TestSecured writes and reads over TLS as a user with a password, by each mechanism, and is refused with a wrong one.
func TestSecured(t *testing.T) {
	t.Parallel()
	certFile, pair := certificate(t)
	passwordFile := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(passwordFile, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser(mechanism, "ann", "secret"),
				kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}))
			if err != nil {
				t.Fatal(err)
			}
			defer cluster.Close()
			cfg := quickConfig(cluster.ListenAddrs()[0])
			cfg.TLS = TLS{Enabled: true, CAFile: certFile}
			cfg.SASL = SASL{Mechanism: mechanism, Username: "ann", PasswordFile: passwordFile}
			c := client(t, cfg)
			ensure(t, c, topic("work", 1))
			write(t, c, "work", 0, 3)
			s, err := c.Source(SourceConfig{Group: "g", Topic: "work"})
			if err != nil {
				t.Fatal(err)
			}
			if d, err := s.Read(t.Context()); err != nil || len(d.Records) == 0 {
				t.Errorf("read: %v", err)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}

			cfg.SASL = SASL{Mechanism: mechanism, Username: "ann", Password: "wrong"}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := client(t, cfg).EnsureTopics(ctx, []schemas.TopicSpec{topic("other", 1)}); err == nil || ctx.Err() != nil {
				t.Errorf("with a wrong password: %v", err)
			}
		})
	}
}

// certificate returns a certificate of 127.0.0.1 that signs itself, as a PEM file and as the server's key pair.
func certificate(t *testing.T) (file string, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return file, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
