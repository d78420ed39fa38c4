package config

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gleaner/connectors/onnx"
	"gleaner/schemas"
)

func TestBadFiles(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want []string // parts of the message
	}{
		"unknown section":        {"log:\n  level: info\nwebb:\n  address: x\n", []string{"[3:1]", `unknown field "webb"`}},
		"unknown key":            {"web:\n  listen: 127.0.0.1:80\n", []string{"[2:3]", `unknown field "listen"`}},
		"unknown key of a step":  {"steps:\n  lint:\n    concurency: 2\n", []string{"[3:5]", `unknown field "concurency"`}},
		"the same key twice":     {"data_dir: a\ndata_dir: b\n", []string{"[2:1]", `"data_dir"`, "already defined"}},
		"not YAML":               {"web: [\n", []string{"[1:"}},
		"wrong kind":             {"web: 8080\n", []string{"[1:6]", "web"}},
		"a time without a unit":  {"stop_within: 30\n", []string{"[1:14]", "stop_within: 30", "needs a unit, such as 30s"}},
		"two documents":          {"data_dir: a\n---\ndata_dirr: b\n", []string{"second document"}},
		"encrypted but embedded": {"kafka: {tls: {enabled: true}}\n", []string{"kafka: tls", "no brokers are named"}},
		"a name but embedded":    {"clickhouse: {username: gleaner}\n", []string{"clickhouse: tls, username", "no addrs are named"}},
		"no connections":         {"clickhouse: {connections: 0}\n", []string{"clickhouse: connections 0"}},
		"two passwords":          {"clickhouse: {addrs: ['db:9440'], password: a, password_file: b}\n", []string{"clickhouse: password and password_file"}},
		"server without a port":  {"clickhouse: {addrs: [db]}\n", []string{"clickhouse: addrs", `"db" is not host:port`}},
		"open to strangers":      {"web: {address: ':80'}\n", []string{`web: address ":80"`, "set token"}},
		"metrics anywhere":       {"metrics: {address: '9100'}\n", []string{`metrics: address "9100"`, "host:port"}},
		"impossible port":        {"engine: {clickhouse: {tcp_port: 99999}}\n", []string{"engine.clickhouse: ports 99999"}},
		"a time with a bad unit": {"stop_within: 30 parsecs\n", []string{"30 parsecs", "unknown unit"}},
		"a size with a bad unit": {"pixels: {cache: 256MBit}\n", []string{`"256MBit"`, "256KiB"}},
		"text for a number":      {"runner: {concurrency: many}\n", []string{"[1:23]", "many"}},
		"log level":              {"log: {level: loud}\n", []string{"log: level", `"loud"`, "warn"}},
		"log format":             {"log: {format: xml}\n", []string{"log: format", `"xml"`, "json"}},
		"no data folder":         {"data_dir: ''\n", []string{"data_dir", "name a folder"}},
		"small cache":            {"pixels: {cache: 1KiB}\n", []string{"pixels.cache", "1KiB", "at least 1MiB"}},
		"threshold out of range": {"ingest: {thresholds: {max_dark: 2}}\n", []string{"ingest", "max_dark", "2"}},
		"concurrency":            {"runner: {concurrency: 0}\n", []string{"runner: concurrency must be above zero"}},
		"broker without a port":  {"kafka: {brokers: [kafka1]}\n", []string{"kafka", "kafka1"}},
		"in the clear after all": {"kafka: {brokers: ['k:9092'], tls: {ca_file: ca.pem}, sasl: {username: ann}}\n", []string{"kafka: tls has settings", "kafka: sasl has settings"}},
		"negative time":          {"stop_within: -1s\n", []string{"stop_within"}},
		"unknown step":           {"steps: {prelable: {concurrency: 2}}\n", []string{"steps.prelable", "no such step", "gleaner flow"}},
		"a step that is outside": {"steps: {train: {concurrency: 2}}\n", []string{"steps.train", "no such step"}},
		"publish in parallel":    {"steps: {publish: {concurrency: 2}}\n", []string{"steps.publish.concurrency", "2", "must be 1"}},
		"analysis in parallel":   {"steps: {analysis: {concurrency: 4}}\n", []string{"steps.analysis.concurrency", "4", "must be 1"}},
		"two mistakes":           {"log: {level: loud}\nsteps: {publish: {concurrency: 2}}\n", []string{"log: level", "steps.publish"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(strings.NewReader(c.file))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the message lacks %q:\n%s", want, err)
				}
			}
		})
	}
}

func TestLoadMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gleaner.yaml")
	_, err := Load(path)
	if err == nil || !strings.Contains(err.Error(), path+" does not exist") || !strings.Contains(err.Error(), "gleaner config print") {
		t.Errorf("%v: want the file's name and how to write one", err)
	}
	c, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	if !c.EmbeddedKafka() || !c.EmbeddedClickHouse() || c.Engine.Kafka.Dir != filepath.Join("data", "kafka") {
		t.Errorf("without a file: brokers %v, servers %v, Kafka's folder %q", c.Kafka.Brokers, c.ClickHouse.Addrs, c.Engine.Kafka.Dir)
	}
}

// TestClassesOfModel: names within come first, then those of the file with the model's name, then of the only one beside it.
func TestClassesOfModel(t *testing.T) {
	file, err := os.ReadFile("../../connectors/onnx/testdata/affine.onnx")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := schemas.ModelMetadata{Classes: []string{"cat"}}.Properties()
	if err != nil {
		t.Fatal(err)
	}
	both := maps.Clone(ours)
	both["names"] = "{0: 'dog'}"
	for name, c := range map[string]struct {
		within map[string]string
		beside []string // each says its own name
		want   string   // a class, or part of the error
		fails  bool
	}{
		"ours":                      {both, []string{"m"}, "cat", false},
		"an exporter's":             {map[string]string{"names": "{0: 'dog'}"}, []string{"m"}, "dog", false},
		"an exporter's, not all":    {map[string]string{"names": "{1: 'dog'}"}, []string{"m"}, "metadata: names: class id 0 is missing", true},
		"an exporter's, none":       {map[string]string{"names": "{}"}, []string{"m"}, "m", false},
		"beside, by its name":       {nil, []string{"a", "m"}, "m", false},
		"beside, the only one":      {nil, []string{"a"}, "a", false},
		"beside, others":            {nil, []string{"a", "b"}, "put m.names or one *.names beside the model (there are 2)", true},
		"neither within nor beside": {nil, nil, "put m.names or one *.names beside the model (there are 0)", true},
	} {
		dir := t.TempDir()
		model := filepath.Join(dir, "m.onnx")
		data, err := onnx.WithMetadata(file, c.within)
		if err == nil {
			err = os.WriteFile(model, data, 0o600)
		}
		for _, n := range c.beside {
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, n+".names"), []byte(n), 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
		cfg := Default()
		err = cfg.UseModel(model)
		if c.fails {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
			continue
		}
		got, failed := ModelClasses(model, data)
		if err = errors.Join(err, failed); err != nil || !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
	if got, err := ModelClasses("m.onnx", file[:len(file)/2]); err != nil || got != nil {
		t.Errorf("half a file: %q, %v; what is wrong with it is for the runtime to say", got, err)
	}
}

// TestSteps holds steps to start from what the file says of the runner, wherever it says so, and to keep what they must.
func TestSteps(t *testing.T) {
	c := read(t, "steps:\n  lint: {concurrency: 7}\n  publish: {drain_timeout: 9s}\nrunner:\n  concurrency: 3\n  drain_timeout: 4s\n")
	for _, want := range []struct {
		step        string
		concurrency int
		drain       time.Duration
	}{{"ingest", 3, 4 * time.Second}, {"lint", 7, 4 * time.Second}, {"publish", 1, 9 * time.Second}, {"analysis", 1, 4 * time.Second}} {
		if got := c.Step(want.step); got.Concurrency != want.concurrency || got.DrainTimeout != want.drain {
			t.Errorf("step %s: concurrency %d and drain %s, want %d and %s", want.step, got.Concurrency, got.DrainTimeout, want.concurrency, want.drain)
		}
	}
}

// TestSaysNothing holds files that set nothing, or open a section and leave it empty, to mean the defaults.
func TestSaysNothing(t *testing.T) {
	want, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"", "# nothing yet\n", "---\n", "web:\n  # address: 127.0.0.1:80\n", "steps:\n", "steps:\n  publish:\n"} {
		if diff := cmp.Diff(want, read(t, file)); diff != "" {
			t.Errorf("%q (-defaults +read)\n%s", file, diff)
		}
	}
}

