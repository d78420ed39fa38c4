package runner

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gleaner/schemas"
)

// Batches are of all topics, ordered, no larger than allowed, and flushed when their first record has waited long enough or
// the room is full. Caught: no timer; no flush when the room is full (the test then takes BatchWait a batch); a batch a topic.
func TestBatches(t *testing.T) {
	for _, c := range []struct {
		name    string
		set     func(*Config)
		sizes   []int // of all batches of two topics, 25 records each
		waiting time.Duration
	}{
		{"by records", func(c *Config) { c.BatchRecords = 12 }, []int{12, 12, 12, 12, 2}, 0},
		{"by bytes", func(c *Config) { c.BatchBytes = 9 * (overhead + 16) }, []int{9, 9, 9, 9, 9, 5}, 0},
		{"by wait", func(c *Config) { c.BatchWait = time.Minute }, []int{50}, time.Minute},
		{"by room", func(c *Config) { c.BatchWait, c.MaxInFlightRecords = time.Hour, 10 }, nil, 2 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig()
				cfg.Concurrency, cfg.MaxInFlightRecords = 2, 100
				c.set(&cfg)
				a, b := newSource(t, 25, nil), newSource(t, 25, nil)
				b.topic = schemas.Labels
				a.endless, b.endless = c.waiting > 0, c.waiting > 0
				var mu sync.Mutex
				var sizes []int
				handler := batchFunc(func(_ context.Context, rs []schemas.Record) ([]schemas.Emit, error) {
					mu.Lock()
					defer mu.Unlock()
					sizes = append(sizes, len(rs))
					for i, r := range rs[1:] {
						if r.Topic < rs[i].Topic || r.Topic == rs[i].Topic && r.Offset != rs[i].Offset+1 {
							t.Errorf("in a batch %s follows %s", origin(r), origin(rs[i]))
						}
					}
					return nil, nil
				})
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				if c.waiting > 0 {
					time.AfterFunc(c.waiting+time.Second, stop)
				}
				r := start(t, cfg, Deps{Sources: []Source{a, b}, Sink: newSink(), Batch: handler})
				if err := r.Run(ctx); err != nil {
					t.Fatal(err)
				}
				a.checkAll()
				b.checkAll()
				slices.SortFunc(sizes, func(x, y int) int { return y - x })
				if c.sizes != nil && !slices.Equal(sizes, c.sizes) || slices.Max(sizes) > cfg.MaxInFlightRecords {
					t.Errorf("batches of %v, want %v", sizes, c.sizes)
				}
				if s := r.Stats(); s.In != 50 || s.Filtered != 0 || s.InFlight != 0 {
					t.Errorf("stats: %+v", s)
				}
			})
		})
	}
}

// A batch that fails as a whole is handled record by record to find the culprit, and only that one is set aside; records that
// a WriteError does not name are done; ErrDropped is counted. Caught: dead letters for the whole batch; done records handled again.
func TestOneBadRecordOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink, source := newSink(), newSource(t, 30, nil)
		cfg := testConfig()
		cfg.Concurrency, cfg.BatchRecords = 1, 10
		done := map[int64]int{}
		tries := 0
		handler := batchFunc(func(_ context.Context, rs []schemas.Record) ([]schemas.Emit, error) {
			failed := map[int]error{}
			for i, r := range rs {
				switch {
				case r.Offset == 4: // fails the whole call, and says nothing of the others
					return nil, schemas.NewFault("poison", errors.New("cannot be"))
				case r.Offset == 14:
					failed[i] = schemas.NewFault("poison", errors.New("cannot be"))
				case r.Offset == 15:
					failed[i] = schemas.ErrDropped
				case r.Offset == 16 && tries < 3:
					tries++
					failed[i] = errors.New("not now")
				}
			}
			var emits []schemas.Emit
			for i, r := range rs {
				if failed[i] == nil {
					done[r.Offset]++
					emits = append(emits, schemas.Emit{Topic: schemas.Linted, Record: schemas.Record{Key: r.Key}})
				}
			}
			if len(failed) > 0 {
				return emits, &schemas.WriteError{Failed: failed}
			}
			return emits, nil
		})
		r := start(t, cfg, Deps{Sources: []Source{source}, Sink: sink, Batch: handler})
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		source.checkAll()
		for i := range int64(30) {
			want := 1
			if i == 4 || i == 14 || i == 15 {
				want = 0
			}
			if done[i] != want {
				t.Errorf("record %d handled to the end %d times, want %d", i, done[i], want)
			}
		}
		letters := sink.once(t, schemas.Dead)
		if len(letters) != 2 || letters[string(key(4))] == nil || letters[string(key(14))] == nil {
			t.Errorf("dead letters: %v", letters)
		}
		if s := r.Stats(); s.Filtered != 1 || s.Dead != 2 || s.In != 30 || s.Out != 27 || s.Retries != 3 {
			t.Errorf("stats: %+v", s)
		}
	})
}

// Outputs of a batch that are too large condemn all of its inputs, since nobody can say which made them; a dead letter that
// is too large itself stops the step with its input unacknowledged. Caught: retrying forever; acknowledging without a dead letter.
func TestTooLarge(t *testing.T) {
	for _, c := range []struct {
		name    string
		topics  []schemas.Topic
		stopped bool
	}{
		{"output", []schemas.Topic{schemas.Linted}, false},
		{"dead letter too", []schemas.Topic{schemas.Linted, schemas.Dead}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sink, source := newSink(), newSource(t, 5, nil)
				sink.fail = func(rs []schemas.Record) error {
					failed := map[int]error{}
					for i, r := range rs {
						if slices.Contains(c.topics, r.Topic) {
							failed[i] = schemas.ErrTooLarge
						}
					}
					if len(failed) == 0 {
						return nil
					}
					return &schemas.WriteError{Failed: failed}
				}
				handler := batchFunc(func(_ context.Context, rs []schemas.Record) ([]schemas.Emit, error) {
					return []schemas.Emit{{Topic: schemas.Linted, Record: schemas.Record{Key: []byte("all")}}}, nil
				})
				r := start(t, testConfig(), Deps{Sources: []Source{source}, Sink: sink, Batch: handler})
				err := r.Run(t.Context())
				letters := len(sink.of(schemas.Dead))
				if c.stopped {
					if !errors.Is(err, schemas.ErrTooLarge) || source.ackCount() != 0 || letters != 0 {
						t.Errorf("Run: %v; %d acknowledged, %d dead letters", err, source.ackCount(), letters)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				source.checkAll()
				if letters != 5 {
					t.Errorf("%d dead letters, want 5", letters)
				}
			})
		})
	}
}
