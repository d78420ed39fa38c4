// Package lossfile reads tables of losses that people have already, and of the scores that a run's losses came to: Parquet, Arrow (file
// or stream) or CSV with a header. Columns of losses go by the names of schemas.Losses in snake case (run_id, epoch, loss, …), those of
// scores by the names of the view scores; they may have any numeric or text type that can hold the value.
package lossfile

import (
	"bufio"
	"bytes"
	"context"
	stdcsv "encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/csv"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"gleaner/schemas"
)

// Defaults fill the columns that a file lacks.
type Defaults struct {
	RunID   string
	Model   string
	Dataset string
	Ignored func(path string, columns []string) // is told which columns of a file mean nothing here; may be nil
}

const rowsPerBatch = 64 << 10

// exact is up to where numeric holds every whole number.
const exact = 1 << 53

// Read yields the file's rows, table by table. The file must have the columns epoch and loss, and either sample_id (32 hex
// digits) or unique_id (the producer's own id, in the dataset of the row). The sequence ends at its first error, which
// names the column and the row.
func Read(ctx context.Context, path string, defaults Defaults) iter.Seq2[schemas.Losses, error] {
	return func(yield func(schemas.Losses, error) bool) {
		err := read(ctx, path, checkColumns, func(rec arrow.Record, row int) (bool, error) {
			if unknown := unknownColumns(names(rec.Schema())); row == 0 && len(unknown) > 0 && defaults.Ignored != nil {
				defaults.Ignored(path, unknown)
			}
			table, err := convert(rec, defaults, row)
			return err == nil && yield(table, nil), err
		})
		if err != nil {
			yield(schemas.Losses{}, fmt.Errorf("losses of %s: %w", path, err))
		}
	}
}

// reader is what the three formats have in common.
type reader interface {
	Schema() *arrow.Schema
	Next() bool
	Record() arrow.Record
	Err() error
	Release()
}

