package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"gleaner/schemas"
)

// Config says how to reach a Kafka cluster and how to read and write there.
type Config struct {
	Brokers           []string      `yaml:"brokers"`            // host:port of some of the brokers
	ClientID          string        `yaml:"client_id"`          // for the brokers' logs and quotas
	DialTimeout       time.Duration `yaml:"dial_timeout"`       // for one connection, with TLS and SASL
	TLS               TLS           `yaml:"tls"`                // off unless enabled
	SASL              SASL          `yaml:"sasl"`               // off unless a mechanism is named
	ReplicationFactor int           `yaml:"replication_factor"` // of topics that are created; -1 is the broker's default
	Produce           ProduceConfig `yaml:"produce"`
	Consume           ConsumeConfig `yaml:"consume"`
	Group             GroupConfig   `yaml:"group"`
}

// TLS says how connections are encrypted.
type TLS struct {
	Enabled    bool   `yaml:"enabled"`
	CAFile     string `yaml:"ca_file"`     // PEM; else the system's roots
	CertFile   string `yaml:"cert_file"`   // PEM, for client certificates
	KeyFile    string `yaml:"key_file"`    // PEM, of CertFile
	ServerName string `yaml:"server_name"` // else the host of the address
}

// SASL says who connects. PasswordFile keeps the password out of the configuration.
type SASL struct {
	Mechanism    string `yaml:"mechanism"` // "", PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	Username     string `yaml:"username"`
	Password     string `yaml:"password"`
	PasswordFile string `yaml:"password_file"` // read once at start, surrounding white space cut
}

// ProduceConfig says how a Sink writes.
type ProduceConfig struct {
	Compression  string        `yaml:"compression"`   // none, lz4 or zstd; not of topics that carry images or label maps
	BatchTimeout time.Duration `yaml:"batch_timeout"` // how long a record waits for company
	BatchRecords int           `yaml:"batch_records"` // most records in one request for a partition
	WriteTimeout time.Duration `yaml:"write_timeout"` // of one request
}

// ConsumeConfig says how much a Source, Follow and Scan hold in memory. The limits of deliveries are for each partition.
//
// For each partition that is assigned to it, a Source holds less than 2 FetchBytes of records that were fetched ahead, a
// delivery in the making of DeliveryBytes and a record, and what was handed out and is not acknowledged; and a response of
// FetchBytes for each broker that leads some. Follow and Scan hold one response. A batch larger than FetchBytes, which comes
// alone, and what compression saves on the log come on top.
type ConsumeConfig struct {
	FetchBytes      schemas.ByteSize `yaml:"fetch_bytes"`      // asked of a broker at once; a larger batch comes alone
	FetchWait       time.Duration    `yaml:"fetch_wait"`       // how long the broker may wait for a first record
	DeliveryRecords int              `yaml:"delivery_records"` // most records in one Delivery
	DeliveryBytes   schemas.ByteSize `yaml:"delivery_bytes"`   // a Delivery that holds as many takes no further record
	UnackedRecords  int              `yaml:"unacked_records"`  // most records handed out past the oldest one not acknowledged
}

// GroupConfig says how a Source takes part in its consumer group.
type GroupConfig struct {
	SessionTimeout   time.Duration `yaml:"session_timeout"`   // silence after which a member is taken for dead
	RebalanceTimeout time.Duration `yaml:"rebalance_timeout"` // time that members have to rejoin
	Heartbeat        time.Duration `yaml:"heartbeat"`         // also how soon a member sees that others came or left
	JoinBackoff      time.Duration `yaml:"join_backoff"`      // pause after a failed join
	CommitEvery      time.Duration `yaml:"commit_every"`      // how often acknowledged offsets are committed
	Drain            time.Duration `yaml:"drain"`             // how long a leaving member waits for what it handed out; under session_timeout
}

// DefaultConfig returns the defaults, without brokers.
func DefaultConfig() Config {
	return Config{
		ClientID:          "gleaner",
		DialTimeout:       5 * time.Second,
		ReplicationFactor: -1,
		Produce: ProduceConfig{
			Compression:  "lz4",
			BatchTimeout: 5 * time.Millisecond,
			BatchRecords: 256,
			WriteTimeout: 30 * time.Second,
		},
		Consume: ConsumeConfig{
			FetchBytes:      4 << 20,
			FetchWait:       5 * time.Second,
			DeliveryRecords: 256,
			DeliveryBytes:   4 << 20,
			UnackedRecords:  50_000,
		},
		Group: GroupConfig{
			SessionTimeout:   6 * time.Second,
			RebalanceTimeout: 10 * time.Second,
			Heartbeat:        time.Second,
			JoinBackoff:      500 * time.Millisecond,
			CommitEvery:      time.Second,
			Drain:            3 * time.Second,
		},
	}
}

