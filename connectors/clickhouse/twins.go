package clickhouse

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// TwinsConfig bounds the search for near duplicates.
type TwinsConfig struct {
	Refresh    time.Duration `yaml:"refresh"`     // how often the catalog is asked for the samples of other processes
	MaxSamples int           `yaml:"max_samples"` // held in memory, of all datasets, 110 to 180 bytes each
}

// DefaultTwinsConfig holds up to four million samples, in half a gigabyte.
func DefaultTwinsConfig() TwinsConfig {
	return TwinsConfig{Refresh: 2 * time.Second, MaxSamples: 4_000_000}
}

// Validate refuses what cannot work.
func (c TwinsConfig) Validate() error {
	switch {
	case c.Refresh <= 0:
		return fmt.Errorf("refresh %s: want more than 0", c.Refresh)
	case c.MaxSamples < 1 || c.MaxSamples > math.MaxInt32:
		return fmt.Errorf("max_samples %d: want 1 to %d", c.MaxSamples, math.MaxInt32)
	}
	return nil
}

const (
	// lateness is how long a row of the catalog may take from when the server stamps it until it can be read.
	lateness = 10 * time.Second
	// emptySet is what a dataset takes by itself, in samples' worth of memory.
	emptySet = 4
	// idleAmong is how many datasets are compared for one to leave.
	idleAmong = 16
)

// Twins finds near duplicates by perceptual hash. It holds the hashes of the datasets that it is asked about in memory: those
// that this process adds are found at once, those of other processes, and of one that was killed, once the catalog has them
// and TwinsConfig.Refresh has passed.
//
// A search blocks on the database when it is the first in a dataset, which reads all of it, or when a refresh is due. Where
// there are more than MaxSamples, datasets leave that were not searched for long, to be read again when they are; of one that
// has more by itself, the half that the catalog got first. All methods are safe for concurrent use.
type Twins struct {
	cfg TwinsConfig
	db  *DB

	reading chan struct{} // holds a token while the database is read

	mu        sync.Mutex
	datasets  map[string]*twinSet
	samples   int       // rows of all datasets
	refreshed time.Time // when the last refresh began
}

// twinSet is one dataset's part.
type twinSet struct {
	hashIndex
	loaded bool // what the catalog had is in it
	asked  time.Time
}

// NewTwins returns an empty search over the catalog of db, as db's configuration bounds it.
func NewTwins(db *DB) *Twins {
	return &Twins{cfg: db.cfg.Twins, db: db, reading: make(chan struct{}, 1), datasets: map[string]*twinSet{}}
}

// Near returns the sample of the dataset, other than not, whose perceptual hash is nearest to phash within maxBits differing
// bits, at most 11; of several as near, any. Processes that see twins before the catalog has either may both miss the other.
func (t *Twins) Near(ctx context.Context, dataset string, phash uint64, maxBits int, not schemas.SampleID) (schemas.Neighbor, bool, error) {
	if maxBits < 0 || maxBits > maxNearBits {
		return schemas.Neighbor{}, false, fmt.Errorf("clickhouse: near: %d bits, want 0 to %d", maxBits, maxNearBits)
	}
	if err := t.read(ctx, dataset); err != nil {
		return schemas.Neighbor{}, false, fmt.Errorf("near duplicates in %s: %w", dataset, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n, found := t.set(dataset).near(phash, maxBits, not)
	return n, found, nil
}

// Add makes a sample findable in this process.
func (t *Twins) Add(dataset string, id, group schemas.SampleID, phash uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add(dataset, hashRow{id: id, group: group, phash: phash})
}

// Remove makes a sample, which was erased, findable no more.
func (t *Twins) Remove(dataset string, id schemas.SampleID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set(dataset).remove(id)
}

// set returns a dataset's part; t.mu is held.
func (t *Twins) set(dataset string) *twinSet {
	s, ok := t.datasets[dataset]
	if !ok {
		s = &twinSet{}
		t.datasets[dataset] = s
		t.makeRoom(dataset)
	}
	return s
}

// add adds a row; t.mu is held.
func (t *Twins) add(dataset string, row hashRow) {
	if t.set(dataset).add(row) {
		t.samples++
		t.makeRoom(dataset)
	}
}

// makeRoom brings memory below its limit but spares a dataset, if it can; t.mu is held.
func (t *Twins) makeRoom(dataset string) {
	for t.samples+emptySet*(len(t.datasets)-1) > t.cfg.MaxSamples {
		if len(t.datasets) == 1 {
			left := t.datasets[dataset].halve()
			t.samples -= left
			t.db.log.Warn("near duplicates of a dataset's older samples go unseen: twins.max_samples is too low", "dataset", dataset, "left_out", left)
			continue
		}
		var idlest string
		seen := 0
		for name, s := range t.datasets {
			if name == dataset {
				continue
			}
			if seen == 0 || s.asked.Before(t.datasets[idlest].asked) {
				idlest = name
			}
			if seen++; seen == idleAmong {
				break
			}
		}
		t.samples -= len(t.datasets[idlest].rows)
		delete(t.datasets, idlest)
	}
}

// read brings in what the catalog has of a dataset, or what has come since the last time.
func (t *Twins) read(ctx context.Context, dataset string) error {
	if since, loaded := t.due(dataset); loaded && since < t.cfg.Refresh {
		return nil
	}
	select {
	case t.reading <- struct{}{}:
		defer func() { <-t.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	since, loaded := t.due(dataset) // another caller may have read meanwhile
	switch {
	case !loaded:
		return t.load(ctx, dataset)
	case since >= t.cfg.Refresh:
		return t.refresh(ctx, since)
	}
	return nil
}

// due returns how long ago the last refresh began, and whether the dataset has been loaded, and notes that it was asked for.
func (t *Twins) due(dataset string) (since time.Duration, loaded bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	s := t.set(dataset)
	s.asked = now
	if t.refreshed.IsZero() {
		t.refreshed = now // nothing is loaded yet
	}
	return now.Sub(t.refreshed), s.loaded
}

// load reads the newest hashes of a dataset, in the order in which the catalog got them.
func (t *Twins) load(ctx context.Context, dataset string) error {
	err := t.rows(ctx, "SELECT dataset, sample_id, group_id, phash FROM (SELECT dataset, sample_id, group_id, phash, written FROM samples"+
		" WHERE dataset = ? ORDER BY written DESC LIMIT ?) ORDER BY written", dataset, t.cfg.MaxSamples)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set(dataset).loaded = true
	return nil
}

// refresh reads what has come to the datasets that are loaded since the last refresh. Only spans of time are compared with the
// server's clock, never the clocks.
func (t *Twins) refresh(ctx context.Context, since time.Duration) error {
	began := time.Now()
	query := fmt.Sprintf("SELECT dataset, sample_id, group_id, phash FROM samples WHERE written > now64(3) - INTERVAL %d MILLISECOND",
		(since + lateness).Milliseconds())
	if err := t.rows(ctx, query); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refreshed = began
	return nil
}

// rows adds the rows of a query to the datasets that are held; those that are in already change nothing.
func (t *Twins) rows(ctx context.Context, query string, args ...any) error {
	return t.db.rows(ctx, "read perceptual hashes", func() {}, func(rows driver.Rows) error {
		var dataset string
		var id, group []byte
		var row hashRow
		if err := rows.Scan(&dataset, &id, &group, &row.phash); err != nil {
			return err
		}
		copy(row.id[:], id)
		copy(row.group[:], group)
		t.mu.Lock()
		defer t.mu.Unlock()
		if _, held := t.datasets[dataset]; held {
			t.add(dataset, row)
		}
		return nil
	}, query, args...)
}
