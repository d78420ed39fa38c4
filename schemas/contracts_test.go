package schemas

// Tests of the contracts that are not encodings: ids, splits, topics, commands, ranks, sizes and canonical JSON.

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

func TestByteSize(t *testing.T) {
	for text, want := range map[string]ByteSize{
		"0": 0, "1024": 1024, "12B": 12, "256KiB": 256 << 10, "4 MiB": 4 << 20, "1.5GiB": 3 << 29, "1GB": 1e9, "2kb": 2000,
		" 7 tib ": 7 << 40, "9223372036854775807": math.MaxInt64,
	} {
		if got, err := ParseByteSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1 MiB extra", "1e400GiB", "NaN", "Inf", "8388608TiB", "0x10", "4 M", "1_000"} {
		if got, err := ParseByteSize(text); err == nil {
			t.Errorf("%q: read as %d", text, got)
		} else if !strings.Contains(err.Error(), "want a number with a unit") {
			t.Errorf("%q: %v does not say what to write", text, err)
		}
	}
	for size, want := range map[ByteSize]string{0: "0B", 1000: "1000B", 1024: "1KiB", 256 << 10: "256KiB", 3 << 29: "1536MiB", -2048: "-2KiB"} {
		if size.String() != want {
			t.Errorf("%d: %s, want %s", int64(size), size, want)
		}
	}
}