// TestPrintReads holds what is printed to be what is in force.
func TestPrintReads(t *testing.T) {
	for name, file := range map[string]string{
		"defaults": "",
		"changed":  "data_dir: /srv/g\nkafka: {brokers: ['k1:9092', 'k2:9092']}\nsteps: {lint: {concurrency: 7}}\nroute: {datasets: {street: {accept_above: 0.9}}}\nlint: {\"off\": [missing]}\npixels: {cache: 100000000}\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := read(t, file)
			var printed bytes.Buffer
			if err := c.Print(&printed); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c, read(t, printed.String()), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-in force +printed and read)\n%s", diff)
			}
		})
	}
}

// TestIn holds a change of the folder to move what follows from it, and nothing else.
func TestIn(t *testing.T) {
	dir := t.TempDir()
	c, err := read(t, "engine: {clickhouse: {dir: /fast/clickhouse}}\n").In(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.DataDir != dir || c.Engine.Kafka.Dir != filepath.Join(dir, "kafka") || c.Blob.URL != "file://"+filepath.ToSlash(dir)+"/blobs" {
		t.Errorf("data %s, Kafka %s, blobs %s: want all in %s", c.DataDir, c.Engine.Kafka.Dir, c.Blob.URL, dir)
	}
	if c.Engine.ClickHouse.Dir != "/fast/clickhouse" {
		t.Errorf("ClickHouse moved to %s from where the file puts it", c.Engine.ClickHouse.Dir)
	}
	if c, err = read(t, "blob: {url: 's3://bucket?region=eu'}\n").In(dir); err != nil || c.Blob.URL != "s3://bucket?region=eu" {
		t.Errorf("blobs moved to %s (%v)", c.Blob.URL, err)
	}

	// What was printed moves with one line.
	var printed bytes.Buffer
	if err := read(t, "").Print(&printed); err != nil {
		t.Fatal(err)
	}
	moved := read(t, strings.Replace(printed.String(), "data_dir: data\n", "data_dir: "+dir+"\n", 1))
	if moved.Engine.Kafka.Dir != filepath.Join(dir, "kafka") || !strings.Contains(moved.Blob.URL, dir) {
		t.Errorf("Kafka stays in %s, blobs in %s", moved.Engine.Kafka.Dir, moved.Blob.URL)
	}
}

func read(t *testing.T, file string) Config {
	t.Helper()
	c, err := Read(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReadDecode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "decode.yaml")
	for text, want := range map[string]string{
		"decoder: yolov5\ninput: {channels: bgr}": "",
		"decoder: yolov5\nchannels: bgr":          "channels",
		"input: {resize: crop}":                   path + `: decode: input.resize: "crop": want one of`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := ReadDecode(path)
		switch {
		case want == "" && (err != nil || d.Decoder != "yolov5" || d.Input.Channels != schemas.ChannelsBGR):
			t.Errorf("%q: %+v, %v", text, d, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := ReadDecode(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("an absent file was read")
	}
}
