// Package config is the one YAML file that sets up every part of the system. What a file leaves out keeps its default, what
// it misspells is an error with its line, and `gleaner config print` writes all of it out.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"gleaner/connectors/blob"
	"gleaner/connectors/clickhouse"
	"gleaner/connectors/engine"
	"gleaner/connectors/kafka"
	"gleaner/connectors/onnx"
	"gleaner/connectors/web"
	"gleaner/schemas"
	"gleaner/stages"
	"gleaner/stages/analysis"
	"gleaner/stages/humanlabel"
	"gleaner/stages/ingest"
	"gleaner/stages/lint"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
	"gleaner/stages/route"
	"gleaner/stages/runner"
	"gleaner/stages/superpixel"
	"gleaner/trainers/probe"
)

// Config is the whole file.
type Config struct {
	DataDir    string                   `yaml:"data_dir"` // the embedded engines, the local blobs and the state of this process
	Log        Log                      `yaml:"log"`
	Kafka      kafka.Config             `yaml:"kafka"`      // without brokers, the embedded one runs
	ClickHouse clickhouse.Config        `yaml:"clickhouse"` // without addrs, the embedded one runs
	Blob       blob.Config              `yaml:"blob"`       // without a url, a folder in data_dir
	Fetch      blob.FetchConfig         `yaml:"fetch"`      // what claim checks may name
	Engine     Engine                   `yaml:"engine"`     // the embedded engines
	Web        web.Config               `yaml:"web"`
	Metrics    Metrics                  `yaml:"metrics"` // of a process without the page, which serves them too
	ONNX       onnx.Config              `yaml:"onnx"`
	Pixels     Pixels                   `yaml:"pixels"`
	Ingest     ingest.Config            `yaml:"ingest"`
	Prelabel   prelabel.Config          `yaml:"prelabel"`
	Superpixel superpixel.Config        `yaml:"superpixel"`
	Lint       lint.Config              `yaml:"lint"`
	Route      route.Config             `yaml:"route"`
	Desk       humanlabel.Config        `yaml:"desk"`
	Analysis   analysis.Config          `yaml:"analysis"`
	Probe      probe.Config             `yaml:"probe"`
	Splits     schemas.SplitRule        `yaml:"splits"`      // of new dataset versions
	Runner     runner.Config            `yaml:"runner"`      // of every step,
	Steps      map[string]runner.Config `yaml:"steps"`       // but for what a step has differently
	StopWithin time.Duration            `yaml:"stop_within"` // how long stopping may take before the process gives up
}

// Log is where and how the process logs.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text or json
}

// Metrics says where a process that runs steps alone serves /metrics, /healthz and /api/status.
type Metrics struct {
	Address string `yaml:"address"` // host:port, without a token; empty: nowhere
}

func (m Metrics) validate() error {
	if m.Address == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(m.Address); err != nil {
		return fmt.Errorf("address %q: want host:port, such as :9100", m.Address)
	}
	return nil
}

// Engine sets up the embedded engines. Their folders are in data_dir.
type Engine struct {
	Kafka      engine.KafkaConfig      `yaml:"kafka"`
	ClickHouse engine.ClickHouseConfig `yaml:"clickhouse"`
}

// Pixels bounds decoding and what is kept decoded.
type Pixels struct {
	Limits pixels.Limits    `yaml:"limits"`
	Cache  schemas.ByteSize `yaml:"cache"` // decoded images, shared by the steps of one process
}

// Default is the configuration of a system that runs on one machine with the embedded engines.
func Default() Config {
	c := Config{
		DataDir:    "data",
		Log:        Log{Level: "info", Format: "text"},
		Kafka:      kafka.DefaultConfig(),
		ClickHouse: clickhouse.DefaultConfig(),
		Blob:       blob.DefaultConfig(),
		Fetch:      blob.DefaultFetchConfig(),
		Engine:     Engine{Kafka: engine.DefaultKafkaConfig(), ClickHouse: engine.DefaultClickHouseConfig()},
		Web:        web.DefaultConfig(),
		ONNX:       onnx.DefaultConfig(),
		Pixels:     Pixels{Limits: pixels.DefaultLimits(), Cache: 256 << 20},
		Ingest:     ingest.DefaultConfig(),
		Prelabel:   prelabel.DefaultConfig(),
		Superpixel: superpixel.DefaultConfig(),
		Lint:       lint.DefaultConfig(),
		Route:      route.DefaultConfig(),
		Desk:       humanlabel.DefaultConfig(),
		Analysis:   analysis.DefaultConfig(),
		Probe:      probe.DefaultConfig(),
		Splits:     schemas.DefaultSplitRule(),
		Runner:     runner.DefaultConfig(),
		StopWithin: 30 * time.Second,
	}
	c.Steps = c.steps()
	return c
}

