package clickhouse

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"gleaner/schemas"
	ddl "gleaner/schemas/clickhouse"
)

// repeatable are the statements that two processes may run at once and one may run again.
var repeatable = regexp.MustCompile(`^(CREATE (TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS|CREATE OR REPLACE VIEW|DROP (TABLE|VIEW) IF EXISTS|ALTER TABLE \w+\s+((ADD|DROP) (COLUMN|INDEX) IF (NOT )?EXISTS|(MODIFY|MATERIALIZE) COLUMN|MODIFY SETTING)|INSERT INTO (loss_arrivals|slice_discoveries))\s`)

func TestMigrationsAreRepeatable(t *testing.T) {
	known, err := migrations(ddl.Migrations)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range known {
		for _, s := range m.statements {
			if !repeatable.MatchString(s) {
				t.Errorf("%s: %.60q may not be repeated", m.name, s)
			}
			if strings.Contains(s, "VIEW IF NOT EXISTS") && !strings.Contains(s, "MATERIALIZED") && !strings.Contains(s, "COMMENT '") {
				t.Errorf("%s: %.60q has no comment for analysts", m.name, s)
			}
		}
	}
}

// TestSaysWhatToGrant: the embedded engine has all rights, so its refusal is made up here.
func TestSaysWhatToGrant(t *testing.T) {
	refused := func(table string) error {
		return fmt.Errorf("clickhouse: count: %w", &ch.Exception{
			Code: accessDenied, Message: "gleaner: Not enough privileges. To execute this query, it's necessary to have the grant SELECT(elapsed) ON " + table,
		})
	}
	processes := refused("system.processes")
	if err := withGrant(processes, "gleaner"); !errors.Is(err, processes) || !strings.Contains(err.Error(), "GRANT SELECT ON system.processes TO gleaner") {
		t.Errorf("%v: want the grant that is missing", err)
	}
	for _, other := range []error{io.EOF, refused("gleaner.loss_folds")} {
		if err := withGrant(other, "gleaner"); err != other { //nolint:errorlint // the same
			t.Errorf("%v: want it as it was", err)
		}
	}
}

func TestMigrateFromManyProcessesAtOnce(t *testing.T) {
	first := open(t)
	cfg := first.cfg
	cfg.Database += "_shared"
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			db, err := Open(t.Context(), cfg, logger(t))
			if err != nil {
				t.Error(err)
				return
			}
			if err := db.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	db := open(t, func(c *Config) { c.Database = cfg.Database })
	known, err := migrations(ddl.Migrations)
	if err != nil {
		t.Fatal(err)
	}
	applied, err := db.applied(t.Context())
	if err != nil || len(applied) != len(known) {
		t.Errorf("%d migrations recorded of %d: %v", len(applied), len(known), err)
	}
	const names = "SELECT name FROM system.tables WHERE database = "
	if a, b := ask(t, db, names+"'"+cfg.Database+"' ORDER BY name"), ask(t, db, names+"'"+first.cfg.Database+"' ORDER BY name"); a != b {
		t.Errorf("tables %s, want %s", a, b)
	}
}

