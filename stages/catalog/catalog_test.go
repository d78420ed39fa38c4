package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
)

// memory is a Store and Blobs that remember what they were given.
type memory struct {
	tokens   []string
	samples  []schemas.Sample
	labels   []schemas.Label
	rejected []schemas.Rejected
	embedded []schemas.Embeddings
	blobs    map[string][]byte
	putErr   error
	getErr   error
}

func (m *memory) PutSamples(_ context.Context, token string, rows []schemas.Sample) error {
	m.tokens, m.samples = append(m.tokens, token), append(m.samples, rows...)
	return m.putErr
}

func (m *memory) PutLabels(_ context.Context, token string, rows []schemas.Label) error {
	m.tokens, m.labels = append(m.tokens, token), append(m.labels, rows...)
	return m.putErr
}

func (m *memory) PutRejected(_ context.Context, token string, rows []schemas.Rejected) error {
	m.tokens, m.rejected = append(m.tokens, token), append(m.rejected, rows...)
	return m.putErr
}

func (m *memory) PutEmbeddings(_ context.Context, token string, tables []schemas.Embeddings) error {
	m.tokens, m.embedded = append(m.tokens, token), append(m.embedded, tables...)
	return m.putErr
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	if m.getErr != nil {
		return nil, m.getErr
	}
	if b, ok := m.blobs[key]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("get %s: %w", key, fs.ErrNotExist)
}

func sample(name string) schemas.Sample {
	return schemas.Sample{
		ID: schemas.NewSampleID("d", name, schemas.Hash{}), Dataset: "d", UniqueID: name, Task: "detect",
		Image: schemas.ImageRef{Size: 3, MediaType: "image/png", W: 4, H: 5, Inline: []byte("png")},
	}
}

