package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gleaner/connectors/clickhouse"
	"gleaner/connectors/formats/parquet"
	"gleaner/deploy/batch"
	"gleaner/deploy/query"
	"gleaner/deploy/wire"
)

func (a *app) queryCommand() *cobra.Command {
	var list, show bool
	given := map[string]string{}
	var file, out string
	c := &cobra.Command{
		Use: "query [NAME]", Short: "Ask ClickHouse: ready queries about runs, scores and decisions, or your own",
		Long: `Run a ready query, or one from a file, on the database. It can only read. The answer is a table, JSON lines with --json, or with
--out a file of Parquet.

Parameters are ClickHouse's, {name:Type} in the SQL; --param gives their values. What people look at are the views: sample_latest,
label_latest, correction_latest, judgment_all, loss_latest, scores, forgetting and decision_latest; their comments say what they hold.`,
		Example: `  gleaner query --list
  gleaner query classes --param run=run7
  gleaner query map --param run=run7 --param top=20000 --out map.parquet
  gleaner query --sql ask.sql --param day=2026-11-27 --json
  gleaner query doubtful --show`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			w := c.OutOrStdout()
			if list {
				return a.listQueries(w)
			}
			if (len(args) == 1) == (file != "") {
				return usageError{errors.New("query: name a ready query (--list has them), or a file by --sql")}
			}
			var q query.Query
			params := given
			if file != "" {
				text, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				q = query.Query{Name: file, SQL: string(text)}
			} else {
				var err error
				if q, err = query.Find(args[0]); err != nil {
					return usageError{err}
				}
				if show {
					_, err := io.WriteString(w, q.SQL)
					return err
				}
				if params, err = q.Bind(given); err != nil {
					return usageError{err}
				}
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				if out != "" {
					return writeParquet(ctx, conn.DB, q.SQL, params, out)
				}
				var err error
				if a.asJSON {
					err = printLines(ctx, conn.DB, q.SQL, params, w)
				} else {
					err = printTable(ctx, conn.DB, q.SQL, params, w)
				}
				if err != nil {
					return fmt.Errorf("query %s: %w", q.Name, err)
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&list, "list", false, "list the ready queries and their parameters")
	c.Flags().BoolVar(&show, "show", false, "print the SQL of a ready query instead of running it")
	c.Flags().Var(pairs(given), "param", "value of a parameter; may be repeated")
	c.Flags().StringVar(&file, "sql", "", "file with a query of your own")
	c.Flags().StringVarP(&out, "out", "o", "", "write the answer to this file of Parquet, which appears when it is whole")
	c.MarkFlagsMutuallyExclusive("list", "show", "out")
	c.MarkFlagsMutuallyExclusive("list", "show", "sql")
	a.jsonFlag(c)
	return c
}

func (a *app) listQueries(w io.Writer) error {
	all, err := query.All()
	if err != nil {
		return err
	}
	if a.asJSON {
		return printJSON(w, all)
	}
	for _, q := range all {
		fmt.Fprintf(w, "%s: %s\n", q.Name, q.About)
		for _, p := range q.Params {
			if p.Default != "" {
				fmt.Fprintf(w, "    --param %s=%s  %s (the default)\n", p.Name, p.Default, p.About)
			} else {
				fmt.Fprintf(w, "    --param %s=…  %s\n", p.Name, p.About)
			}
		}
	}
	return nil
}

// printTable prints an answer for people, in columns as wide as the first thousand rows need.
func printTable(ctx context.Context, db *clickhouse.DB, sql string, params map[string]string, w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	rows := 0
	err := db.Query(ctx, sql, params, func(columns []clickhouse.Column) error {
		for _, c := range columns {
			fmt.Fprintf(t, "%s\t", c.Name)
		}
		fmt.Fprintln(t)
		return nil
	}, func(row []any) error {
		for _, v := range row {
			fmt.Fprintf(t, "%s\t", cell(v))
		}
		fmt.Fprintln(t)
		if rows++; rows%1000 == 0 {
			return t.Flush()
		}
		return nil
	})
	return errors.Join(err, t.Flush())
}

// cell writes a value for people.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case float32:
		return fmt.Sprintf("%.4g", v)
	case float64:
		return fmt.Sprintf("%.4g", v)
	case time.Time:
		if v.Unix() == 0 {
			return "-"
		}
		return moment(v)
	}
	return strings.ReplaceAll(fmt.Sprint(v), "\n", " ")
}

// printLines prints an answer for machines, an object of JSON a line. Numbers that JSON does not have are null.
func printLines(ctx context.Context, db *clickhouse.DB, sql string, params map[string]string, w io.Writer) error {
	var names []string
	e := json.NewEncoder(w)
	return db.Query(ctx, sql, params, func(columns []clickhouse.Column) error {
		for _, c := range columns {
			names = append(names, c.Name)
		}
		return nil
	}, func(row []any) error {
		object := make(map[string]any, len(row))
		for i, v := range row {
			if f := reflect.ValueOf(v); f.IsValid() && f.CanFloat() && (math.IsNaN(f.Float()) || math.IsInf(f.Float(), 0)) {
				v = nil
			}
			object[names[i]] = v
		}
		return e.Encode(object)
	})
}

// writeParquet writes an answer to a file, which appears when it is whole.
func writeParquet(ctx context.Context, db *clickhouse.DB, sql string, params map[string]string, out string) error {
	if ext := filepath.Ext(out); ext != ".parquet" {
		return usageError{fmt.Errorf("--out %s: the file is one of Parquet: want a name that ends in .parquet", out)}
	}
	b := bar(-1, "rows")
	rows := 0
	err := batch.Write(out, func(w io.Writer) error {
		var p *parquet.Writer
		err := db.Query(ctx, sql, params, func(columns []clickhouse.Column) (err error) {
			list := make([]parquet.Column, len(columns))
			for i, c := range columns {
				list[i] = parquet.Column{Name: c.Name, Type: c.Go}
			}
			p, err = parquet.NewWriter(w, list)
			return err
		}, func(row []any) error {
			b.Add(1)
			return p.Write(row)
		})
		if p != nil {
			rows = p.Rows()
			err = errors.Join(err, p.Close())
		}
		return err
	})
	b.End()
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "wrote %d rows to %s\n", rows, out)
	return nil
}
