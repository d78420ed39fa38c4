package parquet

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// TestWritten reads back what was written, of every type and over several row groups.
func TestWritten(t *testing.T) {
	row := func(i int) []any {
		return []any{
			i%2 == 0, int8(-i % 100), uint32(i), float32(i) / 2, float64(i) / 4, fmt.Sprint("s", i), time.UnixMicro(int64(i)).UTC(),
			[]string{"a", fmt.Sprint(i)},
			[]uint32{uint32(i)},
			map[string]string{"k": fmt.Sprint(i)},
		}
	}
	var columns []Column
	for i, v := range row(0) {
		columns = append(columns, Column{fmt.Sprint("c", i), reflect.TypeOf(v)})
	}
	for _, n := range []int{0, 1, rowsPerGroup, rowsPerGroup + 3} {
		var b bytes.Buffer
		w, err := NewWriter(&b, columns)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			r := row(i)
			if i == 2 {
				r = make([]any, len(r)) // nulls
			}
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := file.NewParquetReader(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		a, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		table, err := a.ReadTable(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if table.NumRows() != int64(n) || int(table.NumCols()) != len(columns) || w.Rows() != n {
			t.Fatalf("%d rows and %d columns, want %d and %d", table.NumRows(), table.NumCols(), n, len(columns))
		}
		if n < 2 {
			continue
		}
		var got []string
		for i := range columns {
			c := table.Column(i).Data().Chunk(0)
			got = append(got, c.ValueStr(1))
			if !c.IsNull(2) {
				t.Errorf("column %d: %s, want null", i, c.ValueStr(2))
			}
		}
		want := []string{"false", "-1", "1", "0.5", "0.25", "s1", "1970-01-01 00:00:00.000001Z", `["a","1"]`, "[1]", `{"k":"1"}`}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRowOfAnotherLength(t *testing.T) {
	w, err := NewWriter(&bytes.Buffer{}, []Column{{"a", reflect.TypeFor[string]()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write([]any{"a", "b"}); err == nil {
		t.Error("it is written")
	}
}