// Validate says what is wrong with the configuration, all of it.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Brokers) == 0 {
		bad("brokers: name at least one host:port")
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			bad("brokers: %q is not host:port", b)
		}
	}
	if c.ReplicationFactor == 0 || c.ReplicationFactor < -1 {
		bad("replication_factor: %d: want -1 (the broker's default) or at least 1", c.ReplicationFactor)
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		bad("tls: cert_file and key_file come together")
	}
	if !c.TLS.Enabled && c.TLS != (TLS{}) {
		bad("tls has settings but is not enabled")
	}
	switch c.SASL.Mechanism {
	case "":
		if c.SASL != (SASL{}) {
			bad("sasl has settings but no mechanism")
		}
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
		if c.SASL.Username == "" {
			bad("sasl: %s needs a username", c.SASL.Mechanism)
		}
		if (c.SASL.Password == "") == (c.SASL.PasswordFile == "") {
			bad("sasl: %s needs either password or password_file", c.SASL.Mechanism)
		}
	default:
		bad("sasl.mechanism: %q: want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", c.SASL.Mechanism)
	}
	if _, err := c.Produce.codec(); err != nil {
		errs = append(errs, err)
	}
	positive := func(name string, v int64) {
		if v <= 0 {
			bad("%s: want more than zero", name)
		}
	}
	positive("dial_timeout", int64(c.DialTimeout))
	positive("produce.batch_timeout", int64(c.Produce.BatchTimeout))
	positive("produce.batch_records", int64(c.Produce.BatchRecords))
	positive("produce.write_timeout", int64(c.Produce.WriteTimeout))
	positive("consume.fetch_bytes", int64(c.Consume.FetchBytes))
	positive("consume.delivery_records", int64(c.Consume.DeliveryRecords))
	positive("consume.delivery_bytes", int64(c.Consume.DeliveryBytes))
	positive("consume.unacked_records", int64(c.Consume.UnackedRecords))
	positive("group.join_backoff", int64(c.Group.JoinBackoff))
	positive("group.commit_every", int64(c.Group.CommitEvery))
	positive("group.heartbeat", int64(c.Group.Heartbeat))
	if c.Consume.FetchWait < time.Millisecond || c.Consume.FetchWait > 10*time.Second {
		bad("consume.fetch_wait: %s: want 1ms to 10s", c.Consume.FetchWait)
	}
	if c.Group.Heartbeat*3 > c.Group.SessionTimeout {
		bad("group.heartbeat: %s: want at most a third of session_timeout (%s)", c.Group.Heartbeat, c.Group.SessionTimeout)
	}
	if c.Group.RebalanceTimeout < c.Group.Drain {
		bad("group.rebalance_timeout: %s: want at least drain (%s)", c.Group.RebalanceTimeout, c.Group.Drain)
	}
	// While a member drains it sends no heartbeats, so a drain as long as the session gets it evicted.
	if c.Group.Drain < 0 || c.Group.Drain >= c.Group.SessionTimeout {
		bad("group.drain: %s: want less than session_timeout (%s)", c.Group.Drain, c.Group.SessionTimeout)
	}
	return errors.Join(errs...)
}

func (c ProduceConfig) codec() (kafkago.Compression, error) {
	switch c.Compression {
	case "none":
		return 0, nil
	case "lz4":
		return kafkago.Lz4, nil
	case "zstd":
		return kafkago.Zstd, nil
	}
	return 0, fmt.Errorf("produce.compression: %q: want none, lz4 or zstd", c.Compression)
}

func (t TLS) load() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls: ca_file: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls: ca_file: %s holds no PEM certificate", t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls: cert_file and key_file: %w", err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

func (s SASL) load() (sasl.Mechanism, error) {
	password := s.Password
	if s.PasswordFile != "" {
		b, err := os.ReadFile(s.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("sasl: password_file: %w", err)
		}
		password = strings.TrimSpace(string(b))
	}
	switch s.Mechanism {
	case "PLAIN":
		return plain.Mechanism{Username: s.Username, Password: password}, nil
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, s.Username, password)
	case "SCRAM-SHA-512":
		return scram.Mechanism(scram.SHA512, s.Username, password)
	}
	return nil, nil
}