// steps are the defaults of the steps that differ from the runner's.
func (c Config) steps() map[string]runner.Config {
	one := c.Runner // in the order of the log
	one.Concurrency = 1
	rows := c.Runner // an insert costs the database the same for few rows as for many
	rows.BatchWait = max(rows.BatchWait, 2*time.Second)
	rows.BatchBytes = max(rows.BatchBytes, 64<<20)
	rows.MaxInFlightRecords = max(rows.MaxInFlightRecords, 2*rows.BatchRecords)
	rows.MaxInFlightBytes = max(rows.MaxInFlightBytes, 2*rows.BatchBytes)
	losses := rows
	losses.Concurrency = 1
	losses.BatchWait = c.Runner.BatchWait // who looks at a training run wants it now
	return map[string]runner.Config{"publish": one, "analysis": losses, "catalog": rows, "corrections": rows, "audit": rows}
}

// Load reads a file over the defaults; an empty path is the defaults alone. All that is wrong is in the error, with the
// file's name.
func Load(path string) (Config, error) {
	if path == "" {
		c := Default()
		return c, c.finish()
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, fmt.Errorf("configuration %s does not exist: `gleaner config print > %s` writes one with every default", path, path)
	}
	if err != nil {
		return Config{}, err
	}
	defer f.Close()
	c, err := Read(f)
	if err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	return c, nil
}

// Read decodes a file strictly over the defaults and validates the whole.
func Read(r io.Reader) (Config, error) {
	data, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return Config{}, err
	}
	c := Default()
	c.Steps = nil
	// The steps start from what the file says of the runner, so they are decoded after it.
	file := struct {
		Config `yaml:",inline"`
		Steps  map[string]any `yaml:"steps"`
	}{Config: c}
	if err := decode(data, &file); err != nil {
		return Config{}, err
	}
	c = file.Config
	c.Steps = c.steps()
	for _, name := range slices.Sorted(maps.Keys(file.Steps)) {
		if file.Steps[name] == nil {
			continue // only its name is there: nothing differs
		}
		step, ok := c.Steps[name]
		if !ok {
			step = c.Runner
		}
		part, err := yaml.Marshal(file.Steps[name])
		if err != nil {
			return Config{}, fmt.Errorf("steps.%s: %w", name, err)
		}
		if err := decode(part, &step); err != nil {
			return Config{}, fmt.Errorf("steps.%s: %w", name, err)
		}
		c.Steps[name] = step
	}
	return c, c.finish()
}

