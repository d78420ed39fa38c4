package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// LossStorage says how long raw loss rows are kept and where. Summaries, scores and picks stay when the rows they were made of go.
type LossStorage struct {
	KeepDays      int    `yaml:"keep_days"`       // rows that arrived longer ago are removed by merges; 0: kept for ever
	StoragePolicy string `yaml:"storage_policy"`  // of the server's configuration; empty: left as it is
	ColdVolume    string `yaml:"cold_volume"`     // volume of the policy that older rows move to; empty: none
	ColdAfterDays int    `yaml:"cold_after_days"` // with ColdVolume
}

// Validate refuses what cannot work.
func (s LossStorage) Validate() error {
	switch {
	case s.KeepDays < 0 || s.ColdAfterDays < 0:
		return errors.New("keep_days and cold_after_days: want at least 0")
	case (s.ColdVolume == "") != (s.ColdAfterDays == 0):
		return errors.New("cold_volume and cold_after_days go together")
	case s.KeepDays > 0 && s.ColdAfterDays >= s.KeepDays:
		return fmt.Errorf("cold_after_days %d: rows are removed after keep_days %d", s.ColdAfterDays, s.KeepDays)
	case strings.ContainsAny(s.StoragePolicy+s.ColdVolume, `'\`):
		return errors.New("storage_policy and cold_volume: want names without quotes")
	}
	return nil
}

// ttl is the table's expression, empty for none, as ClickHouse prints it.
func (s LossStorage) ttl() string {
	var parts []string
	if s.KeepDays > 0 {
		parts = append(parts, fmt.Sprintf("arrived + toIntervalDay(%d)", s.KeepDays))
	}
	if s.ColdVolume != "" {
		parts = append(parts, fmt.Sprintf("arrived + toIntervalDay(%d) TO VOLUME '%s'", s.ColdAfterDays, s.ColdVolume))
	}
	return strings.Join(parts, ", ")
}

// storeLosses brings the table of losses to what is configured. A table that is so already is left alone.
func (db *DB) storeLosses(ctx context.Context) error {
	var engine, policy string
	err := db.rows(ctx, "read the storage of losses", func() {}, func(rows driver.Rows) error { return rows.Scan(&engine, &policy) },
		"SELECT engine_full, storage_policy FROM system.tables WHERE database = currentDatabase() AND name = 'losses'")
	if err != nil {
		return err
	}
	want := db.cfg.Losses
	if want.StoragePolicy != "" && want.StoragePolicy != policy {
		if err := db.exec(ctx, "storage policy of losses", "ALTER TABLE losses MODIFY SETTING storage_policy = '"+want.StoragePolicy+"'"); err != nil {
			return fmt.Errorf("clickhouse.losses.storage_policy: %w", err)
		}
	}
	_, has, _ := strings.Cut(engine, " TTL ")
	has, _, _ = strings.Cut(has, " SETTINGS ")
	switch ttl := want.ttl(); ttl {
	case has:
		return nil
	case "":
		return db.exec(ctx, "keep losses for ever", "ALTER TABLE losses REMOVE TTL")
	default:
		if err := db.exec(ctx, "retention of losses", "ALTER TABLE losses MODIFY TTL "+ttl); err != nil {
			return fmt.Errorf("clickhouse.losses: %w", err)
		}
		return nil
	}
}