// TestLossesFromBeforeHaveArrived: those that came before arrivals were noted are counted once, however often the migration is run, or a rebuild.
func TestLossesFromBeforeHaveArrived(t *testing.T) {
	db := open(t)
	insertStory(t, db, "", func(l *schemas.Losses) {
		story(l, "before", 1, 0, "", 0, "wcwc")
		story(l, "before", 2, 0, "", 2, "c")
		story(l, "noted", 1, 0, "", 0, "w")
	})
	if err := db.PutArrivals(t.Context(), "b", []schemas.LossArrival{{RunID: "noted", Attempt: 1, Rows: 1}}); err != nil {
		t.Fatal(err)
	}
	known, err := migrations(ddl.Migrations)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(known, func(m migration) bool { return strings.HasSuffix(m.name, "_arrivals_before") })
	for range 2 {
		runAgain(t, db, known[at])
	}
	if got := ask(t, db, "SELECT run_id, loss_rows, attempt, epoch FROM loss_arrivals FINAL ORDER BY run_id"); got != "('before',5,2,2)\n('noted',1,1,0)" {
		t.Errorf("arrivals %s", got)
	}
	// A run that went on during the update has lost count of what came before, which a rebuild counts, once.
	insertStory(t, db, "", func(l *schemas.Losses) { story(l, "noted", 1, 0, "", 1, "wc") })
	for range 2 {
		for _, run := range []string{"before", "noted", "none"} {
			if err := db.RebuildArrivals(t.Context(), run); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := ask(t, db, "SELECT run_id, sum(loss_rows), max(epoch) FROM loss_arrivals FINAL GROUP BY run_id ORDER BY run_id"); got != "('before',5,2)\n('noted',3,2)" {
		t.Errorf("arrivals after a rebuild %s", got)
	}
	if stale, err := db.StaleRuns(t.Context()); err != nil || !slices.Equal(stale, []string{"before", "noted"}) {
		t.Errorf("to be summed up: %v (%v)", stale, err)
	}
}

// TestRowsFromBeforeAreOld: rows that were there before the catalog noted when it writes them are never taken for new ones, and
// those that come after are, also when a migration that was cut short is run again.
func TestRowsFromBeforeAreOld(t *testing.T) {
	db, known, at := migratedBefore(t, "0005_written")
	put := func(n int) {
		t.Helper()
		if err := db.exec(t.Context(), "insert", fmt.Sprintf("INSERT INTO samples (dataset, sample_id, position) SELECT 'd', unhex('%s'), 1", sampleID(n))); err != nil {
			t.Fatal(err)
		}
	}
	put(1)
	if err := db.migrate(t.Context(), known); err != nil {
		t.Fatal(err)
	}
	put(2)
	const ages = "SELECT count(), countIf(written = 0), countIf(written > now64(3) - INTERVAL 1 HOUR) FROM samples"
	if got := ask(t, db, ages); got != "(2,1,1)" {
		t.Errorf("rows, old ones and new ones are %s, want (2,1,1)", got)
	}
	runAgain(t, db, known[at])
	put(3)
	if got := ask(t, db, ages); got != "(3,1,2)" {
		t.Errorf("after a second run rows, old ones and new ones are %s, want (3,1,2)", got)
	}
}

// TestSlicesFromBeforeStand: values that were discovered before discoveries were published count until the next one, also when the
// migration is run again.
func TestSlicesFromBeforeStand(t *testing.T) {
	db, known, at := migratedBefore(t, "0021_slice_discoveries")
	for n := range 2 {
		if err := db.exec(t.Context(), "insert", fmt.Sprintf("INSERT INTO discovered_slices (dataset, name, sample_id, value, at) SELECT 'd', 'look', unhex('%s'), 'look-%d', %d", sampleID(1), n, n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.migrate(t.Context(), known); err != nil {
		t.Fatal(err)
	}
	const values = "SELECT slices FROM discovered_latest"
	if got := ask(t, db, values); got != "({'look':'look-1'})" {
		t.Errorf("slices %s, want the value of before", got)
	}
	d, err := db.BeginDiscovery(t.Context(), "d", "look", Space{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.PutDiscovered(t.Context(), d, []Discovered{{SampleID: sampleID(2), Value: "night"}}); err != nil {
		t.Fatal(err)
	}
	if stands, err := db.PublishDiscovery(t.Context(), d); err != nil || !stands {
		t.Fatalf("stands %v, %v", stands, err)
	}
	runAgain(t, db, known[at])
	if got := ask(t, db, values); got != "({'look':'night'})" {
		t.Errorf("slices %s, want those of the discovery since", got)
	}
}

// migratedBefore opens a database that has been through the migrations before one, which is at known[at].
func migratedBefore(t *testing.T, name string) (db *DB, known []migration, at int) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Addrs, cfg.Database = []string{address}, "migrate_"+name
	db, err := Open(t.Context(), cfg, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if known, err = migrations(ddl.Migrations); err != nil {
		t.Fatal(err)
	}
	at = slices.IndexFunc(known, func(m migration) bool { return m.name == name })
	if err := db.migrate(t.Context(), known[:at]); err != nil {
		t.Fatal(err)
	}
	return db, known, at
}

// runAgain runs the statements of a migration as a process does that another has been faster than.
func runAgain(t *testing.T, db *DB, m migration) {
	t.Helper()
	for _, statement := range m.statements {
		if err := db.exec(t.Context(), "again", statement); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMigrateRefusals(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	one, two := file("-- a comment\nCREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = Memory;\n"), file("DROP TABLE IF EXISTS a")
	tests := []struct {
		name          string
		before, after fs.FS
		want          string
	}{
		{"newer", fstest.MapFS{"0001_a.sql": one, "0002_b.sql": two}, fstest.MapFS{"0001_a.sql": one}, "0002_b, which this binary does not know"},
		{"edited", fstest.MapFS{"0001_a.sql": one}, fstest.MapFS{"0001_a.sql": two}, "0001_a was applied to database"},
		{"one more", fstest.MapFS{"0001_a.sql": one}, fstest.MapFS{"0001_a.sql": one, "0002_b.sql": two}, ""},
		{"gap", fstest.MapFS{"0001_a.sql": one}, fstest.MapFS{"0001_a.sql": one, "0003_b.sql": two}, "0003_b.sql: want 0002_name.sql"},
		{"broken", fstest.MapFS{"0001_a.sql": one}, fstest.MapFS{"0001_a.sql": one, "0002_b.sql": file("NONSENSE")}, "migration 0002_b, statement 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.Addrs, cfg.Database = []string{address}, "migrate_"+strings.ReplaceAll(test.name, " ", "_")
			db, err := Open(t.Context(), cfg, logger(t))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			apply := func(files fs.FS) error {
				known, err := migrations(files)
				if err != nil {
					return err
				}
				return db.migrate(t.Context(), known)
			}
			if err := apply(test.before); err != nil {
				t.Fatal(err)
			}
			err = apply(test.after)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}