// decode leaves alone what data does not mention.
func decode(data []byte, into any) error {
	var said any
	if yaml.Unmarshal(data, &said) == nil && said == nil {
		return nil // comments alone, which the decoder takes for zeros
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	if err := decoder.Decode(into); err != nil {
		message := yaml.FormatError(err, false, true)
		if strings.Contains(message, "of type time.Duration") {
			message += "\na time needs a unit, such as 30s, 5m or 100ms"
		}
		return errors.New(message)
	}
	if err := decoder.Decode(&said); !errors.Is(err, io.EOF) {
		return errors.New("a second document follows the first (after ---): put everything into one")
	}
	return nil
}

// finish fills in what follows from data_dir and validates.
func (c *Config) finish() error {
	if c.Engine.Kafka.Dir == "" {
		c.Engine.Kafka.Dir = filepath.Join(c.DataDir, "kafka")
	}
	if c.Engine.ClickHouse.Dir == "" {
		c.Engine.ClickHouse.Dir = filepath.Join(c.DataDir, "clickhouse")
	}
	if c.Blob.URL == "" {
		dir, err := filepath.Abs(filepath.Join(c.DataDir, "blobs"))
		if err != nil {
			return err
		}
		c.Blob.URL = "file://" + filepath.ToSlash(dir)
	}
	if err := c.classesKnown(); err != nil {
		return err
	}
	return c.Validate()
}

// UseModel makes path the model that labels first, with the class names within or beside it where none are set.
func (c *Config) UseModel(path string) error {
	c.Prelabel.Model = path
	return c.classesKnown()
}

// In returns the configuration with its data in another folder.
func (c Config) In(dir string) (Config, error) {
	c = c.underived()
	c.DataDir = dir
	return c, c.finish()
}

// underived leaves out what finish fills in.
func (c Config) underived() Config {
	if c.Engine.Kafka.Dir == filepath.Join(c.DataDir, "kafka") {
		c.Engine.Kafka.Dir = ""
	}
	if c.Engine.ClickHouse.Dir == filepath.Join(c.DataDir, "clickhouse") {
		c.Engine.ClickHouse.Dir = ""
	}
	if old, err := filepath.Abs(filepath.Join(c.DataDir, "blobs")); err == nil && c.Blob.URL == "file://"+filepath.ToSlash(old) {
		c.Blob.URL = ""
	}
	return c
}

// EmbeddedKafka reports whether the file names no brokers.
func (c Config) EmbeddedKafka() bool { return len(c.Kafka.Brokers) == 0 }

// EmbeddedClickHouse reports whether the file names no server.
func (c Config) EmbeddedClickHouse() bool { return len(c.ClickHouse.Addrs) == 0 }

// Step returns the runner's configuration of a step.
func (c Config) Step(name string) runner.Config {
	if s, ok := c.Steps[name]; ok {
		return s
	}
	return c.Runner
}

// Validate reports everything that is wrong, each with the part that it is in.
func (c Config) Validate() error {
	var errs []error
	check := func(part string, err error) {
		each := []error{err}
		if several, ok := err.(interface{ Unwrap() []error }); ok { // joined ones; what wraps them says where they are
			each = several.Unwrap()
		}
		for _, err := range each {
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", part, err))
			}
		}
	}
	if c.DataDir == "" {
		errs = append(errs, errors.New("data_dir: name a folder"))
	}
	check("log", c.Log.validate())
	if c.EmbeddedKafka() {
		if c.Kafka.TLS.Enabled || c.Kafka.SASL.Mechanism != "" {
			errs = append(errs, errors.New("kafka: tls and sasl are for servers, and the embedded engine runs, since no brokers are named: name them, or leave both out"))
		}
		check("engine.kafka", c.Engine.Kafka.Validate())
		local := c.Kafka
		local.Brokers = []string{"127.0.0.1:9092"} // the rest of the part must hold for the embedded engine too
		check("kafka", local.Validate())
	} else {
		check("kafka", c.Kafka.Validate())
	}
	if c.EmbeddedClickHouse() {
		if c.ClickHouse.TLS.Enabled || c.ClickHouse.Username != "default" || c.ClickHouse.Password != "" || c.ClickHouse.PasswordFile != "" {
			errs = append(errs, errors.New("clickhouse: tls, username and password are for servers, and the embedded engine runs, since no addrs are named: name them, or leave these out"))
		}
		check("engine.clickhouse", c.Engine.ClickHouse.Validate())
	}
	check("clickhouse", c.ClickHouse.Validate())
	check("blob", c.Blob.Validate())
	check("fetch", c.Fetch.Validate())
	check("web", c.Web.Validate())
	check("metrics", c.Metrics.validate())
	check("onnx", c.ONNX.Validate())
	check("pixels.limits", c.Pixels.Limits.Validate())
	if c.Pixels.Cache < 1<<20 {
		errs = append(errs, fmt.Errorf("pixels.cache: %s: want at least 1MiB", c.Pixels.Cache))
	}
	check("ingest", c.Ingest.Validate())
	check("prelabel", c.Prelabel.Validate())
	check("superpixel", c.Superpixel.Validate())
	check("lint", c.Lint.Validate())
	check("route", c.Route.Validate())
	check("desk", c.Desk.Validate())
	check("analysis", c.Analysis.Validate())
	check("probe", c.Probe.Validate())
	check("splits", c.Splits.Validate())
	check("runner", c.Runner.Validate())
	if c.StopWithin <= 0 {
		errs = append(errs, errors.New("stop_within: want more than zero"))
	}
	flow := stages.Flow()
	for _, name := range slices.Sorted(maps.Keys(c.Steps)) {
		step, ok := stages.Find(flow, name)
		if !ok || step.External {
			errs = append(errs, fmt.Errorf("steps.%s: no such step: `gleaner flow` lists them", name))
			continue
		}
		check("steps."+name, c.Steps[name].Validate())
		if (name == "publish" || name == "analysis") && c.Steps[name].Concurrency != 1 {
			errs = append(errs, fmt.Errorf("steps.%s.concurrency: %d: this step follows the order of its log: it must be 1", name, c.Steps[name].Concurrency))
		}
	}
	return errors.Join(errs...)
}

// Print writes the configuration as a file that Read reads back. What follows from data_dir stays empty, so that changing
// data_dir in the file moves all of it.
func (c Config) Print(w io.Writer) error {
	out, err := yaml.MarshalWithOptions(c.underived(), yaml.Indent(2))
	if err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}

// ReadDecode reads a file that says how a model's tensors are made and read.
func ReadDecode(path string) (d schemas.Decode, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return d, err
	}
	if err = decode(data, &d); err == nil {
		err = d.Validate()
	}
	if err != nil {
		return d, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}
