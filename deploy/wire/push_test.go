package wire

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/connectors/engine"
	"gleaner/connectors/kafka"
	"gleaner/deploy/config"
	"gleaner/schemas"
)

// overKafka returns connections to an embedded Kafka of its own, with the topics made, and to nothing else.
func overKafka(t *testing.T) *Connections {
	t.Helper()
	cfg, err := config.Default().In(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	k, err := engine.NewKafka(cfg.Engine.Kafka, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	select {
	case <-k.Ready():
	case err := <-ended:
		t.Fatal(err)
	}
	cfg.Kafka.Brokers = []string{k.Addr()}
	c := &Connections{Config: cfg, Log: log}
	if c.Kafka, err = kafka.New(cfg.Kafka, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if err := c.Kafka.EnsureTopics(ctx, schemas.TopicSpecs()); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPushGoesOn: what cannot be pushed keeps nothing else from the topic, and is named.
func TestPushGoesOn(t *testing.T) {
	c := overKafka(t)
	dir := t.TempDir()
	raw, _ := schemas.Raw.Spec()
	write := func(name string, size int) PushFile {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.Repeat(name[:1], size)), 0o600); err != nil {
			t.Fatal(err)
		}
		return PushFile{Path: path, UniqueID: name}
	}
	files := []PushFile{
		write("a.jpg", 10),
		{Path: filepath.Join(dir, "none.jpg"), UniqueID: "none.jpg"},
		write("huge.jpg", raw.MaxMessageBytes+1),
		write("large.jpg", raw.MaxMessageBytes-100), // it fits, but its headers do not
		{Path: dir, UniqueID: "folder"},
		write("z.jpg", 20),
	}
	done := 0
	result, err := c.Push(t.Context(), files, PushOptions{Dataset: "d"}, func(n int) { done += n })
	if err != nil {
		t.Fatal(err)
	}
	failed := map[string]bool{}
	for _, f := range result.Failed {
		failed[filepath.Base(f.Path)] = f.Error != ""
	}
	if result.Pushed != 2 || result.Bytes != 30 || len(failed) != 4 || !failed["none.jpg"] || !failed["huge.jpg"] || !failed["large.jpg"] || !failed[filepath.Base(dir)] || done != len(files) {
		t.Errorf("pushed %+v, %d files done", result, done)
	}
	var keys []string
	err = c.Kafka.Scan(t.Context(), schemas.Raw, func(r schemas.Record) error {
		keys = append(keys, string(r.Key))
		return nil
	})
	if err != nil || len(keys) != 2 {
		t.Errorf("on the topic: %v, %v", keys, err)
	}
	if again, err := c.Push(t.Context(), files, PushOptions{Dataset: "d"}, nil); err != nil || again.Pushed != 0 || again.Skipped != 2 || len(again.Failed) != 4 {
		t.Errorf("again: %+v, %v", again, err)
	}
	// Another cluster has none of it, whatever the journal says of this one.
	// What the journal has as pushed to another cluster is not on this one.
	journal := filepath.Join(c.Config.DataDir, "state", "pushed")
	lines, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(journal, []byte(strings.ReplaceAll(string(lines), "gleaner\t", "elsewhere\t")), 0o600); err != nil {
		t.Fatal(err)
	}
	if here, err := c.Push(t.Context(), files[:1], PushOptions{Dataset: "d"}, nil); err != nil || here.Pushed != 1 {
		t.Errorf("pushed to another cluster before: %+v, %v", here, err)
	}
}
