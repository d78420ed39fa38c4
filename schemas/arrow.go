package schemas

// Arrow IPC streams of one record batch, decoded by column name. A message type is declared once, as a list of columns;
// this file writes and reads any of them.
//
// Common to all decoders: unknown columns are ignored; a missing or null column takes its documented default (zero unless
// said otherwise), except those that identify the row, whose absence is an error; empty slices and maps come back nil; times
// are UTC in microseconds; decoded strings and byte slices are the caller's own and do not alias the message. Arbitrary
// bytes give an error, never a panic, and cost memory in proportion to their length. Bodies are not compressed (topics
// compress) and string views, list views, unions and run-end encoding are not read.

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
)

// column binds one named Arrow column to T, which holds the rows: a slice of structs, or a struct of slices.
type column[T any] struct {
	name     string
	typ      arrow.DataType
	required bool
	encode   func(t T) arrow.ArrayData
	// decode fills n rows of t from a, or with the column's default where a is nil.
	decode func(d *decoding, a arrow.Array, n int, t T) error
}

// must makes a column required: there is no default for what identifies a row.
func must[T any](c column[T]) column[T] {
	c.required = true
	return c
}

func arrowFields[T any](cols []column[T]) []arrow.Field {
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		fields[i] = arrow.Field{Name: c.name, Type: c.typ, Nullable: !c.required}
	}
	return fields
}

// decodeColumns reads every column from the array that find gives for its name, nil where there is none.
func decodeColumns[T any](d *decoding, cols []column[T], find func(name string) arrow.Array, n int, t T) error {
	for _, c := range cols {
		a := find(c.name)
		if a == nil && c.required {
			return fmt.Errorf("column %s is missing", c.name)
		}
		if a != nil && a.Len() != n {
			return fmt.Errorf("column %s has %d rows, want %d", c.name, a.Len(), n)
		}
		if a != nil && c.required && a.NullN() > 0 {
			return fmt.Errorf("column %s has nulls", c.name)
		}
		if err := c.decode(d, a, n, t); err != nil {
			return fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	return nil
}

// message is one kind of Arrow message.
type message[T any] struct {
	what   string // for errors
	cols   []column[T]
	schema *arrow.Schema
}

func newMessage[T any](what string, cols []column[T]) *message[T] {
	return &message[T]{what, cols, arrow.NewSchema(arrowFields(cols), nil)}
}

// encode writes the rows of t. It fails when a column's length is not rows.
func (m *message[T]) encode(t T, rows int) ([]byte, error) {
	arrays := make([]arrow.Array, len(m.cols))
	size := 4096
	for i, c := range m.cols {
		data := c.encode(t)
		if data.Len() != rows {
			return nil, fmt.Errorf("encode %s: column %s has %d rows, want %d", m.what, c.name, data.Len(), rows)
		}
		arrays[i] = array.MakeFromData(data)
		size += bodySize(data)
	}
	buf := bytes.NewBuffer(make([]byte, 0, size))
	w := ipc.NewWriter(buf, ipc.WithSchema(m.schema))
	if err := w.Write(array.NewRecord(m.schema, arrays, int64(rows))); err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.what, err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.what, err)
	}
	return buf.Bytes(), nil
}

// bodySize is about what an array takes in a message: its buffers, padded, and their descriptions.
func bodySize(data arrow.ArrayData) int {
	n := 64
	for _, b := range data.Buffers() {
		n += 32
		if b != nil {
			n += b.Len() + 8
		}
	}
	for _, c := range data.Children() {
		n += bodySize(c)
	}
	return n
}

// decode reads one message into what prepare makes for its number of rows.
func (m *message[T]) decode(b []byte, prepare func(d *decoding, rows int) (T, error)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("corrupt Arrow stream: %v", p)
		}
		if err != nil {
			err = fmt.Errorf("decode %s of %d bytes: %w", m.what, len(b), err)
		}
	}()
	d := newDecoding(len(b))
	r, err := ipc.NewReaderFromMessageReader(&stream{rest: b}, ipc.WithAllocator(d))
	if err != nil {
		return fmt.Errorf("not an Arrow stream: %w", err)
	}
	if !r.Next() {
		if r.Err() != nil {
			return fmt.Errorf("corrupt Arrow stream: %w", r.Err())
		}
		return fmt.Errorf("there is no record batch")
	}
	rec := r.Record()
	rec.Retain()
	n := int(rec.NumRows())
	t, err := prepare(d, n)
	if err != nil {
		return err
	}
	find := func(name string) arrow.Array {
		if at := rec.Schema().FieldIndices(name); len(at) > 0 {
			return rec.Column(at[0])
		}
		return nil
	}
	if err := decodeColumns(d, m.cols, find, n, t); err != nil {
		return err
	}
	if r.Next() {
		return fmt.Errorf("more than one record batch: write one a message")
	}
	return r.Err()
}

// encodeOne and decodeOne are for messages of a single row.
func encodeOne[R any](m *message[[]R], row *R) ([]byte, error) {
	return m.encode([]R{*row}, 1)
}

func decodeOne[R any](m *message[[]R], b []byte) (R, error) {
	var row [1]R
	err := m.decode(b, func(_ *decoding, rows int) ([]R, error) {
		if rows != 1 {
			return nil, fmt.Errorf("%d rows, want 1", rows)
		}
		return row[:], nil
	})
	if err != nil {
		var zero R
		return zero, err
	}
	return row[0], nil
}

// encodeTable and decodeTable are for messages that are a struct of slices; size is the number of rows.
func encodeTable[T any](m *message[*T], t *T, size int) ([]byte, error) {
	return m.encode(t, size)
}

func decodeTable[T any](m *message[*T], b []byte) (T, error) {
	var t T
	err := m.decode(b, func(*decoding, int) (*T, error) { return &t, nil })
	if err != nil {
		var zero T
		return zero, err
	}
	return t, nil
}
