package train

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
	write := func(from Start, run string, tables ...*schemas.Losses) *File {
		t.Helper()
		l, err := OpenFile(path, run, from)
		if err != nil {
			t.Fatal(err)
		}
		f := l.(*File)
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
	stop(write(Start{Fresh: true}, "other", rows("other", 1, 0, 5)))
	f := write(Start{}, "r", rows("r", 1, 0, 10), rows("r", 1, 10, 20), rows("r", 1, 20, 30))
	if err := f.spool.Truncate(f.size - 7); err != nil { // as a kill leaves it
		t.Fatal(err)
	}
	stop(f)
	stop(write(Start{Step: 15}, "r", rows("r", 2, 15, 20), rows("r", 2, 20, 28)))
	f = write(Start{Step: 25}, "r", rows("r", 3, 25, 40))
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
	if _, err := OpenFile(t.TempDir(), "r", Start{Fresh: true}); err == nil {
		t.Error("a folder was opened as a file")
	}
}

// TestFileKeeps wants no row lost where the spool cannot be read: the error is told, and the spool stays.
func TestFileKeeps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "losses.parquet")
	l, err := OpenFile(path, "r", Start{Fresh: true})
	if err != nil {
		t.Fatal(err)
	}
	f := l.(*File)
	size := int64(0) // of the first table
	for i := range 3 {
		if err := f.Write(t.Context(), rows("r", 1, 10*i, 10*i+10)); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			size = f.size
		}
	}
	spool, err := os.ReadFile(path + ".part")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, err := range frames(failing(spool[:size+9]), f.size) {
		if count++; count == 2 && !errors.Is(err, errDisk) {
			t.Errorf("%v, want that the disk failed", err)
		}
	}
	if err := f.spool.Truncate(f.size - 7); err != nil {
		t.Fatal(err)
	}
	if err := f.End(t.Context(), schemas.Run{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v, want that the spool is cut off", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file of some of the rows: %v", err)
	}
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	copy(spool[size+lengthBytes:], "damaged")
	if err := os.WriteFile(path+".part", spool, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path, "r", Start{Step: 20}); err == nil || !strings.Contains(err.Error(), "--resume=false") {
		t.Errorf("%v, want that the spool is damaged", err)
	}
	if got, err := os.ReadFile(path + ".part"); err != nil || !bytes.Equal(got, spool) {
		t.Errorf("the damaged spool has %d of %d bytes, %v", len(got), len(spool), err)
	}
}

// TestFileGoesOn wants a training that goes on refused where losses of the steps before are missing, with all files as they were, and the
// Parquet file of a run that is over kept.
func TestFileGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "losses.parquet")
	refused := func(what string, from Start) {
		t.Helper()
		before, _ := os.ReadFile(path + ".part")
		if _, err := OpenFile(path, "r", from); err == nil || !strings.Contains(err.Error(), "name the same --losses") || !strings.Contains(err.Error(), "--resume=false") {
			t.Errorf("%s: %v, want it refused", what, err)
		}
		if after, err := os.ReadFile(path + ".part"); !bytes.Equal(before, after) || before == nil != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the spool changed", what)
		}
	}
	refused("no spool", Start{Step: 10})
	refused("no spool and no file", Start{Step: 30, Over: true})
	for _, run := range []string{"other", "r"} {
		l, err := OpenFile(path, run, Start{Fresh: true})
		if err == nil {
			err = errors.Join(l.Write(t.Context(), rows(run, 1, 0, 30)), l.Flush(t.Context()))
		}
		if err != nil {
			t.Fatal(err)
		}
		if run == "other" {
			refused("the spool of another run", Start{Step: 30})
		}
		refused("a spool of fewer steps", Start{Step: 31})
		if err := errors.Join(l.End(t.Context(), schemas.Run{}), l.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		if run == "other" {
			refused("the file of another run", Start{Step: 30, Over: true})
		}
	}
	refused("a file, and steps to go", Start{Step: 30})
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l, err := OpenFile(path, "r", Start{Step: 30, Over: true})
	if err == nil {
		err = errors.Join(l.Flush(t.Context()), l.End(t.Context(), schemas.Run{}), l.Close(t.Context()))
	}
	if after, read := os.ReadFile(path); err != nil || read != nil || !bytes.Equal(before, after) {
		t.Errorf("the file of a run that is over: %v, %v, %d of %d bytes", err, read, len(after), len(before))
	}
}

var errDisk = errors.New("the disk failed")

// failing reads so many bytes, and then the disk fails.
type failing []byte

func (b failing) ReadAt(p []byte, at int64) (int, error) {
	if at >= int64(len(b)) {
		return 0, errDisk
	}
	return copy(p, b[at:]), nil
}
