package train

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"gleaner/connectors/formats/lossfile"
	"gleaner/schemas"
)

// rows are those of some steps of an attempt, one a step.
func rows(run string, attempt uint32, from, to int) *schemas.Losses {
	var l schemas.Losses
	for step := from; step < to; step++ {
		l.Append(schemas.LossRow{RunID: run, Attempt: attempt, Dataset: "d", SampleID: schemas.SampleID{byte(step)}, Step: uint64(step), Loss: float32(attempt)})
	}
	return &l
}

// TestFile goes on with a spool that was cut off within a table, twice, and wants each step once, of the attempt that counts.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "losses.parquet")
	write := func(fresh bool, run string, tables ...*schemas.Losses) *File {
		t.Helper()
		f, err := OpenFile(path, run, fresh)
		for _, l := range tables {
			err = errors.Join(err, f.Write(t.Context(), l))
		}
		if err = errors.Join(err, f.Flush(t.Context())); err != nil {
			t.Fatal(err)
		}
		return f
	}
	stop := func(f *File) {
		t.Helper()
		if err := f.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop(write(true, "other", rows("other", 1, 0, 5)))
	f := write(false, "r", rows("r", 1, 0, 10), rows("r", 1, 10, 20), rows("r", 1, 20, 30))
	if err := f.spool.Truncate(f.size - 7); err != nil { // as a kill leaves it
		t.Fatal(err)
	}
	stop(f)
	stop(write(false, "r", rows("r", 2, 15, 20), rows("r", 2, 20, 28)))
	f = write(false, "r", rows("r", 3, 25, 40))
	if err := errors.Join(f.End(t.Context(), schemas.Run{}), f.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	var got schemas.Losses
	for table, err := range lossfile.Read(t.Context(), path, lossfile.Defaults{}) {
		if err != nil {
			t.Fatal(err)
		}
		got.AppendTable(&table)
	}
	if got.Len() != 40 {
		t.Fatalf("%d rows", got.Len())
	}
	for step := range 40 {
		want := uint32(1)
		if step >= 15 {
			want = 2
		}
		if step >= 25 {
			want = 3
		}
		if got.RunID[step] != "r" || got.Step[step] != uint64(step) || got.Attempt[step] != want {
			t.Errorf("row %d is step %d of attempt %d of run %s", step, got.Step[step], got.Attempt[step], got.RunID[step])
		}
	}
	if _, err := os.Stat(path + ".part"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the spool: %v", err)
	}
	if _, err := OpenFile(t.TempDir(), "r", true); err == nil {
		t.Error("a folder was opened as a file")
	}
}
