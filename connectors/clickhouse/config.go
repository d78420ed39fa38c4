// Package clickhouse keeps Gleaner's tables: loss rows, the catalog of samples and labels, rejects, perceptual hashes, runs
// and selections. It speaks ClickHouse's native protocol, in columns, to the embedded engine and to real servers alike.
//
// Every table folds doubled rows by its key, so each write may be repeated. A write that fails for a passing reason (the
// engine restarts, a connection breaks) is repeated for Config.RetryFor with the same deduplication token before the error
// is returned.
package clickhouse

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"time"
)

// Config says where ClickHouse is and how to speak to it.
type Config struct {
	Addrs    []string `yaml:"addrs"`    // host:port of the native protocol; the first that answers is used
	Database string   `yaml:"database"` // created when absent
	Username string   `yaml:"username"`
	Password string   `yaml:"password"`
	// PasswordFile keeps the password out of the configuration: read once at start, surrounding white space cut.
	PasswordFile string        `yaml:"password_file"`
	TLS          TLS           `yaml:"tls"`
	Connections  int           `yaml:"connections"` // most at a time
	DialTimeout  time.Duration `yaml:"dial_timeout"`
	Timeout      time.Duration `yaml:"timeout"`    // of one try of a query or an insert; schema changes and erasures have none
	RetryFor     time.Duration `yaml:"retry_for"`  // how long a passing fault is retried before it is returned
	Twins        TwinsConfig   `yaml:"twins"`      // the search for near duplicates
	Losses       LossStorage   `yaml:"losses"`     // retention and tiers of raw loss rows
	Exhaustive   uint64        `yaml:"exhaustive"` // up to so many embeddings of a kind a search compares with all of them, above by the index
}

// TLS secures the connection.
type TLS struct {
	Enabled    bool   `yaml:"enabled"`
	CAFile     string `yaml:"ca_file"`     // PEM; empty: the system's authorities
	CertFile   string `yaml:"cert_file"`   // PEM client certificate, with KeyFile
	KeyFile    string `yaml:"key_file"`    // PEM
	ServerName string `yaml:"server_name"` // empty: the host that is dialed
}

// DefaultConfig has no address: the embedded engine or the configuration file gives it.
func DefaultConfig() Config {
	return Config{
		Database:    "gleaner",
		Username:    "default",
		Connections: 16,
		DialTimeout: 5 * time.Second,
		Timeout:     time.Minute,
		RetryFor:    30 * time.Second,
		Twins:       DefaultTwinsConfig(),
		Exhaustive:  100_000,
	}
}

var databaseName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Validate refuses what cannot work.
func (c Config) Validate() error {
	for _, addr := range c.Addrs {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("addrs: %q is not host:port", addr)
		}
	}
	switch {
	case c.Password != "" && c.PasswordFile != "":
		return errors.New("password and password_file are both set: leave one out")
	case !databaseName.MatchString(c.Database):
		return fmt.Errorf("database %q: want letters, digits and _, not beginning with a digit", c.Database)
	case c.Connections < 1:
		return fmt.Errorf("connections %d: want at least 1", c.Connections)
	case c.DialTimeout <= 0:
		return fmt.Errorf("dial_timeout %s: want more than 0", c.DialTimeout)
	case c.Timeout <= 0:
		return fmt.Errorf("timeout %s: want more than 0", c.Timeout)
	case c.RetryFor < 0:
		return fmt.Errorf("retry_for %s: want at least 0", c.RetryFor)
	case (c.TLS.CertFile == "") != (c.TLS.KeyFile == ""):
		return errors.New("tls: cert_file and key_file go together")
	case !c.TLS.Enabled && c.TLS != (TLS{}):
		return errors.New("tls has settings but is not enabled")
	}
	if err := c.Losses.Validate(); err != nil {
		return fmt.Errorf("losses: %w", err)
	}
	if err := c.Twins.Validate(); err != nil {
		return fmt.Errorf("twins: %w", err)
	}
	return nil
}

// password is the one in force.
func (c Config) password() (string, error) {
	if c.PasswordFile == "" {
		return c.Password, nil
	}
	b, err := os.ReadFile(c.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("password_file: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// config reads the files; nil when TLS is off.
func (t TLS) config() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file %s: no certificate in PEM found", t.CAFile)
		}
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.cert_file: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}
