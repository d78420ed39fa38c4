package humanlabel

import (
	"errors"
	"time"
)

// Config of the desk.
type Config struct {
	CommandTTL    time.Duration `yaml:"command_ttl"`     // how long a command that names no not_after may take to reach the log
	TickEvery     time.Duration `yaml:"tick_every"`      // how often to look for claims that have ended while the log is idle
	IdleTickEvery time.Duration `yaml:"idle_tick_every"` // the longest that the log's time stands still
	MaxSkew       time.Duration `yaml:"max_skew"`        // an instance whose clock is further behind the log's stops proposing
	SnapshotEvery int           `yaml:"snapshot_every"`  // commands between snapshots
	KeepSnapshots int           `yaml:"keep_snapshots"`  // how many, the newest
	HashEvery     int           `yaml:"hash_every"`      // commands between hashes of the state, which are logged and compared; the same for all instances
}

// DefaultConfig returns the settings of a desk that nobody has set up.
func DefaultConfig() Config {
	return Config{
		CommandTTL: 10 * time.Minute, TickEvery: time.Second, IdleTickEvery: time.Minute, MaxSkew: 2 * time.Second,
		SnapshotEvery: 20_000, KeepSnapshots: 8, HashEvery: 1000,
	}
}

// Validate reports every setting that cannot work.
func (c Config) Validate() error {
	var errs []error
	for _, v := range []struct {
		name string
		ok   bool
	}{
		{"command_ttl", c.CommandTTL > 0},
		{"tick_every", c.TickEvery > 0},
		{"idle_tick_every", c.IdleTickEvery > 0},
		{"max_skew", c.MaxSkew > 0},
		{"snapshot_every", c.SnapshotEvery > 0},
		{"keep_snapshots", c.KeepSnapshots > 0},
		{"hash_every", c.HashEvery > 0},
	} {
		if !v.ok {
			errs = append(errs, errors.New("desk: "+v.name+" must be above 0"))
		}
	}
	return errors.Join(errs...)
}