// read gives the file's batches to take, each with the number of rows before it, until it says no or fails. check is asked about the
// columns first.
func read(ctx context.Context, path string, check func(columns []string) error, take func(rec arrow.Record, row int) (more bool, err error)) (err error) {
	defer func() { // the libraries panic on some corrupt files
		if p := recover(); p != nil {
			err = fmt.Errorf("the file is corrupt: %v", p)
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := open(ctx, f)
	if err != nil {
		return err
	}
	defer r.Release()
	if err := check(names(r.Schema())); err != nil {
		return err
	}
	row := 0
	for r.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if more, err := take(r.Record(), row); err != nil || !more {
			return err
		}
		row += int(r.Record().NumRows())
	}
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func open(ctx context.Context, f *os.File) (reader, error) {
	switch ext := strings.ToLower(filepath.Ext(f.Name())); ext {
	case ".parquet":
		p, err := file.NewParquetReader(f)
		if err != nil {
			return nil, fmt.Errorf("not Parquet: %w", err)
		}
		a, err := pqarrow.NewFileReader(p, pqarrow.ArrowReadProperties{BatchSize: rowsPerBatch}, memory.DefaultAllocator)
		if err != nil {
			return nil, err
		}
		return a.GetRecordReader(ctx, nil, nil)
	case ".arrow", ".feather", ".ipc":
		magic := make([]byte, 6)
		if _, err := io.ReadFull(f, magic); err != nil {
			return nil, fmt.Errorf("not Arrow: %w", err)
		}
		if bytes.Equal(magic, []byte("ARROW1")) {
			a, err := ipc.NewFileReader(f)
			if err != nil {
				return nil, fmt.Errorf("not an Arrow file: %w", err)
			}
			return &fileRecords{file: a}, nil
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		return ipc.NewReader(bufio.NewReader(f))
	case ".csv":
		return openCSV(f)
	default:
		return nil, fmt.Errorf("extension %q: want .parquet, .arrow, .feather, .ipc or .csv", ext)
	}
}

// openCSV reads every column as text: a type guessed from the first row may not fit the next.
func openCSV(f *os.File) (reader, error) {
	header, err := stdcsv.NewReader(bufio.NewReader(f)).Read()
	if err != nil {
		return nil, fmt.Errorf("no CSV header: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	fields := make([]arrow.Field, len(header))
	for i, name := range header {
		fields[i] = arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true}
	}
	return csv.NewReader(f, arrow.NewSchema(fields, nil), csv.WithHeader(true), csv.WithChunk(rowsPerBatch), csv.WithNullReader(true, "", "NULL", "null")), nil
}

// fileRecords reads an Arrow file in the manner of a stream.
type fileRecords struct {
	file *ipc.FileReader
	next int
	rec  arrow.Record
	err  error
}

func (r *fileRecords) Schema() *arrow.Schema { return r.file.Schema() }

func (r *fileRecords) Next() bool {
	if r.err != nil || r.next >= r.file.NumRecords() {
		return false
	}
	r.rec, r.err = r.file.Record(r.next)
	r.next++
	return r.err == nil
}

func (r *fileRecords) Record() arrow.Record { return r.rec }
func (r *fileRecords) Err() error           { return r.err }
func (r *fileRecords) Release()             { _ = r.file.Close() }

// columnNames are all that Read looks at.
var columnNames = []string{
	"run_id", "attempt", "model", "dataset", "sample_id", "unique_id", "object_id", "epoch", "step", "loss", "correct", "margin", "p_true", "el2n",
	"emb_norm", "forgot", "lineage",
}

// checkColumns refuses a table without the columns that it must have.
func checkColumns(names []string) error {
	for _, name := range []string{"epoch", "loss"} {
		if !slices.Contains(names, name) {
			return fmt.Errorf("the column %s is missing; there are %s", name, strings.Join(names, ", "))
		}
	}
	if !slices.Contains(names, "sample_id") && !slices.Contains(names, "unique_id") {
		return fmt.Errorf("neither sample_id nor unique_id is a column; there are %s", strings.Join(names, ", "))
	}
	return nil
}

// unknownColumns are those that a misspelled one would be among.
func unknownColumns(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(columnNames, name) })
}

// convert makes a table of a batch whose first row is number row of the file.
func convert(rec arrow.Record, defaults Defaults, row int) (schemas.Losses, error) {
	columns := byName(rec)
	var out schemas.Losses
	nan := float32(math.NaN()) // unknown
	for i := range int(rec.NumRows()) {
		c := cells{columns: columns, i: i}
		l := schemas.LossRow{
			RunID: c.text("run_id", defaults.RunID), Attempt: uint32(c.count("attempt", 1, math.MaxUint32)), Model: c.text("model", defaults.Model),
			Dataset: c.text("dataset", defaults.Dataset), ObjectID: c.text("object_id", ""), Epoch: uint32(c.count("epoch", 0, math.MaxUint32)),
			Step: c.count("step", 0, exact), Loss: c.number("loss", 0), Correct: c.boolean("correct"), Margin: c.number("margin", nan),
			PTrue: c.number("p_true", nan), EL2N: c.number("el2n", nan), EmbNorm: c.number("emb_norm", 0), Forgot: c.boolean("forgot"),
			Lineage: c.text("lineage", ""),
		}
		for _, name := range []string{"epoch", "loss"} {
			if columns[name].IsNull(i) && c.err == nil {
				c.err = fmt.Errorf("%s is missing", name)
			}
		}
		if columns["sample_id"] != nil {
			var err error
			if l.SampleID, err = schemas.ParseSampleID(c.id("sample_id")); err != nil && c.err == nil {
				c.err = err
			}
		} else {
			unique := c.text("unique_id", "")
			if unique == "" && c.err == nil {
				c.err = errors.New("unique_id is empty")
			}
			l.SampleID = schemas.NewSampleID(l.Dataset, unique, schemas.Hash{})
		}
		if c.err == nil && (l.RunID == "" || l.Dataset == "") {
			c.err = errors.New("neither the file nor a flag says which run and which dataset it belongs to")
		}
		if c.err != nil {
			return out, fmt.Errorf("row %d: %w", row+i+1, c.err)
		}
		out.Append(l)
	}
	return out, nil
}

func names(schema *arrow.Schema) []string {
	var out []string
	for _, f := range schema.Fields() {
		out = append(out, f.Name)
	}
	return out
}

func byName(rec arrow.Record) map[string]arrow.Array {
	columns := make(map[string]arrow.Array, rec.NumCols())
	for i, f := range rec.Schema().Fields() {
		columns[f.Name] = rec.Column(i)
	}
	return columns
}

// cells reads one row by column names and keeps the first error. A column that is absent, or null here, has its default.
type cells struct {
	columns map[string]arrow.Array
	i       int
	err     error
}

func (c *cells) get(name string) (arrow.Array, bool) {
	a := c.columns[name]
	return a, a != nil && !a.IsNull(c.i)
}

func (c *cells) text(name, absent string) string {
	a, ok := c.get(name)
	if !ok {
		return absent
	}
	return strings.Clone(a.ValueStr(c.i)) // not a view of the batch, which is reused
}

// id reads 16 raw bytes as hex digits, and text as it is.
func (c *cells) id(name string) string {
	a, ok := c.get(name)
	if b, raw := a.(*array.FixedSizeBinary); ok && raw {
		var id schemas.SampleID
		if copy(id[:], b.Value(c.i)) == len(id) {
			return id.String()
		}
	}
	return c.text(name, "")
}

func (c *cells) number(name string, absent float32) float32 {
	a, ok := c.get(name)
	if !ok {
		return absent
	}
	v, ok := numeric(a, c.i)
	if !ok {
		c.fail(name, a, "a number")
	}
	return float32(v)
}

func (c *cells) count(name string, absent, most uint64) uint64 {
	a, ok := c.get(name)
	if !ok {
		return absent
	}
	v, ok := numeric(a, c.i)
	if !ok || !(v >= 0 && v <= float64(most)) || v != float64(uint64(v)) {
		c.fail(name, a, fmt.Sprintf("a whole number from 0 to %d", most))
		return 0
	}
	return uint64(v)
}

func (c *cells) boolean(name string) bool {
	a, ok := c.get(name)
	if !ok {
		return false
	}
	if b, is := a.(*array.Boolean); is {
		return b.Value(c.i)
	}
	if s, is := a.(*array.String); is {
		if v, err := strconv.ParseBool(s.Value(c.i)); err == nil {
			return v
		}
	}
	v, ok := numeric(a, c.i)
	if !ok || v != 0 && v != 1 {
		c.fail(name, a, "true or false, 1 or 0")
	}
	return v == 1
}

func (c *cells) fail(name string, a arrow.Array, want string) {
	if c.err == nil {
		c.err = fmt.Errorf("%s is %q: want %s", name, a.ValueStr(c.i), want)
	}
}

func numeric(a arrow.Array, i int) (float64, bool) {
	switch a := a.(type) {
	case *array.Float64:
		return a.Value(i), true
	case *array.Float32:
		return float64(a.Value(i)), true
	case *array.Float16:
		return float64(a.Value(i).Float32()), true
	case *array.Int64:
		return float64(a.Value(i)), true
	case *array.Int32:
		return float64(a.Value(i)), true
	case *array.Int16:
		return float64(a.Value(i)), true
	case *array.Int8:
		return float64(a.Value(i)), true
	case *array.Uint64:
		return float64(a.Value(i)), true
	case *array.Uint32:
		return float64(a.Value(i)), true
	case *array.Uint16:
		return float64(a.Value(i)), true
	case *array.Uint8:
		return float64(a.Value(i)), true
	case *array.String:
		v, err := strconv.ParseFloat(a.Value(i), 64)
		return v, err == nil
	}
	return 0, false
}
