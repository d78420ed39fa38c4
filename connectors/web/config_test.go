package web_test

import (
	"log/slog"
	"strings"
	"testing"

	"gleaner/connectors/web"
)

func TestConfig(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*web.Config)
		says   string
	}{
		"no port":       {func(c *web.Config) { c.Address = "localhost" }, "host:port"},
		"open":          {func(c *web.Config) { c.Address = "0.0.0.0:80" }, "set token"},
		"every address": {func(c *web.Config) { c.Address = ":80" }, "set token"},
		"weak token":    {func(c *web.Config) { c.Token = "abc" }, "shorter than 16"},
		"half TLS":      {func(c *web.Config) { c.TLS.Cert = "x" }, "cert and key"},
		"no limit":      {func(c *web.Config) { c.MaxJSON = 0 }, "max_json"},
		"no room":       {func(c *web.Config) { c.MaxBodies = 10 }, "max_bodies"},
		"script link":   {func(c *web.Config) { c.Links.ClickHouse = "javascript:alert(1)" }, "links.clickhouse"},
	} {
		cfg := web.DefaultConfig()
		c.change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v does not say %q", name, err, c.says)
		}
	}
	for name, change := range map[string]func(*web.Config){
		"default": func(*web.Config) {}, "insecure": func(c *web.Config) { c.Address, c.Insecure = ":80", true },
		"token": func(c *web.Config) { c.Address, c.Token = ":80", "0123456789abcdef" }, "ipv6": func(c *web.Config) { c.Address = "[::1]:0" },
	} {
		cfg := web.DefaultConfig()
		change(&cfg)
		if err := cfg.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPortInUse(t *testing.T) {
	s := open(t, nil)
	cfg := web.DefaultConfig()
	cfg.Address = strings.TrimPrefix(s.url, "http://")
	server, err := web.New(cfg, web.Deps{Desk: s.desk, Blobs: s.shelf}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Run(t.Context()); err == nil || !strings.Contains(err.Error(), cfg.Address) {
		t.Errorf("second server on the port: %v", err)
	}
}
