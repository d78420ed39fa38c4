package web

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"gleaner/schemas"
)

// Config says where the server listens, who may use it, and its limits.
type Config struct {
	Address  string `yaml:"address"`  // host:port; port 0 takes a free one
	Token    string `yaml:"token"`    // when set, every request but pages, health and sign-in needs it as a bearer token
	Insecure bool   `yaml:"insecure"` // listen beyond this machine although there is no token
	TLS      TLS    `yaml:"tls"`

	MaxImage   schemas.ByteSize `yaml:"max_image"`   // largest body of POST /api/images; the raw topic's limit less its headers
	MaxJSON    schemas.ByteSize `yaml:"max_json"`    // largest JSON body
	MaxBodies  schemas.ByteSize `yaml:"max_bodies"`  // all request bodies in memory at a time; further requests wait
	Lease      time.Duration    `yaml:"lease"`       // how long a claim lasts when the request does not say
	Wait       time.Duration    `yaml:"wait"`        // longest wait for the desk to fold a command, and for a body to arrive
	Life       time.Duration    `yaml:"life"`        // after this the desk refuses a command that it has not folded yet
	Drain      time.Duration    `yaml:"drain"`       // how long open requests may take to finish at the end
	Links      Links            `yaml:"links"`       // what the landing page points to
	CacheFor   time.Duration    `yaml:"cache_for"`   // how long browsers may keep images, hence how long they outlive erasure there
	MaxListed  int              `yaml:"max_listed"`  // most tasks in one list
	MaxObjects int              `yaml:"max_objects"` // most objects in one annotation
	AskFrom    float32          `yaml:"ask_from"`    // a submission is answered with lint's new findings from this score on, above 0; above 1 with none
	LintWait   time.Duration    `yaml:"lint_wait"`   // then a submission counts without lint's word
}

// TLS names the PEM files of the server's certificate and key; both or none.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Links are addresses of other tools that the landing page shows; empty ones are left out.
type Links struct {
	ClickHouse string `yaml:"clickhouse"` // http(s) address of ClickHouse's own /play page
	Dashboards string `yaml:"dashboards"` // http(s) address of Grafana or the like
}

// DefaultConfig serves this machine alone, without a token.
func DefaultConfig() Config {
	return Config{
		Address:    "127.0.0.1:8080",
		MaxImage:   32<<20 - 64<<10,
		MaxJSON:    4 << 20,
		MaxBodies:  256 << 20,
		Lease:      10 * time.Minute,
		Wait:       10 * time.Second,
		Life:       time.Minute,
		Drain:      10 * time.Second,
		CacheFor:   time.Hour,
		MaxListed:  1000,
		MaxObjects: 5000,
		AskFrom:    0.3, // a question takes a few seconds, an error that stays at least three times as many
		LintWait:   time.Second,
	}
}

// Validate refuses settings that cannot work, or that would let strangers in unasked.
func (c Config) Validate() error {
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return fmt.Errorf("address %q: want host:port, such as 127.0.0.1:8080: %w", c.Address, err)
	}
	if !loopback(host) && c.Token == "" && !c.Insecure {
		return fmt.Errorf("address %q lets other machines in: set token, or insecure: true if the network is trusted", c.Address)
	}
	if c.Token != "" && len(c.Token) < 16 {
		return errors.New("token is shorter than 16 characters: use a long random one, such as `openssl rand -hex 24` prints")
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		return errors.New("tls: cert and key go together: set both or none")
	}
	for _, s := range []struct {
		name string
		n    int64
	}{
		{"max_image", int64(c.MaxImage)},
		{"max_json", int64(c.MaxJSON)},
		{"max_bodies", int64(c.MaxBodies)},
		{"lease", int64(c.Lease)},
		{"wait", int64(c.Wait)},
		{"life", int64(c.Life)},
		{"drain", int64(c.Drain)},
		{"max_listed", int64(c.MaxListed)},
		{"max_objects", int64(c.MaxObjects)},
		{"lint_wait", int64(c.LintWait)},
	} {
		if s.n <= 0 {
			return fmt.Errorf("%s must be above 0", s.name)
		}
	}
	if !(c.AskFrom > 0) {
		return errors.New("ask_from must be above 0")
	}
	if c.CacheFor < 0 {
		return errors.New("cache_for must be at least 0")
	}
	if c.MaxBodies < max(c.MaxImage, c.MaxJSON) {
		return errors.New("max_bodies must be at least max_image and max_json, or the largest request waits for ever")
	}
	for name, link := range map[string]string{"clickhouse": c.Links.ClickHouse, "dashboards": c.Links.Dashboards} {
		if u, err := url.Parse(link); err != nil || link != "" && u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("links.%s %q: want an http or https address", name, link)
		}
	}
	return nil
}

// loopback reports whether a host is this machine alone. Names other than localhost may resolve to anything.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
