package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"slices"
	"sync"
	"testing"
	"time"

	"gleaner/schemas"
	"gleaner/stages/ingest"
	"gleaner/stages/pixels"
)

// world holds what ingest works with, in memory. Its failAt-th call fails, once, after or before it took effect: a lost
// answer or a lost call.
type world struct {
	mu     sync.Mutex
	blobs  map[string][]byte
	hashes []hash
	web    map[string][]byte
	users  map[schemas.Hash][]schemas.SampleID

	beforePut func() // is called once, before an image is stored

	calls, failAt int
	effective     bool // the failing call takes effect all the same
}

type hash struct {
	dataset   string
	id, group schemas.SampleID
	phash     uint64
}

var errLost = errors.New("connection lost")

// do runs one call under the lock.
func (w *world) do(call func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	if w.calls == w.failAt {
		if w.effective {
			call()
		}
		return errLost
	}
	call()
	return nil
}

func (w *world) Put(_ context.Context, key string, data []byte) error {
	return w.do(func() {
		if w.beforePut != nil {
			w.beforePut()
			w.beforePut = nil
		}
		w.blobs[key] = bytes.Clone(data)
	})
}

func (w *world) Delete(_ context.Context, key string) error {
	return w.do(func() { delete(w.blobs, key) })
}

func (w *world) ImageUsers(_ context.Context, image schemas.Hash) (users []schemas.SampleID, err error) {
	err = w.do(func() { users = w.users[image] })
	return users, err
}

func (w *world) PutNew(_ context.Context, key string, data []byte) (existing []byte, created bool, err error) {
	err = w.do(func() {
		if existing, created = w.blobs[key], w.blobs[key] == nil; created {
			w.blobs[key] = bytes.Clone(data)
		}
	})
	return existing, created, err
}

func (w *world) PutNewEach(ctx context.Context, data []byte, keys ...string) (n int, existing []byte, err error) {
	for n, key := range keys {
		existing, created, err := w.PutNew(ctx, key, data)
		if err != nil || !created && !bytes.Equal(existing, data) {
			return n, existing, err
		}
	}
	return len(keys), nil, nil
}

func (w *world) Get(_ context.Context, key string) (data []byte, err error) {
	if err := w.do(func() { data = w.blobs[key] }); err != nil {
		return nil, err
	}
	if data == nil {
		return nil, fmt.Errorf("get %s: %w", key, fs.ErrNotExist)
	}
	return data, nil
}

func (w *world) Add(dataset string, id, group schemas.SampleID, phash uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hashes = append(w.hashes, hash{dataset, id, group, phash})
}

func (w *world) Remove(_ string, id schemas.SampleID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hashes = slices.DeleteFunc(w.hashes, func(h hash) bool { return h.id == id })
}

func (w *world) Near(_ context.Context, dataset string, phash uint64, maxBits int, not schemas.SampleID) (n schemas.Neighbor, found bool, err error) {
	err = w.do(func() {
		for _, h := range w.hashes {
			d := bits.OnesCount64(h.phash ^ phash)
			if h.dataset == dataset && h.id != not && d <= maxBits && (!found || d < n.Distance) {
				n, found = schemas.Neighbor{ID: h.id, Group: h.group, Distance: d}, true
			}
		}
	})
	return n, found, err
}

func (w *world) Fetch(_ context.Context, url string) ([]byte, error) {
	if data, ok := w.web[url]; ok {
		return data, nil
	}
	return nil, schemas.NewFault("not-found", fmt.Errorf("%s: 404", url))
}

func newWorld() *world { return &world{blobs: map[string][]byte{}, web: map[string][]byte{}} }

// step makes the step over w; change may alter the default configuration.
func step(t testing.TB, w *world, change func(*ingest.Config)) *ingest.Ingest {
	t.Helper()
	cfg := ingest.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	s, err := ingest.New(cfg, ingest.Deps{
		Blobs: w, Fetcher: w, Twins: w, Users: w, Version: "test",
		Images: pixels.NewCache(64<<20, func(context.Context, string) ([]byte, error) { return nil, errors.New("not kept") }),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var received = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// raw makes a record of the raw topic; headers are pairs.
func raw(data []byte, headers ...string) schemas.Record {
	r := schemas.Record{Topic: schemas.Raw, Value: data, Time: received}
	for i := 0; i < len(headers); i += 2 {
		r.Headers = append(r.Headers, schemas.Header{Key: headers[i], Value: []byte(headers[i+1])})
	}
	return r
}

// outcome is what became of one record.
type outcome struct {
	sample schemas.Sample
	reason string // empty: let in
	reject schemas.Rejected
}

// handle runs one record through the step.
func handle(t testing.TB, s *ingest.Ingest, w *world, rec schemas.Record) outcome {
	t.Helper()
	emits, err := s.Handle(t.Context(), rec)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, w, emits)
}

// read decodes what the step emitted and checks what holds for every outcome.
func read(t testing.TB, w *world, emits []schemas.Emit) outcome {
	t.Helper()
	if len(emits) != 1 {
		t.Fatalf("%d records, want one", len(emits))
	}
	var o outcome
	var err error
	switch r := emits[0].Record; emits[0].Topic {
	case schemas.Samples:
		o.sample, err = schemas.DecodeSample(r.Value)
	case schemas.Rejects:
		o.reject, err = schemas.DecodeRejected(r.Value)
		o.sample, o.reason = o.reject.Sample, o.reject.Reason
		if len(o.sample.Image.Inline) > 0 {
			t.Errorf("a reject carries %d bytes of pixels", len(o.sample.Image.Inline))
		}
	default:
		t.Fatalf("emitted on %s", emits[0].Topic)
	}
	if err != nil {
		t.Fatal(err)
	}
	if string(emits[0].Record.Key) != o.sample.ID.String() {
		t.Errorf("key %q, want %s", emits[0].Record.Key, o.sample.ID)
	}
	if len(o.sample.Stamps) != 1 || o.sample.Stamps[0].Step != "ingest" || o.sample.Stage != schemas.StageSamples {
		t.Errorf("stage %d, stamps %+v", o.sample.Stage, o.sample.Stamps)
	}
	if o.sample.Image.Size > 0 {
		w.mu.Lock()
		defer w.mu.Unlock()
		if kept := w.blobs[schemas.ImageKey(o.sample.Image.SHA256)]; int64(len(kept)) != o.sample.Image.Size {
			t.Errorf("the blob store keeps %d bytes of the image, want %d", len(kept), o.sample.Image.Size)
		}
	}
	return o
}
