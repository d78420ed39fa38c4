package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	ch "github.com/ClickHouse/clickhouse-go/v2"
)

// Column is one column of a query's answer.
type Column struct {
	Name string
	Type string       // ClickHouse's name of it
	Go   reflect.Type // of its values; those of a Nullable column may be nil
}

// Query runs a query that reads, for as long as it takes, with values for its parameters ({name:Type}): the server refuses
// whatever would change data. begin gets the columns before row gets each row, whose values it may keep but not the slice. Rows
// stream; neither the answer nor a part of it is asked for again when the connection fails.
func (db *DB) Query(ctx context.Context, query string, params map[string]string, begin func([]Column) error, row func([]any) error) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // Close would read the rest of the answer otherwise
	// 2: reading alone, but settings may be changed, as the client's own are.
	rows, err := db.conn.Query(ch.Context(ctx, ch.WithParameters(params), ch.WithSettings(ch.Settings{"readonly": 2})), query)
	if err != nil {
		return fmt.Errorf("clickhouse: %w", err)
	}
	defer func() {
		cancel()
		if closed := rows.Close(); err == nil && !errors.Is(closed, context.Canceled) {
			err = closed
		}
	}()
	types := rows.ColumnTypes()
	columns, into, values := make([]Column, len(types)), make([]any, len(types)), make([]any, len(types))
	for i, t := range types {
		columns[i] = Column{t.Name(), t.DatabaseTypeName(), t.ScanType()}
		if t.Nullable() && columns[i].Go.Kind() == reflect.Pointer {
			columns[i].Go = columns[i].Go.Elem()
		}
		into[i] = reflect.New(t.ScanType()).Interface()
	}
	if err := begin(columns); err != nil {
		return err
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("clickhouse: %w", err)
		}
		for i, p := range into {
			v := reflect.ValueOf(p).Elem()
			values[i] = nil
			if v.Kind() != reflect.Pointer {
				values[i] = v.Interface()
			} else if !v.IsNil() {
				values[i] = v.Elem().Interface()
			}
			v.SetZero() // the next row gets slices and pointers of its own
		}
		if err := row(values); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("clickhouse: %w", err)
	}
	return nil
}
