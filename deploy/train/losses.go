package train

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"

	"gleaner/connectors/formats/lossfile"
	"gleaner/deploy/batch"
	"gleaner/schemas"
)

// Losses is where the losses of a training go. Rows of an attempt that a later one presents again are superseded by its rows.
type Losses interface {
	Write(ctx context.Context, rows *schemas.Losses) error
	// Flush makes all rows durable that were written, which a checkpoint rests on.
	Flush(ctx context.Context) error
	// End says that the run is over.
	End(ctx context.Context, run schemas.Run) error
	// Close lets go, after End or for the next attempt.
	Close(ctx context.Context) error
}

// Nowhere drops losses.
type Nowhere struct{}

func (Nowhere) Write(context.Context, *schemas.Losses) error { return nil }
func (Nowhere) Flush(context.Context) error                  { return nil }
func (Nowhere) End(context.Context, schemas.Run) error       { return nil }
func (Nowhere) Close(context.Context) error                  { return nil }

// Sink takes records; they are durable when Write returns nil.
type Sink interface {
	Write(ctx context.Context, records []schemas.Record) error
}

// Topic sends losses to the losses topic.
type Topic struct {
	Sink    Sink
	pending schemas.Losses // fewer than fill a message
}

// rowsTogether is how many rows are worth a message, unless a checkpoint waits for them.
const rowsTogether = 8192

// Write sends rows once there are enough.
func (t *Topic) Write(ctx context.Context, rows *schemas.Losses) error {
	t.pending.AppendTable(rows)
	if t.pending.Len() < rowsTogether {
		return nil
	}
	return t.Flush(ctx)
}

// Flush sends what there is.
func (t *Topic) Flush(ctx context.Context) error {
	if t.pending.Len() == 0 {
		return nil
	}
	records, err := schemas.LossRecords(t.pending.RunID[0], &t.pending)
	if err != nil {
		return err
	}
	t.pending = schemas.Losses{}
	return t.Sink.Write(ctx, records)
}

// End sends the rest and then the end of the run.
func (t *Topic) End(ctx context.Context, run schemas.Run) error {
	if err := t.Flush(ctx); err != nil {
		return err
	}
	end, err := schemas.RunFinishedRecord(run)
	if err != nil {
		return err
	}
	return t.Sink.Write(ctx, []schemas.Record{end})
}

// Close leaves the sink to whoever opened it.
func (t *Topic) Close(context.Context) error { return nil }

// File gathers the losses of a run in a spool beside a Parquet file, which is made at the end: a Parquet file cannot be gone on with.
// The spool is tables, each a message of the losses topic after its length, a big-endian uint32.
type File struct {
	path  string
	spool *os.File
	size  int64
}

// OpenFile opens the spool of a run, anew or with the losses of the steps before from; what it was killed in the midst of goes. Without
// these losses the run cannot be gone on with, unless it is over and the Parquet file is there, which then stays.
func OpenFile(path, runID string, from Start) (Losses, error) {
	if err := batch.Writable(path); err != nil {
		return nil, err
	}
	flags := os.O_RDWR
	if from.Fresh || from.Step == 0 {
		flags |= os.O_CREATE
	}
	spool, err := os.OpenFile(path+".part", flags, 0o644)
	if errors.Is(err, fs.ErrNotExist) && flags&os.O_CREATE == 0 {
		return made(path, runID, from)
	}
	if err != nil {
		return nil, err
	}
	f := &File{path: path, spool: spool}
	steps := 0
	if !from.Fresh {
		steps, err = f.find(runID)
	}
	if err == nil && steps < from.Step {
		l, err := made(path, runID, from)
		return l, errors.Join(err, spool.Close())
	}
	if err == nil {
		err = spool.Truncate(f.size)
	}
	if err != nil {
		return nil, errors.Join(err, spool.Close())
	}
	return f, nil
}

// made has the Parquet file of a run stay as it is, which must be over.
func made(path, runID string, from Start) (Losses, error) {
	if from.Over {
		for table, err := range lossfile.Read(context.Background(), path, lossfile.Defaults{}) {
			if err == nil && table.Len() > 0 && table.RunID[0] == runID {
				return Nowhere{}, nil
			}
			break
		}
	}
	return nil, fmt.Errorf("%s: the training would go on from step %d, and the losses of the steps before are not there: name the same --losses as before, or none if there was none, or --resume=false to begin anew", path, from.Step)
}

