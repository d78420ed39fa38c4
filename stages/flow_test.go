package stages

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
)

func TestFlowHoldsTogether(t *testing.T) {
	if err := Validate(Flow()); err != nil {
		t.Fatal(err)
	}
}

func TestValidateNamesWhatIsWrong(t *testing.T) {
	type topics = []schemas.Topic
	raw := Step{Name: "producers", External: true, Out: topics{schemas.Raw}}
	ingest := Step{Name: "ingest", In: topics{schemas.Raw}, Out: topics{schemas.Samples}, Dead: schemas.Dead}
	for _, c := range []struct {
		name string
		flow []Step
		want string
	}{
		{"twice", []Step{raw, ingest, ingest}, `step "ingest": is declared twice`},
		{"no name", []Step{{External: true}}, `step "": has no name`},
		{"unknown topic", []Step{raw, ingest, {Name: "x", In: topics{schemas.Raw}, Out: topics{"gleaner.typo.v1"}, Dead: schemas.Dead}}, `step "x": topic "gleaner.typo.v1" is not in schemas.TopicSpecs`},
		{"nobody writes", []Step{ingest}, `step "ingest": reads topic "gleaner.raw.v1", which no step writes`},
		{"no dead letters", []Step{raw, {Name: "x", In: topics{schemas.Raw}, Out: topics{schemas.Samples}}}, `step "x": has no dead letter topic`},
		{"no input", []Step{{Name: "x", Out: topics{schemas.Samples}, Dead: schemas.Dead}}, `step "x": reads no topic`},
		{"no output", []Step{raw, {Name: "x", In: topics{schemas.Raw}, Dead: schemas.Dead}}, `step "x": writes neither a topic nor a store`},
		{"topic twice", []Step{raw, {Name: "x", In: topics{schemas.Raw, schemas.Raw}, Store: "s", Dead: schemas.Dead}}, `step "x": names topic "gleaner.raw.v1" twice`},
		{
			"own dead letters",
			[]Step{{Name: "p", External: true, Out: topics{schemas.Dead}}, {Name: "x", In: topics{schemas.Dead}, Store: "s", Dead: schemas.Dead}},
			`step "x": reads its own dead letters: a poison record would circle forever`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Validate(c.flow)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if n := len(strings.Split(err.Error(), "\n")); n != 1 {
				t.Fatalf("one thing is wrong, %d are reported: %v", n, err)
			}
		})
	}
}

// Each rendering must show every step and topic of the graph it is given; the text's shape is fixed here, piece by piece.
func TestRender(t *testing.T) {
	flow := []Step{
		{Name: "producers", External: true, Out: []schemas.Topic{schemas.Raw}, About: "push bytes"},
		{Name: "ingest", In: []schemas.Topic{schemas.Raw, schemas.Labels, schemas.Linted}, Out: []schemas.Topic{schemas.Samples, schemas.Rejects}, Dead: schemas.Dead, Store: "blobs", About: "looks"},
		{Name: "catalog", In: []schemas.Topic{schemas.Samples, schemas.Rejects}, Dead: schemas.Dead, Store: "ClickHouse", About: "keeps"},
	}
	text, err := Render(flow, "text")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimPrefix(`
             producers ──► raw         push bytes
     raw ─┬► INGEST    ┬─► samples     looks
  labels ─┤            ├─► rejected
  linted ─┘            └─► blobs
 samples ─┬► CATALOG   ──► ClickHouse  keeps
rejected ─┘

CAPITALS run here; what they cannot handle goes to dead.
`, "\n")
	if d := cmp.Diff(want, text); d != "" {
		t.Errorf("text (-want +got):\n%s", d)
	}

	mermaid, err := Render(flow, "mermaid")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"flowchart LR\n", "  producers([producers])\n", "  ingest[ingest]\n", "  ClickHouse[(ClickHouse)]\n",
		"  producers -->|raw| ingest\n", "  ingest -->|samples| topic_samples[[samples]]\n", "  ingest --> blobs\n",
		"  ingest -.-> catalog\n", "  catalog --> ClickHouse\n",
	} {
		wanted := !strings.Contains(line, "topic_samples") // it has a reader, though one that only stores
		if strings.Contains(mermaid, line) != wanted {
			t.Errorf("mermaid: %q present: %v, want %v, in\n%s", line, !wanted, wanted, mermaid)
		}
	}

	data, err := Render(flow, "json")
	if err != nil {
		t.Fatal(err)
	}
	var back []Step
	if err := json.Unmarshal([]byte(data), &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(flow, back); d != "" {
		t.Errorf("json (-want +got):\n%s", d)
	}

	if _, err := Render(flow, "svg"); err == nil || !strings.Contains(err.Error(), "text, mermaid, json") {
		t.Errorf("unknown format: %v", err)
	}
}

func TestTopicTableHasEveryTopic(t *testing.T) {
	specs := schemas.TopicSpecs()
	lines := strings.Split(strings.TrimSpace(TopicTable(specs)), "\n")
	if len(lines) != len(specs)+2 {
		t.Fatalf("%d lines for %d topics", len(lines), len(specs))
	}
	if want := "| `gleaner.raw.v1` | unique id, or none | image bytes as they are | 8 | 3 days | 32 MiB |"; strings.ReplaceAll(lines[2], "32MiB", "32 MiB") != want {
		t.Errorf("got %s", lines[2])
	}
	for i, s := range specs {
		if !strings.HasPrefix(lines[i+2], "| `"+string(s.Name)+"` |") {
			t.Errorf("line %d is not of %s: %s", i, s.Name, lines[i+2])
		}
	}
}
