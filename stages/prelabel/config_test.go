package prelabel

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestBadConfigs(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`version: model "m@": want name@version`:    func(c *Config) { c.Model, c.Version = "m.onnx", "" },
		`name, version: model "a@b@1"`:              func(c *Config) { c.Model, c.Name = "m.onnx", "a@b" },
		"low: 0: must be above 0":                   func(c *Config) { c.Low = 0 },
		"accept: 0.01: must lie between low (0.05)": func(c *Config) { c.Accept = 0.01 },
		"iou: 1.5": func(c *Config) { c.IoU = 1.5 },
		"proposal_iou: 0.4: must lie between iou":      func(c *Config) { c.ProposalIoU = 0.4 },
		"max_proposals: 0":                             func(c *Config) { c.MaxProposals = 0 },
		"tiles: 9: must lie between 0 and 8":           func(c *Config) { c.Tiles = 9 },
		"datasets: d: tiles: -1: must":                 func(c *Config) { c.Datasets = map[string]Dataset{"d": {Tiles: -1}} },
		"datasets: d: accept: 2: must lie between low": func(c *Config) { c.Datasets = map[string]Dataset{"d": {Accept: 2}} },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if _, err := New(cfg, Deps{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestReadClasses(t *testing.T) {
	for text, want := range map[string]string{
		"cat\n\n dog \r\n": "",
		"\ufeffcat\ndog":   "",
		"":                 "holds none",
		"cat\ndog\ncat\n":  `:3: "cat" is there twice`,
	} {
		path := filepath.Join(t.TempDir(), "names")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadClasses(path)
		switch {
		case want == "" && (err != nil || !slices.Equal(got, []string{"cat", "dog"})):
			t.Errorf("%q, %v", got, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := ReadClasses(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("an absent file was read")
	}
}