// find sets the size to that of the whole tables of a run, and returns how many steps these are of.
func (f *File) find(runID string) (steps int, err error) {
	info, err := f.spool.Stat()
	if err != nil {
		return 0, err
	}
	for value, err := range frames(f.spool, info.Size()) {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return steps, nil
		}
		var table schemas.Losses
		if err == nil {
			table, err = schemas.DecodeLosses(value)
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w; --resume=false begins anew", f.spool.Name(), err)
		}
		if table.Len() > 0 && table.RunID[0] != runID {
			return steps, nil
		}
		for _, step := range table.Step {
			steps = max(steps, int(step)+1)
		}
		f.size += int64(lengthBytes + len(value))
	}
	return steps, nil
}

// lengthBytes are those of the length before a table.
const lengthBytes = 4

// frames yields what follows each length in the first size bytes, and io.ErrUnexpectedEOF where the last is not whole. A length of zero
// is none: blocks that were never written read as zeros.
func frames(from io.ReaderAt, size int64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		r := bufio.NewReader(io.NewSectionReader(from, 0, size))
		for at := int64(0); at < size; {
			var length [lengthBytes]byte
			_, err := io.ReadFull(r, length[:])
			n := int64(binary.BigEndian.Uint32(length[:]))
			var value []byte
			if err == nil {
				value, err = io.ReadAll(io.LimitReader(r, n))
			}
			if errors.Is(err, io.EOF) || err == nil && (n == 0 || int64(len(value)) < n) {
				err = io.ErrUnexpectedEOF
			}
			if !yield(value, err) || err != nil {
				return
			}
			at += int64(len(length)) + n
		}
	}
}

// tables yields all that were written; not to find one is an error.
func (f *File) tables() iter.Seq2[schemas.Losses, error] {
	return func(yield func(schemas.Losses, error) bool) {
		for value, err := range frames(f.spool, f.size) {
			var table schemas.Losses
			if err == nil {
				table, err = schemas.DecodeLosses(value)
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", f.spool.Name(), err)
			}
			if !yield(table, err) {
				return
			}
		}
	}
}

// Write appends a table to the spool.
func (f *File) Write(_ context.Context, rows *schemas.Losses) error {
	records, err := schemas.LossRecords(rows.RunID[0], rows)
	if err != nil {
		return err
	}
	for _, r := range records {
		frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(r.Value))), r.Value...)
		if _, err := f.spool.WriteAt(frame, f.size); err != nil {
			return err
		}
		f.size += int64(len(frame))
	}
	return nil
}

// Flush waits for the disk.
func (f *File) Flush(context.Context) error { return f.spool.Sync() }

// End makes the Parquet file, without the rows that later attempts supersede, and removes the spool.
func (f *File) End(ctx context.Context, _ schemas.Run) error {
	began := map[uint32]uint64{} // the first step of each attempt
	for table, err := range f.tables() {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		for i, attempt := range table.Attempt {
			if first, ok := began[attempt]; !ok || table.Step[i] < first {
				began[attempt] = table.Step[i]
			}
		}
	}
	err := batch.Write(f.path, func(w io.Writer) error { return lossfile.Write(w, f.standing(began)) })
	if err != nil {
		return err
	}
	return os.Remove(f.spool.Name())
}

// standing yields the rows of each attempt from before any later one began.
func (f *File) standing(began map[uint32]uint64) iter.Seq2[schemas.Losses, error] {
	until := func(attempt uint32) uint64 {
		end := uint64(math.MaxUint64)
		for later, first := range began {
			if later > attempt {
				end = min(end, first)
			}
		}
		return end
	}
	return func(yield func(schemas.Losses, error) bool) {
		for table, err := range f.tables() {
			var kept schemas.Losses
			for i := range table.Len() {
				if table.Step[i] < until(table.Attempt[i]) {
					row := table.Slice(i, i+1)
					kept.AppendTable(&row)
				}
			}
			if !yield(kept, err) {
				return
			}
		}
	}
}

// Close leaves the spool for the next attempt.
func (f *File) Close(context.Context) error { return f.spool.Close() }
