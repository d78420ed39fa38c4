package clickhouse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	ddl "gleaner/schemas/clickhouse"
)

// migration is one file of schemas/clickhouse.
type migration struct {
	version    uint32
	name       string
	sha256     string // hex, of the file
	statements []string
}

// Migrate brings the database to this binary's schema, one migration after the other, and records each. It refuses a database
// whose record differs from this binary's files, or that a newer binary has migrated. Then it sees to Config.Losses. Before all that it
// refuses a user who may not see what others insert.
//
// Two processes may migrate at once without a lock, which ClickHouse does not offer: every statement of a migration may be
// repeated (IF NOT EXISTS, OR REPLACE), so both run the same statements to the same end, and their records fold into one. The
// same holds for a process that dies halfway.
func (db *DB) Migrate(ctx context.Context) error {
	known, err := migrations(ddl.Migrations)
	if err != nil {
		return err
	}
	if err := db.seesInserts(ctx); err != nil {
		return err
	}
	if err := db.migrate(ctx, known); err != nil {
		return err
	}
	return db.storeLosses(ctx)
}

// seesInserts fails where the user may not read system.processes, of which folds and erasures learn what inserts go on. It shows the
// queries of all users to whoever may read it.
func (db *DB) seesInserts(ctx context.Context) error {
	_, err := db.count(ctx, "SELECT count() FROM system.processes WHERE false")
	return withGrant(err, db.cfg.Username)
}

// withGrant says what the user lacks where that is why the server refused to show what goes on. Of another right that is missing the
// server's own words say which.
func withGrant(err error, user string) error {
	if code, ok := exception(err); ok && code == accessDenied && strings.Contains(err.Error(), "system.processes") {
		return fmt.Errorf("user %[1]s may not see which inserts go on, for which folds of losses and erasures wait: GRANT SELECT ON system.processes TO %[1]s: %[2]w", user, err)
	}
	return err
}

func (db *DB) migrate(ctx context.Context, known []migration) error {
	if err := db.exec(ctx, "create the table of migrations", `CREATE TABLE IF NOT EXISTS migrations
(
    version UInt32,
    name String,
    sha256 String COMMENT 'hex digest of the file',
    applied DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree ORDER BY (version, sha256)
COMMENT 'The schema migrations that this database has been through'`); err != nil {
		return err
	}
	applied, err := db.applied(ctx)
	if err != nil {
		return err
	}
	if err := compatible(db.cfg.Database, known, applied); err != nil {
		return err
	}
	for _, m := range known[len(applied):] {
		for i, statement := range m.statements {
			if err := db.exec(ctx, fmt.Sprintf("migration %s, statement %d", m.name, i+1), statement); err != nil {
				return err
			}
		}
		if err := db.insert(ctx, "migrations", "", []column{
			{"version", []uint32{m.version}}, {"name", []string{m.name}}, {"sha256", []string{m.sha256}},
		}); err != nil {
			return err
		}
		db.log.Info("clickhouse schema migrated", "database", db.cfg.Database, "migration", m.name)
	}
	return nil
}

// applied reads the recorded migrations in order.
func (db *DB) applied(ctx context.Context) ([]migration, error) {
	var out []migration
	err := db.rows(ctx, "read the migrations", func() { out = nil }, func(rows driver.Rows) error {
		var m migration
		err := rows.Scan(&m.version, &m.name, &m.sha256)
		out = append(out, m)
		return err
	}, "SELECT version, name, sha256 FROM migrations FINAL ORDER BY version, sha256")
	return out, err
}

// compatible refuses a record that is not a prefix of the known migrations.
func compatible(database string, known, applied []migration) error {
	for i, a := range applied {
		switch {
		case i >= len(known):
			return fmt.Errorf("clickhouse: database %s has been through migration %s, which this binary does not know: use the newer binary that made it", database, a.name)
		case a.version != known[i].version:
			return fmt.Errorf("clickhouse: database %s has been through migration %s where this binary has %s: another line of versions made it", database, a.name, known[i].name)
		case a.sha256 != known[i].sha256:
			return fmt.Errorf("clickhouse: migration %s was applied to database %s with other contents (digest %.12s, here %.12s): a released migration must not be edited, add a new one",
				a.name, database, a.sha256, known[i].sha256)
		}
	}
	return nil
}

// migrations reads the files NNNN_name.sql, which must be numbered from 1 without a gap.
func migrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	out := make([]migration, 0, len(names))
	for i, name := range names {
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.ParseUint(number, 10, 32)
		if err != nil || version != uint64(i+1) {
			return nil, fmt.Errorf("clickhouse: migration file %s: want %04d_name.sql next", name, i+1)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		out = append(out, migration{
			version: uint32(version), name: strings.TrimSuffix(path.Base(name), ".sql"),
			sha256: hex.EncodeToString(sum[:]), statements: statements(string(text)),
		})
	}
	return out, nil
}

// statements splits a file at the semicolons that end a line and drops lines of comment.
func statements(text string) []string {
	var out []string
	var current strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "--") {
			continue
		}
		body, ends := strings.CutSuffix(strings.TrimRight(line, " \t\r\n"), ";")
		current.WriteString(body)
		current.WriteByte('\n')
		if ends {
			out = append(out, strings.TrimSpace(current.String()))
			current.Reset()
		}
	}
	if rest := strings.TrimSpace(current.String()); rest != "" {
		out = append(out, rest)
	}
	return out
}