func encode[T any](t *testing.T, f func(*T) ([]byte, error), v T) []byte {
	t.Helper()
	b, err := f(&v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func handle(m *memory, recs ...schemas.Record) error {
	_, err := New(m, m, slog.New(slog.DiscardHandler)).HandleBatch(context.Background(), recs)
	return err
}

// Every topic that the flow gives the catalog ends in its table, without pixels.
func TestTopicsAndPixels(t *testing.T) {
	s := sample("a")
	for _, topic := range []schemas.Topic{schemas.Samples, schemas.Prelabeled, schemas.Segmented, schemas.Linted, schemas.Submitted} {
		m := &memory{}
		if err := handle(m, schemas.Record{Topic: topic, Value: encode(t, schemas.EncodeSample, s)}); err != nil {
			t.Fatal(err)
		}
		if len(m.samples) != 1 || m.samples[0].ID != s.ID || m.samples[0].Image.Inline != nil || m.samples[0].Image.W != 4 {
			t.Errorf("%s: %+v", topic, m.samples)
		}
	}
	m := &memory{}
	label := schemas.Label{SampleID: s.ID, Dataset: "d", Task: "detect", Image: s.Image, Rank: schemas.RankHuman}
	if err := handle(m, schemas.Record{Topic: schemas.Labels, Value: encode(t, schemas.EncodeLabel, label)}); err != nil {
		t.Fatal(err)
	}
	rejected := schemas.Rejected{Sample: s, Reason: "blurred", Measure: 1, Threshold: 2}
	if err := handle(m, schemas.Record{Topic: schemas.Rejects, Value: encode(t, schemas.EncodeRejected, rejected)}); err != nil {
		t.Fatal(err)
	}
	embeddings := schemas.Embeddings{
		Dataset: []string{"d", "d"}, SampleID: []schemas.SampleID{s.ID, s.ID}, ObjectID: []string{"", "o1"}, Model: []string{"m@1", "m@1"}, Layer: []string{"c5", "c5"},
		Dim: 2, Vector: []float32{1, 0, 0, 1},
	}
	if err := handle(m, schemas.Record{Topic: schemas.Embedded, Value: encode(t, schemas.EncodeEmbeddings, embeddings)}); err != nil {
		t.Fatal(err)
	}
	if len(m.embedded) != 1 || !cmp.Equal(m.embedded[0], embeddings) {
		t.Errorf("embeddings: %+v", m.embedded)
	}
	if len(m.labels) != 1 || m.labels[0].SampleID != s.ID || m.labels[0].Image.Inline != nil {
		t.Errorf("labels: %+v", m.labels)
	}
	if len(m.rejected) != 1 || m.rejected[0].Reason != "blurred" || m.rejected[0].Sample.Image.Inline != nil {
		t.Errorf("rejected: %+v", m.rejected)
	}
	if f, ok := schemas.AsFault(handle(m, schemas.Record{Topic: schemas.Raw})); !ok || f.Reason != "unknown-topic" {
		t.Error("raw has no table")
	}
}

// A table of embeddings is of one sample, since it is left out as a whole when that is erased.
func TestEmbeddingsOfOneSample(t *testing.T) {
	s, gone := sample("a"), sample("gone")
	of := func(ids ...schemas.SampleID) schemas.Record {
		e := schemas.Embeddings{Dim: 1, SampleID: ids}
		for range ids {
			e.Dataset, e.ObjectID, e.Model, e.Layer, e.Vector = append(e.Dataset, "d"), append(e.ObjectID, ""), append(e.Model, "m@1"), append(e.Layer, ""), append(e.Vector, 1)
		}
		return schemas.Record{Topic: schemas.Embedded, Value: encode(t, schemas.EncodeEmbeddings, e)}
	}
	m := &memory{blobs: map[string][]byte{schemas.TombstoneKey(gone.ID): []byte("{}")}}
	var some *schemas.WriteError
	if err := handle(m, of(), of(s.ID, gone.ID), of(gone.ID), of(s.ID)); !errors.As(err, &some) || len(some.Failed) != 3 {
		t.Fatalf("%v", err)
	}
	for i, reason := range map[int]string{0: "undecodable", 1: "undecodable", 2: ""} {
		if f, ok := schemas.AsFault(some.Failed[i]); ok != (reason != "") || ok && f.Reason != reason {
			t.Errorf("record %d: %v", i, some.Failed[i])
		}
	}
	if !errors.Is(some.Failed[2], schemas.ErrDropped) || len(m.embedded) != 1 || m.embedded[0].SampleID[0] != s.ID {
		t.Errorf("%v, stored %+v", some.Failed[2], m.embedded)
	}
}

// Of a batch, undecodable records are faults, those of erased samples are dropped, and the others are stored in one call whose
// token depends on exactly what it stores.
func TestMixedBatch(t *testing.T) {
	gone := sample("gone")
	m := &memory{blobs: map[string][]byte{schemas.TombstoneKey(gone.ID): []byte("{}")}}
	var recs []schemas.Record
	for i, name := range []string{"a", "gone", "", "b", "gone", "c"} {
		value := []byte("no arrow")
		if name != "" {
			value = encode(t, schemas.EncodeSample, sample(name))
		}
		recs = append(recs, schemas.Record{Topic: schemas.Linted, Partition: i / 3, Offset: int64(i), Value: value})
	}
	err := handle(m, recs...)
	var some *schemas.WriteError
	if !errors.As(err, &some) || len(some.Failed) != 3 {
		t.Fatalf("got %v", err)
	}
	if f, ok := schemas.AsFault(some.Failed[2]); !ok || f.Reason != "undecodable" {
		t.Errorf("record 2: %v", some.Failed[2])
	}
	if !errors.Is(some.Failed[1], schemas.ErrDropped) || !errors.Is(some.Failed[4], schemas.ErrDropped) {
		t.Errorf("erased: %v, %v", some.Failed[1], some.Failed[4])
	}
	var names []string
	for _, s := range m.samples {
		names = append(names, s.UniqueID)
	}
	if d := cmp.Diff([]string{"a", "b", "c"}, names); d != "" {
		t.Error(d)
	}

	// The runner tries the failed ones again without the others, or after a crash in other company: then other rows, another token.
	again := &memory{blobs: m.blobs}
	_ = handle(again, recs...)
	fewer := &memory{blobs: m.blobs}
	_ = handle(fewer, recs[1:]...)
	moved := append([]schemas.Record(nil), recs...)
	moved[0].Partition = 1
	other := &memory{blobs: m.blobs}
	_ = handle(other, moved...)
	if len(m.tokens) != 1 || again.tokens[0] != m.tokens[0] || fewer.tokens[0] == m.tokens[0] || other.tokens[0] == m.tokens[0] {
		t.Errorf("tokens %v, again %v, fewer %v, moved %v", m.tokens, again.tokens, fewer.tokens, other.tokens)
	}
}

// A batch of several topics is one put for each table, and a failure of one topic's record leaves the others be.
func TestBatchOfManyTopics(t *testing.T) {
	m := &memory{}
	a, b := sample("a"), sample("b")
	label := schemas.Label{SampleID: a.ID, Dataset: "d", Task: "detect", Image: a.Image, Rank: schemas.RankHuman}
	err := handle(
		m,
		schemas.Record{Topic: schemas.Labels, Value: encode(t, schemas.EncodeLabel, label)},
		schemas.Record{Topic: schemas.Linted, Value: encode(t, schemas.EncodeSample, a)},
		schemas.Record{Topic: schemas.Prelabeled, Value: []byte("x")},
		schemas.Record{Topic: schemas.Rejects, Value: encode(t, schemas.EncodeRejected, schemas.Rejected{Sample: b, Reason: "blurred"})},
		schemas.Record{Topic: schemas.Samples, Value: encode(t, schemas.EncodeSample, b)},
	)
	var some *schemas.WriteError
	if !errors.As(err, &some) || len(some.Failed) != 1 || some.Failed[2] == nil {
		t.Errorf("error %v, want one about record 2", err)
	}
	if len(m.tokens) != 3 || len(m.samples) != 2 || m.samples[0].ID != a.ID || m.samples[1].ID != b.ID || len(m.labels) != 1 || len(m.rejected) != 1 {
		t.Errorf("%d puts of %d samples, %d labels and %d rejects, want 3 of 2, 1 and 1", len(m.tokens), len(m.samples), len(m.labels), len(m.rejected))
	}
}

// Failures of the stores are for the runner to retry: no fault, and nothing claimed to be done.
func TestStoreFailures(t *testing.T) {
	away := errors.New("away")
	rec := schemas.Record{Topic: schemas.Samples, Value: encode(t, schemas.EncodeSample, sample("a"))}
	for name, m := range map[string]*memory{"put": {putErr: away}, "tombstone": {getErr: away}} {
		err := handle(m, rec, schemas.Record{Topic: schemas.Samples, Value: []byte("x")})
		_, fault := schemas.AsFault(err)
		var some *schemas.WriteError
		if !errors.Is(err, away) || fault || errors.As(err, &some) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := &memory{}
	if err := handle(m); err != nil || len(m.tokens) != 0 {
		t.Errorf("empty batch: %v, %d puts", err, len(m.tokens))
	}
}
