// Package parquet writes tables of any columns as Apache Parquet (https://parquet.apache.org/docs/file-format/), row by row.
package parquet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// rowsPerGroup bounds the rows that are in memory at a time.
const rowsPerGroup = 1 << 16

// Column names a column and says of what Go type its values are: bool, an integer, a float, string, time.Time (to the microsecond,
// UTC), or a slice of such. Values of other types are written as JSON. Any value may be nil, which is null.
type Column struct {
	Name string
	Type reflect.Type
}

// Writer writes one file. It is for one goroutine.
type Writer struct {
	columns []Column
	records *array.RecordBuilder
	file    *pqarrow.FileWriter
	rows    int
}

// NewWriter begins a file, compressed by Zstandard. Nothing is whole before Close.
func NewWriter(w io.Writer, columns []Column) (*Writer, error) {
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.Name, Type: arrowType(c.Type), Nullable: true}
	}
	schema := arrow.NewSchema(fields, nil)
	file, err := pqarrow.NewFileWriter(schema, unclosed{w}, parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd)), pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, fmt.Errorf("parquet: %w", err)
	}
	return &Writer{columns: columns, records: array.NewRecordBuilder(memory.DefaultAllocator, schema), file: file}, nil
}

// unclosed hides Close: the library closes what it can, and the file is the caller's.
type unclosed struct{ io.Writer }

// Write adds a row, one value for each column.
func (w *Writer) Write(row []any) error {
	if len(row) != len(w.columns) {
		return fmt.Errorf("parquet: a row of %d values for %d columns", len(row), len(w.columns))
	}
	for i, v := range row {
		if err := put(w.records.Field(i), v); err != nil {
			return fmt.Errorf("parquet: column %s: %w", w.columns[i].Name, err)
		}
	}
	if w.rows++; w.rows%rowsPerGroup == 0 {
		return w.flush()
	}
	return nil
}

func (w *Writer) flush() error {
	record := w.records.NewRecord()
	defer record.Release()
	if err := w.file.Write(record); err != nil {
		return fmt.Errorf("parquet: %w", err)
	}
	return nil
}

// Rows is how many rows were written.
func (w *Writer) Rows() int { return w.rows }

// Close writes what is left and the footer.
func (w *Writer) Close() error {
	defer w.records.Release()
	var err error
	if w.rows%rowsPerGroup != 0 || w.rows == 0 {
		err = w.flush()
	}
	return errors.Join(err, w.file.Close())
}

var instant = reflect.TypeFor[time.Time]()

// arrowType is the type of a column whose values have a Go type.
func arrowType(t reflect.Type) arrow.DataType {
	switch t.Kind() {
	case reflect.Bool:
		return arrow.FixedWidthTypes.Boolean
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return arrow.PrimitiveTypes.Int64
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return arrow.PrimitiveTypes.Uint64
	case reflect.Float32:
		return arrow.PrimitiveTypes.Float32
	case reflect.Float64:
		return arrow.PrimitiveTypes.Float64
	case reflect.Slice:
		return arrow.ListOf(arrowType(t.Elem()))
	}
	if t == instant {
		return arrow.FixedWidthTypes.Timestamp_us
	}
	return arrow.BinaryTypes.String
}

// put appends a value to a column's builder.
func put(b array.Builder, value any) error {
	if value == nil {
		b.AppendNull()
		return nil
	}
	v := reflect.ValueOf(value)
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(v.Bool())
	case *array.Int64Builder:
		b.Append(v.Int())
	case *array.Uint64Builder:
		b.Append(v.Uint())
	case *array.Float32Builder:
		b.Append(float32(v.Float()))
	case *array.Float64Builder:
		b.Append(v.Float())
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(value.(time.Time).UnixMicro()))
	case *array.ListBuilder:
		b.Append(true)
		for i := range v.Len() {
			if err := put(b.ValueBuilder(), v.Index(i).Interface()); err != nil {
				return err
			}
		}
	case *array.StringBuilder:
		if v.Kind() == reflect.String {
			b.Append(v.String())
			return nil
		}
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		b.Append(string(text))
	default:
		return fmt.Errorf("%T cannot be written", value)
	}
	return nil
}
