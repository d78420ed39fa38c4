// Package clickhouse holds the ClickHouse schema as forward-only migrations.
//
// A file NNNN_name.sql is applied once, in order, by connectors/clickhouse, and never edited after a release: a change is a
// new file. Statements end with a semicolon at the end of a line, and each may be repeated without harm (IF NOT EXISTS, OR
// REPLACE, IF EXISTS), since two processes may start at once and one may die halfway.
//
// Tables fold doubled rows by their sorting key. They are partitioned by a function of that key or not at all, never by
// arrival, so rows that replace each other always meet.
package clickhouse

import "embed"

// Migrations are the files, in one folder.
//
//go:embed *.sql
var Migrations embed.FS
