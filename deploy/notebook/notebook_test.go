// Package notebook has the notebook for analysts, and tests of it and of the ready queries on the losses of a real training.
package notebook

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gleaner/connectors/clickhouse"
	"gleaner/connectors/engine"
	"gleaner/connectors/onnx"
	"gleaner/deploy/query"
	"gleaner/schemas"
	"gleaner/trainers/classify"
)

func TestMain(m *testing.M) {
	engine.ClickHouseChild()
	os.Exit(m.Run())
}

// TestNotebook runs every ready query and those of the notebook, and the notebook itself where GLEANER_NOTEBOOK_PYTHON names a Python that has marimo.
func TestNotebook(t *testing.T) {
	cfg := engine.DefaultClickHouseConfig()
	cfg.Dir = t.TempDir()
	e, err := engine.NewClickHouse(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-e.Ready():
	case err := <-ended:
		t.Fatal(err)
	}
	access := clickhouse.DefaultConfig()
	access.Addrs = []string{e.Addr()}
	db, err := clickhouse.Open(t.Context(), access, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	train(t, db)

	ready, err := query.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range ready {
		t.Run(q.Name, func(t *testing.T) {
			params := map[string]string{}
			for _, p := range q.Params {
				if p.Default == "" {
					params[p.Name] = map[string]string{"run": "shades-1", "dataset": "shades", "slice": "light"}[p.Name]
				}
			}
			params, err := q.Bind(params)
			if err != nil {
				t.Fatal(err)
			}
			rows := 0
			var names []string
			err = db.Query(t.Context(), q.SQL, params, func(columns []clickhouse.Column) error {
				for _, c := range columns {
					names = append(names, c.Name)
				}
				return nil
			}, func([]any) error { rows++; return nil })
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]int{"runs": 1, "learning": epochs, "map": images, "classes": 3, "doubtful": 100, "slices": 2, "seeds": 100, "losses": images * epochs, "scores": images}
			if n, ok := want[q.Name]; ok && rows != n {
				t.Errorf("%d rows of %v, want %d", rows, names, n)
			}
			if slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, ".") }) {
				t.Errorf("columns %v: one has no name of its own", names)
			}
		})
	}

	source, err := os.ReadFile("runs.py")
	if err != nil {
		t.Fatal(err)
	}
	own := regexp.MustCompile(`ask\(\s*(?:"""(?s:(.*?))"""|"([^"\n]+)")`).FindAllStringSubmatch(string(source), -1)
	if len(own) != 2 {
		t.Errorf("%d queries in the notebook, want 2", len(own))
	}
	for _, m := range own {
		rows := 0
		if err := db.Query(t.Context(), m[1]+m[2], map[string]string{"run": "shades-1"}, func([]clickhouse.Column) error { return nil }, func([]any) error { rows++; return nil }); err != nil || rows == 0 {
			t.Errorf("%d rows of %s: %v", rows, m[1]+m[2], err)
		}
	}

	python := os.Getenv("GLEANER_NOTEBOOK_PYTHON")
	if python == "" {
		t.Skip("SKIPPED, NOT PASSED: the notebook itself needs Python: `make notebook-test` installs it")
	}
	page := filepath.Join(t.TempDir(), "runs.html")
	c := exec.CommandContext(t.Context(), python, "-m", "marimo", "--yes", "export", "html", "runs.py", "--no-include-code", "-o", page)
	_, port, err := net.SplitHostPort(e.HTTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	c.Env = append(os.Environ(), "GLEANER_CLICKHOUSE=http://127.0.0.1:"+port, "GLEANER_DATABASE="+access.Database)
	if said, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Data map", "Class by class", "Labels that look wrong", "vega-lite", "never learned"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not on the page of %d bytes", want, len(text))
		}
	}
}

const images, epochs = 120, 12

// train trains on noisy images of three shades, a tenth of them with another's label, and stores the losses as they come.
func train(t *testing.T, db *clickhouse.DB) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	set := classify.Images{Side: 8, Classes: []string{"dark", "gray", "light"}}
	var samples []schemas.Sample
	for i := range images {
		shade := i % 3
		for range 3 * 8 * 8 {
			set.Pixels = append(set.Pixels, uint8(60+60*shade+rng.IntN(60)))
		}
		label := shade
		if i%10 == 0 {
			label = (shade + 1) % 3
		}
		id := schemas.SampleID{byte(i * 7), byte(i)}
		set.Labels, set.Samples, set.Lineages = append(set.Labels, label), append(set.Samples, id), append(set.Lineages, set.Classes[label])
		samples = append(samples, schemas.Sample{ID: id, Dataset: "shades", Slices: map[string]string{"light": []string{"day", "night"}[i%2]}, Stage: schemas.StageLinted, Image: schemas.ImageRef{W: 8, H: 8, Size: 192}})
	}
	rt, err := onnx.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	cfg := classify.DefaultConfig()
	cfg.Width, cfg.Epochs, cfg.Batch = 8, epochs, 30
	cfg.Run = schemas.Run{RunID: "shades-1", Attempt: 1, Dataset: "shades", Model: "convnet3"}
	trainer, err := classify.New(rt, cfg, set, classify.Images{})
	if err != nil {
		t.Fatal(err)
	}
	defer trainer.Close()
	run, err := trainer.Train(t.Context(), classify.Hooks{Losses: func(ctx context.Context, rows *schemas.Losses) error { return db.InsertLosses(ctx, "", rows) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.PutRun(t.Context(), run.Run); err != nil {
		t.Fatal(err)
	}
	if err := db.PutSamples(t.Context(), "", samples); err != nil {
		t.Fatal(err)
	}
	if _, err := db.FoldLosses(t.Context()); err != nil {
		t.Fatal(err)
	}
}