func TestByteSizeInYAML(t *testing.T) {
	var cfg struct {
		Quoted ByteSize `yaml:"quoted"`
		Plain  ByteSize `yaml:"plain"`
		Number ByteSize `yaml:"number"`
	}
	if err := yaml.Unmarshal([]byte("quoted: \"256KiB\"\nplain: 4 MiB\nnumber: 1024\n"), &cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.Quoted != 256<<10 || cfg.Plain != 4<<20 || cfg.Number != 1024 {
		t.Errorf("read as %+v", cfg)
	}
	out, err := yaml.Marshal(cfg)
	if err != nil || string(out) != "quoted: 256KiB\nplain: 4MiB\nnumber: 1KiB\n" {
		t.Errorf("written as %q, %v", out, err)
	}
	if err := yaml.Unmarshal([]byte("plain: many\n"), &cfg); err == nil || !strings.Contains(err.Error(), `byte size "many"`) {
		t.Errorf("bad size: %v", err)
	}
}

func FuzzParseByteSize(f *testing.F) {
	f.Add("256KiB")
	f.Add("1.5 GB")
	f.Fuzz(func(t *testing.T, text string) {
		size, err := ParseByteSize(text)
		if err != nil {
			return
		}
		if back, err := ParseByteSize(size.String()); err != nil || back != size || size < 0 {
			t.Errorf("%q is %d, written as %s, which is %d: %v", text, int64(size), size, int64(back), err)
		}
	})
}

// The first is the example of RFC 8785, section 3.2.2; the order of keys is that of section 3.2.3.
func TestCanonicalJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`: "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}",
		"{\"\u20ac\":1,\"\\r\":2,\"\ufb33\":3,\"1\":4,\"😀\":5,\"\u0080\":6,\"ö\":7}":                                                                                          "{\"\\r\":2,\"1\":4,\"\u0080\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\ufb33\":3}",
		`[1.0, -0, -0.0, 1e2, 9007199254740993, 18446744073709551615, "<&>\u2028"]`:                                                                                           "[1,0,0,100,9007199254740993,18446744073709551615,\"<&>\u2028\"]",
		`{}`: `{}`,
	} {
		got, err := CanonicalJSON(json.RawMessage(in))
		if err != nil || string(got) != want {
			t.Errorf("%s\n got %s, %v\nwant %s", in, got, err, want)
		}
	}
	for _, bad := range []any{math.NaN(), func() {}, json.RawMessage(`{"a":1e999}`), json.RawMessage(`{`)} {
		if got, err := CanonicalJSON(bad); err == nil {
			t.Errorf("%v: written as %s", bad, got)
		}
	}
}

// These ids are on topics, in tables and in blob keys of every installation: a change here is a new id for every sample.
func TestSampleIDVectors(t *testing.T) {
	content := Hash{0: 0xAB, 31: 0xCD}
	for _, c := range []struct{ dataset, unique, want string }{
		{"street", "cam-1/0001.jpg", "9ca9b0cc277b809b68e8792e7f72f49d"},
		{"street", "", "60b497d2807c80a87ae0c1b9d3f5440a"},
		{"", "", "37b0e4c254d235a7d6b87b68bb5b46cd"},
		{"a", "bc", "a2abbddcaadad46a63514868a66ee715"},
		{"ab", "c", "bfe84ac2e6d92119e8a5a35c04a7aa20"},
		{"straße", "写真", "92052852492f8aae1a5ac727967cd242"},
	} {
		id := NewSampleID(c.dataset, c.unique, content)
		if id.String() != c.want {
			t.Errorf("%q, %q: %s, want %s", c.dataset, c.unique, id, c.want)
		}
		if back, err := ParseSampleID(c.want); err != nil || back != id {
			t.Errorf("%s is read as %s, %v", c.want, back, err)
		}
	}
	for _, bad := range []string{"", "12", strings.Repeat("g", 32), strings.Repeat("0", 34)} {
		if _, err := ParseSampleID(bad); err == nil {
			t.Errorf("%q is taken for an id", bad)
		}
	}
}

func TestSplitRule(t *testing.T) {
	rule := DefaultSplitRule()
	count := map[Split]int{}
	const n = 20000
	for i := range n {
		id := NewSampleID("street", fmt.Sprint(i), Hash{})
		count[rule.Of(id)]++
	}
	for split, share := range map[Split]float64{SplitTrain: 0.8, SplitVal: 0.1, SplitTest: 0.1} {
		// Four standard deviations of a binomial.
		if got := float64(count[split]); math.Abs(got-n*share) > 4*math.Sqrt(n*share*(1-share)) {
			t.Errorf("%s: %v of %d, want a share of %v", split, got, n, share)
		}
	}
	// A sample's split never changes, and a larger share for validation takes from training alone.
	var golden strings.Builder
	wider := SplitRule{Salt: rule.Salt, Val: 0.5, Test: rule.Test}
	for i := range 40 {
		id := SampleID{byte(i)}
		s := rule.Of(id)
		golden.WriteByte(s[1]) // r: train, a: val, e: test
		if s != SplitTrain && wider.Of(id) != s {
			t.Errorf("%s: moves from %s to %s when validation grows", id, s, wider.Of(id))
		}
	}
	const want = "rerrrrrrrarrearrrerrarrrrrrrrarreaerrrrr"
	if golden.String() != want {
		t.Errorf("splits of the first 40 ids are %s, were %s", golden.String(), want)
	}
	for _, bad := range []SplitRule{{Val: -0.1}, {Val: 0.5, Test: 0.5}, {Test: math.NaN()}} {
		if bad.Validate() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func TestTopicSpecs(t *testing.T) {
	seen := map[Topic]bool{}
	for _, s := range TopicSpecs() {
		if seen[s.Name] {
			t.Errorf("%s is there twice", s.Name)
		}
		seen[s.Name] = true
		if !strings.HasPrefix(string(s.Name), "gleaner.") || !strings.HasSuffix(string(s.Name), ".v1") {
			t.Errorf("%s: name without project and version", s.Name)
		}
		if s.Key == "" || s.Value == "" || s.Partitions < 1 || s.MaxMessageBytes < 1<<20 {
			t.Errorf("%s: %+v", s.Name, s)
		}
		if s.Cleanup != Compact && s.Cleanup != Delete || s.Cleanup == Compact && s.Retention != Forever || s.Retention == 0 {
			t.Errorf("%s: cleanup %s with retention %v", s.Name, s.Cleanup, s.Retention)
		}
		if got, ok := s.Name.Spec(); !ok || got != s {
			t.Errorf("%s: Spec gives %+v", s.Name, got)
		}
	}
	raw, _ := Raw.Spec()
	if dead, _ := Dead.Spec(); dead.MaxMessageBytes <= raw.MaxMessageBytes {
		t.Error("a record of raw does not fit into dead with its headers")
	}
	for _, forever := range []Topic{Labels, Desk} {
		if s, _ := forever.Spec(); s.Cleanup != Delete || s.Retention != Forever {
			t.Errorf("%s is not append-only forever: %+v", forever, s)
		}
	}
	if _, ok := Topic("gleaner.nothing.v1").Spec(); ok {
		t.Error("an unknown topic has a spec")
	}
}

// Commands are on the desk's log forever: every fold must read what the first one wrote.
func TestCommandGolden(t *testing.T) {
	const golden = `{"id":"c1","actor":"alice","at":"2026-03-04T05:06:07.123456Z","not_after":"2026-03-04T05:07:07.123456Z",` +
		`"genesis":"g","kind":"claim","body":{"task_id":"01000000000000000000000000000000-detect","queue":"street","lease":300000000000}}`
	body, err := json.Marshal(ClaimBody{TaskID: TaskID(SampleID{1}, "detect"), Queue: "street", Lease: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	c := Command{ID: "c1", Actor: "alice", At: testTime, NotAfter: testTime.Add(time.Minute), Genesis: "g", Kind: CommandClaim, Body: body}
	got, err := json.Marshal(c)
	if err != nil || string(got) != golden {
		t.Errorf("written as\n%s, want\n%s", got, golden)
	}
	var back Command
	if err := json.Unmarshal([]byte(golden), &back); err != nil {
		t.Fatal(err)
	}
	if d := diff(c, back); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestBetterLabel(t *testing.T) {
	order := []Label{
		{Rank: RankNone, Revision: 9},
		{Rank: RankAutomatic},
		{Rank: RankAutomatic, Revision: 7},
		{Rank: RankHuman},
		{Rank: RankHuman, Revision: 1},
		{Rank: RankReviewed},
	}
	for i, a := range order {
		for j, b := range order {
			if got := a.Better(b); got != (i > j) {
				t.Errorf("rank %v revision %d better than rank %v revision %d: %v", a.Rank, a.Revision, b.Rank, b.Revision, got)
			}
		}
	}
}

func TestObjectOrigin(t *testing.T) {
	for lineage, want := range map[string][2]string{
		"animals@3 coco@2017:dog<animal":    {"coco@2017", "dog"},
		"animals@3 my zoo@1:a:b=>animal":    {"my zoo@1", "a:b="},
		"animals@3 coco@2017:animal=animal": {"coco@2017", "animal"},
		"animals@3 coco@2017:dog<dog":       {},
		"animals@3 animal":                  {},
		"animal":                            {},
		"":                                  {},
	} {
		space, class, ok := Object{Canonical: "animal", Lineage: lineage}.Origin()
		if [2]string{space, class} != want || ok != (want != [2]string{}) {
			t.Errorf("%q: %q %q %v", lineage, space, class, ok)
		}
	}
}
