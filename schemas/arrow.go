package schemas

// Arrow IPC streams of one record batch, decoded by column name. A message type is declared once, as a list of columns;
// this file writes and reads any of them.
//
// Common to all decoders: unknown columns are ignored; a missing or null column takes its documented default (zero unless
// said otherwise), except those that identify the row, whose absence is an error; empty slices and maps come back nil; times
// are UTC in microseconds; decoded strings and byte slices are the caller's own and do not alias the message. Arbitrary
// bytes give an error, never a panic, and cost memory in proportion to their length. Bodies are not compressed, and string
// views, list views, unions and run-end encoding are not read.

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
)

// column binds one named Arrow column to T, which holds the rows: a slice of structs, or a struct of slices.
type column[T any] struct {
	name     string
	typ      arrow.DataType
	required bool
	encode   func(t T) buffered
	// decode fills n rows of t from v, or with the column's default where v is nil.
	decode func(d *decoding, v *buffered, n int, t T) error
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

// decodeColumns reads every column from what find gives for its place and name, nil where there is none.
func decodeColumns[T any](d *decoding, cols []column[T], find func(i int, name string) *buffered, n int, t T) error {
	for i, c := range cols {
		v := find(i, c.name)
		if v == nil && c.required {
			return fmt.Errorf("column %s is missing", c.name)
		}
		if v != nil && v.rows != n {
			return fmt.Errorf("column %s has %d rows, want %d", c.name, v.rows, n)
		}
		if v != nil && c.required && v.nulls > 0 {
			return fmt.Errorf("column %s has nulls", c.name)
		}
		if err := c.decode(d, v, n, t); err != nil {
			return fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	return nil
}

// named finds columns by the names of their fields; of equal names the first counts. Most often the place is right already.
func named(fields []arrow.Field, columns []buffered) func(i int, name string) *buffered {
	return func(i int, name string) *buffered {
		if i < len(fields) && fields[i].Name == name {
			return &columns[i]
		}
		for i := range fields {
			if fields[i].Name == name {
				return &columns[i]
			}
		}
		return nil
	}
}

// message is one kind of Arrow message.
type message[T any] struct {
	what   string // for errors
	cols   []column[T]
	fields []arrow.Field
	head   []byte // the message of the schema, as every stream of this kind begins
}

func newMessage[T any](what string, cols []column[T]) *message[T] {
	fields := arrowFields(cols)
	return &message[T]{what, cols, fields, schemaMessage(arrow.NewSchema(fields, nil))}
}

// schemaMessage is how a stream of the schema begins.
func schemaMessage(schema *arrow.Schema) []byte {
	var buf bytes.Buffer
	if err := ipc.NewWriter(&buf, ipc.WithSchema(schema)).Close(); err != nil {
		panic(err) // the buffer takes everything, and the schema is a literal of this package
	}
	return bytes.TrimSuffix(buf.Bytes(), endStream(nil))
}

// encode writes the rows of t. It fails when a column's length is not rows.
func (m *message[T]) encode(t T, rows int) ([]byte, error) {
	var b batch
	for _, c := range m.cols {
		v := c.encode(t)
		if v.rows != rows {
			return nil, fmt.Errorf("encode %s: column %s has %d rows, want %d", m.what, c.name, v.rows, rows)
		}
		b.add(&v)
	}
	return b.stream(m.head, rows), nil
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
	fields, columns, n, err := m.batch(d, b)
	if err != nil {
		return err
	}
	t, err := prepare(d, n)
	if err != nil {
		return err
	}
	return decodeColumns(d, m.cols, named(fields, columns), n, t)
}

// batch reads the one record batch of a message.
func (m *message[T]) batch(d *decoding, b []byte) (fields []arrow.Field, columns []buffered, rows int, err error) {
	s := &stream{rest: b}
	if rest, ours := bytes.CutPrefix(b, m.head); ours {
		fields, s.rest = m.fields, rest
		columns, rows, err = s.load(fields)
	} else {
		fields, columns, rows, err = s.read(d)
	}
	if err != nil {
		return nil, nil, 0, err
	}
	switch _, err := s.Message(); {
	case err == nil:
		return nil, nil, 0, fmt.Errorf("more than one record batch: write one a message")
	case !errors.Is(err, io.EOF):
		return nil, nil, 0, fmt.Errorf("corrupt Arrow stream: %w", err)
	}
	return fields, columns, rows, nil
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
