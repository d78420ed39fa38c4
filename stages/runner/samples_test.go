package runner

import (
	"context"
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
)

// splitter is a Processor that gives each sample and, for one dataset, a second one.
type splitter struct{ twin schemas.SampleID }

func (p splitter) Process(_ context.Context, in schemas.Sample) ([]schemas.Sample, error) {
	in.Stage = schemas.StagePrelabeled
	out := []schemas.Sample{in}
	switch in.Dataset {
	case "twins":
		in.ID = p.twin
		out = append(out, in)
	case "none":
		out = nil
	case "broken", "erased and broken":
		return nil, errors.New("model not loaded")
	case "wrong", "unknown and wrong":
		return nil, schemas.NewFault("no-pixels", errors.New("image is gone"))
	}
	return out, nil
}

// tombstones is a blob store that holds these keys, and fails for those of false.
type tombstones map[string]bool

func (t tombstones) Get(_ context.Context, key string) ([]byte, error) {
	switch holds, ok := t[key]; {
	case holds:
		return nil, nil
	case ok:
		return nil, errors.New("store is away")
	}
	return nil, fs.ErrNotExist
}

// The same input gives the same records, keyed by sample id; the kinds of error stay what they are.
func TestSamples(t *testing.T) {
	twin := schemas.NewSampleID("twins", "b", schemas.Hash{})
	gone := schemas.NewSampleID("erased", "a", schemas.Hash{})
	goneToo := schemas.NewSampleID("erased and broken", "a", schemas.Hash{})
	unknown := schemas.NewSampleID("unknown", "a", schemas.Hash{})
	unknownToo := schemas.NewSampleID("unknown and wrong", "a", schemas.Hash{})
	h := Samples(splitter{twin}, schemas.Prelabeled, tombstones{
		schemas.TombstoneKey(gone): true, schemas.TombstoneKey(goneToo): true,
		schemas.TombstoneKey(unknown): false, schemas.TombstoneKey(unknownToo): false,
	})
	for _, c := range []struct {
		dataset string
		ids     []schemas.SampleID
		fault   string
		fails   bool
	}{
		{"plain", []schemas.SampleID{schemas.NewSampleID("plain", "a", schemas.Hash{})}, "", false},
		{"twins", []schemas.SampleID{schemas.NewSampleID("twins", "a", schemas.Hash{}), twin}, "", false},
		{"none", nil, "", false},
		{"erased", nil, "", false},
		{"erased and broken", nil, "", false},
		{"broken", nil, "", true},
		{"wrong", nil, "no-pixels", true},
		{"unknown", nil, "", true},
		{"unknown and wrong", nil, "", true},
	} {
		in := schemas.Sample{ID: schemas.NewSampleID(c.dataset, "a", schemas.Hash{}), Dataset: c.dataset, Task: "detect"}
		value, err := schemas.EncodeSample(&in)
		if err != nil {
			t.Fatal(err)
		}
		first, err := h.Handle(t.Context(), schemas.Record{Value: value})
		again, _ := h.Handle(t.Context(), schemas.Record{Value: value})
		if d := cmp.Diff(first, again); d != "" {
			t.Errorf("%s: not the same twice:\n%s", c.dataset, d)
		}
		fault, isFault := schemas.AsFault(err)
		if (err != nil) != c.fails || isFault != (c.fault != "") || isFault && fault.Reason != c.fault {
			t.Errorf("%s: error %v", c.dataset, err)
		}
		if len(first) != len(c.ids) {
			t.Fatalf("%s: %d emits, want %d", c.dataset, len(first), len(c.ids))
		}
		for i, e := range first {
			out, err := schemas.DecodeSample(e.Record.Value)
			if err != nil || e.Topic != schemas.Prelabeled || out.ID != c.ids[i] || string(e.Record.Key) != c.ids[i].String() || out.Stage != schemas.StagePrelabeled {
				t.Errorf("%s: emit %d on %s with key %q is %+v, %v", c.dataset, i, e.Topic, e.Record.Key, out, err)
			}
		}
	}
	if _, err := h.Handle(t.Context(), schemas.Record{Value: []byte("no arrow")}); err == nil {
		t.Error("bytes that are no sample")
	} else if f, ok := schemas.AsFault(err); !ok || f.Reason != ReasonUndecodable {
		t.Errorf("bytes that are no sample: %v", err)
	}
}

// What a step has to say on other topics goes along with its samples, and not when the sample is erased.
func TestSamplesAnd(t *testing.T) {
	in := schemas.Sample{ID: schemas.NewSampleID("d", "a", schemas.Hash{}), Dataset: "d"}
	value, err := schemas.EncodeSample(&in)
	if err != nil {
		t.Fatal(err)
	}
	also := schemas.Emit{Topic: schemas.Embedded, Record: schemas.Record{Key: []byte("k"), Value: []byte("v")}}
	process := func(_ context.Context, s schemas.Sample) ([]schemas.Sample, []schemas.Emit, error) {
		return []schemas.Sample{s}, []schemas.Emit{also}, nil
	}
	emits, err := SamplesAnd(process, schemas.Prelabeled, tombstones{}).Handle(t.Context(), schemas.Record{Value: value})
	if err != nil || len(emits) != 2 || !cmp.Equal(emits[0], also) || emits[1].Topic != schemas.Prelabeled {
		t.Errorf("%+v, %v", emits, err)
	}
	emits, err = SamplesAnd(process, schemas.Prelabeled, tombstones{schemas.TombstoneKey(in.ID): true}).Handle(t.Context(), schemas.Record{Value: value})
	if err != nil || len(emits) != 0 {
		t.Errorf("of an erased sample: %+v, %v", emits, err)
	}
}
