package lossfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"gleaner/schemas"
)

const text = `run_id,dataset,unique_id,epoch,loss,correct,margin
r1,d,a.jpg,0,2.5,false,-1
r1,d,b.jpg,0,0.25,true,3.5
r1,d,a.jpg,1,0.75,true,
`

func collect(t *testing.T, path string, d Defaults) (schemas.Losses, error) {
	t.Helper()
	var all schemas.Losses
	for table, err := range Read(t.Context(), path, d) {
		if err != nil {
			return all, err
		}
		all.AppendTable(&table)
	}
	return all, nil
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func record(t *testing.T) arrow.Record {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "unique_id", Type: arrow.BinaryTypes.String},
		{Name: "epoch", Type: arrow.PrimitiveTypes.Int32},
		{Name: "loss", Type: arrow.PrimitiveTypes.Float64},
		{Name: "correct", Type: arrow.PrimitiveTypes.Uint8},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b.Field(0).(*array.StringBuilder).AppendValues([]string{"a.jpg", "b.jpg"}, nil)
	b.Field(1).(*array.Int32Builder).AppendValues([]int32{0, 3}, nil)
	b.Field(2).(*array.Float64Builder).AppendValues([]float64{1.5, 0.5}, nil)
	b.Field(3).(*array.Uint8Builder).AppendValues([]uint8{0, 1}, nil)
	return b.NewRecord()
}

func TestCSV(t *testing.T) {
	var ignored []string
	hear := func(_ string, columns []string) { ignored = append(ignored, columns...) }
	l, err := collect(t, write(t, "x.csv", text), Defaults{Model: "m", Ignored: hear})
	if err != nil || len(ignored) > 0 {
		t.Fatalf("%v; ignored %v", err, ignored)
	}
	_, err = collect(t, write(t, "y.csv", strings.Replace(text, "margin", "marign", 1)), Defaults{Ignored: hear})
	if err != nil || len(ignored) != 1 || ignored[0] != "marign" {
		t.Errorf("%v; ignored %v, want the misspelled column", err, ignored)
	}
	if l.Len() != 3 || l.RunID[0] != "r1" || l.Model[0] != "m" || l.Epoch[2] != 1 || l.Loss[0] != 2.5 || !l.Correct[1] || l.Margin[0] != -1 || l.Attempt[0] != 1 {
		t.Errorf("got %+v", l)
	}
	if want := schemas.NewSampleID("d", "a.jpg", schemas.Hash{}); l.SampleID[0] != want || l.SampleID[2] != want || l.SampleID[1] == want {
		t.Errorf("sample ids %v", l.SampleID)
	}
}

func TestArrowAndParquet(t *testing.T) {
	rec := record(t)
	dir := t.TempDir()
	create := func(name string) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f := create("file.arrow")
	fw, err := ipc.NewFileWriter(f, ipc.WithSchema(rec.Schema()))
	check(err)
	check(fw.Write(rec))
	check(fw.Close())
	check(f.Close())
	f = create("stream.arrow")
	sw := ipc.NewWriter(f, ipc.WithSchema(rec.Schema()))
	check(sw.Write(rec))
	check(sw.Close())
	check(f.Close())
	f = create("file.parquet")
	pw, err := pqarrow.NewFileWriter(rec.Schema(), f, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	check(err)
	check(pw.Write(rec))
	check(pw.Close()) // closes the file too

	for _, name := range []string{"file.arrow", "stream.arrow", "file.parquet"} {
		l, err := collect(t, filepath.Join(dir, name), Defaults{RunID: "r", Dataset: "d"})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if l.Len() != 2 || l.Epoch[1] != 3 || l.Loss[0] != 1.5 || l.Correct[0] || !l.Correct[1] || l.RunID[1] != "r" {
			t.Errorf("%s: got %+v", name, l)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"x.txt", "", `extension ".txt"`},
		{"x.parquet", "nonsense that is long enough", "not Parquet"},
		{"x.arrow", "ARROW1 and nonsense that is long enough", "rrow"},
		{"x.csv", "epoch,unique_id\n1,a\n", "column loss is missing; there are epoch, unique_id"},
		{"x.csv", "hello", "column epoch is missing; there are hello"},
		{"x.csv", "epoch,loss\n1,2\n", "neither sample_id nor unique_id"},
		{"x.csv", "epoch,loss,sample_id\n1,2,zz\n", `row 1: sample id "zz"`},
		{"x.csv", "epoch,loss,unique_id\n1,2,a\n", "row 1: neither the file nor a flag"},
		{"x.csv", strings.Replace(text, "b.jpg,0", "b.jpg,-7", 1), `row 2: epoch is "-7"`},
		{"x.csv", strings.Replace(text, "0.25", "", 1), "row 2: loss is missing"}, // no loss is not a loss of zero
		{"x.csv", "epoch,loss,unique_id\n4294967297,2,a\n", `row 1: epoch is "4294967297"`},
		{"x.csv", strings.Replace(text, "0.75,true", "0.75,2", 1), `row 3: correct is "2"`},
	} {
		if _, err := collect(t, write(t, c.name, c.content), Defaults{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: error %v, want it to say %q", c.name, c.content, err, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(text), 0)
	f.Add([]byte("PAR1"), 1)
	f.Add([]byte("ARROW1"), 2)
	f.Fuzz(func(t *testing.T, data []byte, kind int) {
		name := []string{"x.csv", "x.parquet", "x.arrow"}[((kind%3)+3)%3]
		l, err := collect(t, write(t, name, string(data)), Defaults{RunID: "r", Dataset: "d"})
		if err == nil && l.Len() != len(l.Forgot) {
			t.Fatalf("columns of unequal length: %+v", l)
		}
	})
}
