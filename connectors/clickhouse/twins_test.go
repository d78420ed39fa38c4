package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gleaner/schemas"
)

// near asks for a sample other than the zero one.
func near(t *testing.T, s *Twins, dataset string, phash uint64) (schemas.Neighbor, bool) {
	t.Helper()
	n, found, err := s.Near(t.Context(), dataset, phash, 3, schemas.SampleID{})
	if err != nil {
		t.Fatal(err)
	}
	return n, found
}

// held returns how many samples of a dataset are in memory.
func held(s *Twins, dataset string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.datasets[dataset]; d != nil {
		return len(d.at)
	}
	return 0
}

// TestTwinsReachOthers: what one process adds is found there at once, and by others through the catalog, whether it was there
// before they first asked or came since, and whatever stage it has got to by then.
func TestTwinsReachOthers(t *testing.T) {
	db := open(t, func(c *Config) { c.Twins.Refresh = time.Millisecond })
	mine, theirs := NewTwins(db), NewTwins(db)
	if _, found := near(t, theirs, "test", 1); found {
		t.Error("found in an empty catalog")
	}
	for i, stage := range []schemas.Stage{schemas.StageSamples, schemas.StageLinted} {
		s := sample(i, stage, 0, 0)
		s.PHash, s.Group = uint64(i+1)<<40|uint64(i+1)<<20, sampleID(100+i)
		mine.Add(s.Dataset, s.ID, s.Group, s.PHash)
		want := schemas.Neighbor{ID: s.ID, Group: s.Group, Distance: 1}
		if n, found := near(t, mine, s.Dataset, s.PHash^1<<63); !found || n != want {
			t.Errorf("added and asked for: %t %+v, want %+v", found, n, want)
		}
		if n, _, err := mine.Near(t.Context(), s.Dataset, s.PHash, 3, s.ID); err != nil || n.ID == s.ID {
			t.Errorf("its own neighbor: %+v, %v", n, err)
		}
		if _, found := near(t, mine, "other", s.PHash); found {
			t.Error("found in another dataset")
		}
		if err := db.PutSamples(t.Context(), "", []schemas.Sample{s}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond) // a refresh is due
		if n, found := near(t, theirs, s.Dataset, s.PHash^1<<63); !found || n != want {
			t.Errorf("refreshed: %t %+v, want %+v", found, n, want)
		}
		if n, found := near(t, NewTwins(db), s.Dataset, s.PHash^1<<63); !found || n != want {
			t.Errorf("loaded: %t %+v, want %+v", found, n, want)
		}
	}
	s := sample(0, schemas.StageSamples, 0, 0)
	if _, err := db.Erase(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
	theirs.Remove(s.Dataset, s.ID)
	if _, found := near(t, theirs, s.Dataset, 1<<40|1<<20); found {
		t.Error("a removed sample is found")
	}
	if _, _, err := mine.Near(t.Context(), "test", 0, 12, schemas.SampleID{}); err == nil {
		t.Error("12 bits were accepted")
	}
}

// TestTwinsStayWithinTheirMemory: datasets leave and come back; of one that is too large the older half leaves.
func TestTwinsStayWithinTheirMemory(t *testing.T) {
	db := open(t, func(c *Config) { c.Twins.Refresh, c.Twins.MaxSamples = time.Hour, 100 })
	s := NewTwins(db)
	var rows []schemas.Sample
	for i := range 30 {
		one := sample(i, schemas.StageSamples, 0, 0)
		one.Dataset, one.PHash = fmt.Sprint("small ", i%2), 1<<(2*i)
		rows = append(rows, one)
	}
	if err := db.PutSamples(t.Context(), "", rows); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for i, r := range rows[:2] {
			if n, found := near(t, s, r.Dataset, r.PHash); !found || n.ID != r.ID || held(s, r.Dataset) != 15 {
				t.Errorf("dataset %d: %t %+v, %d samples", i, found, n, held(s, r.Dataset))
			}
		}
		for i := range 1000 {
			s.Add("large", sampleID(1000+i), sampleID(1), uint64(i))
			if n := held(s, "large"); n > 100 || i > 200 && n < 50 {
				t.Fatalf("%d samples are held of %d added", n, i+1)
			}
		}
		if held(s, "small 0")+held(s, "small 1") > 0 {
			t.Error("datasets nobody asks for are held while another wants their room")
		}
	}
	for i := range 1000 {
		_, _ = near(t, s, fmt.Sprint("empty ", i), 0)
	}
	if n := len(s.datasets); emptySet*(n-1) > 100 {
		t.Errorf("%d empty datasets are held", n)
	}
}

// TestTwinsDoNotAnswerUnread: a search that cannot read the catalog says so, and does not take it for empty.
func TestTwinsDoNotAnswerUnread(t *testing.T) {
	s := NewTwins(open(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Near(ctx, "test", 1, 3, schemas.SampleID{}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "test") {
		t.Errorf("error %v", err)
	}
	if _, found := near(t, s, "test", 1); found {
		t.Error("found in an empty catalog")
	}
}
