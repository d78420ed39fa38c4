package schemas

// What stands between hostile bytes and the Arrow reader: a bounded allocator, and a message reader that refuses metadata
// which would make the library recurse or allocate without limit.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	flatbuffers "github.com/google/flatbuffers/go"
)

// decoding is the memory budget of one decode. It is the allocator of the Arrow reader, and decoded values are charged to it.
type decoding struct {
	memory.GoAllocator
	left  int64  // bytes
	chunk []byte // what is left of the block that small buffers are cut from
}

// Buffers of at most smallBuffer bytes are cut from blocks of chunkSize: a sample has a hundred of them.
const (
	smallBuffer = 512
	chunkSize   = 8 << 10
)

// newDecoding allows what honest messages need: a copy of the body, and Go values some tens of times larger than the
// narrowest row on the wire.
func newDecoding(messageBytes int) *decoding {
	return &decoding{left: 1<<20 + 64*int64(messageBytes)}
}

// charge takes n values of the given size from the budget.
func (d *decoding) charge(n int, size uintptr) error {
	if n < 0 || int64(n) > d.left/int64(max(size, 1)) {
		return fmt.Errorf("%d values of %d bytes: more than a message of this size can hold", n, size)
	}
	d.left -= int64(n) * int64(size)
	return nil
}

// Allocate panics over the budget, as the Arrow reader expects; its caller recovers.
func (d *decoding) Allocate(size int) []byte {
	if err := d.charge(size, 1); err != nil {
		panic(err)
	}
	if size > smallBuffer {
		return d.GoAllocator.Allocate(size)
	}
	const alignment = 8
	need := (size + alignment - 1) / alignment * alignment
	if need > len(d.chunk) {
		d.chunk = d.GoAllocator.Allocate(chunkSize)
	}
	b := d.chunk[:size:size]
	d.chunk = d.chunk[need:]
	return b
}

// Reallocate is Allocate for a buffer that grows.
func (d *decoding) Reallocate(size int, b []byte) []byte {
	if size <= cap(b) {
		return b[:size]
	}
	grown := d.Allocate(size)
	copy(grown, b)
	return grown
}

// stream reads Arrow IPC messages from bytes without copying them.
type stream struct{ rest []byte }

func (s *stream) Retain()  {}
func (s *stream) Release() {}

// Message returns the next message, or io.EOF at the end of the stream.
func (s *stream) Message() (*ipc.Message, error) {
	_, meta, body, err := s.next()
	if err != nil {
		return nil, err
	}
	return ipc.NewMessage(memory.NewBufferBytes(meta), memory.NewBufferBytes(body)), nil
}

// next returns the kind, metadata and body of the next message, or io.EOF at the end of the stream.
func (s *stream) next() (kind byte, meta, body []byte, err error) {
	if len(s.rest) == 0 {
		return 0, nil, nil, io.EOF
	}
	if len(s.rest) < 8 || binary.LittleEndian.Uint32(s.rest) != continuation {
		return 0, nil, nil, fmt.Errorf("want a continuation marker and a length")
	}
	size := int64(binary.LittleEndian.Uint32(s.rest[4:]))
	if size == 0 {
		s.rest = nil
		return 0, nil, nil, io.EOF
	}
	if size < 8 || size > int64(len(s.rest)-8) {
		return 0, nil, nil, fmt.Errorf("metadata of %d bytes where %d are left", size, len(s.rest)-8)
	}
	meta = s.rest[8 : 8+size]
	s.rest = s.rest[8+size:]
	kind, n, err := checkMetadata(meta)
	if err != nil {
		return 0, nil, nil, err
	}
	if n < 0 || n > int64(len(s.rest)) {
		return 0, nil, nil, fmt.Errorf("body of %d bytes where %d are left", n, len(s.rest))
	}
	body = s.rest[:n:n]
	s.rest = s.rest[n:]
	return kind, meta, body, nil
}

// load reads the record batch of a stream whose schema, of these fields, has been read.
func (s *stream) load(fields []arrow.Field) ([]buffered, int, error) {
	kind, meta, body, err := s.next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, 0, fmt.Errorf("there is no record batch")
	case err == nil && kind != headerRecordBatch:
		err = fmt.Errorf("message of type %d where a record batch is due", kind)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("corrupt Arrow stream: %w", err)
	}
	columns, rows, err := load(meta, body, fields)
	if err != nil {
		return nil, 0, fmt.Errorf("corrupt Arrow stream: %w", err)
	}
	return columns, rows, nil
}

// read reads schema, dictionaries and first record batch of a stream that another program, or version, wrote.
func (s *stream) read(d *decoding) ([]arrow.Field, []buffered, int, error) {
	r, err := ipc.NewReaderFromMessageReader(s, ipc.WithAllocator(d))
	if err != nil {
		return nil, nil, 0, fmt.Errorf("not an Arrow stream: %w", err)
	}
	if !r.Next() {
		if r.Err() != nil {
			return nil, nil, 0, fmt.Errorf("corrupt Arrow stream: %w", r.Err())
		}
		return nil, nil, 0, fmt.Errorf("there is no record batch")
	}
	rec := r.Record()
	columns := make([]buffered, rec.NumCols())
	for i := range columns {
		columns[i] = view(rec.Column(i))
	}
	return rec.Schema().Fields(), columns, int(rec.NumRows()), nil
}

// Slots of the flatbuffers tables in Arrow's Message.fbs and Schema.fbs.
const (
	slotMessageVersion    = 4
	slotMessageHeaderType = 6
	slotMessageHeader     = 8
	slotMessageBodyLength = 10
	slotSchemaFields      = 6
	slotSchemaMetadata    = 8
	slotFieldTypeType     = 8
	slotFieldChildren     = 14
	slotFieldMetadata     = 16
	slotBatchCompression  = 10
	slotDictionaryData    = 6
	headerSchema          = 1
	headerDictionaryBatch = 2
	headerRecordBatch     = 3
	typeUnion             = 14
	typeRunEndEncoded     = 22
	maxFieldDepth         = 16
	maxFields             = 4096
)

// checkMetadata returns the kind of a message and the length of its body. It panics where the flatbuffer points outside of
// itself.
func checkMetadata(meta []byte) (kind byte, bodyLength int64, err error) {
	msg := flatbuffers.Table{Bytes: meta, Pos: flatbuffers.GetUOffsetT(meta)}
	bodyLength = msg.GetInt64Slot(slotMessageBodyLength, 0)
	at := msg.Offset(slotMessageHeader)
	if at == 0 {
		return 0, 0, fmt.Errorf("message without a header")
	}
	var header flatbuffers.Table
	msg.Union(&header, flatbuffers.UOffsetT(at))
	switch kind = msg.GetByteSlot(slotMessageHeaderType, 0); kind {
	case headerSchema:
		if err := checkLength(header, slotSchemaMetadata); err != nil {
			return 0, 0, err
		}
		left := maxFields
		return kind, bodyLength, checkFieldTree(header, slotSchemaFields, maxFieldDepth, &left)
	case headerDictionaryBatch:
		at := header.Offset(slotDictionaryData)
		if at == 0 {
			return 0, 0, fmt.Errorf("dictionary without data")
		}
		header.Pos = header.Indirect(header.Pos + flatbuffers.UOffsetT(at))
		fallthrough
	case headerRecordBatch:
		if header.Offset(slotBatchCompression) != 0 {
			return 0, 0, fmt.Errorf("compressed body: write it without compression")
		}
		return kind, bodyLength, nil
	default:
		return 0, 0, fmt.Errorf("message of type %d", kind)
	}
}

// checkFieldTree bounds the depth and number of fields, and refuses types whose metadata holds unbounded counts.
func checkFieldTree(parent flatbuffers.Table, slot flatbuffers.VOffsetT, depth int, left *int) error {
	at := parent.Offset(slot)
	if at == 0 {
		return nil
	}
	if depth == 0 {
		return fmt.Errorf("fields nested deeper than %d", maxFieldDepth)
	}
	n := parent.VectorLen(flatbuffers.UOffsetT(at))
	if *left -= n; *left < 0 || n < 0 {
		return fmt.Errorf("more than %d fields", maxFields)
	}
	start := parent.Vector(flatbuffers.UOffsetT(at))
	for i := range n {
		f := flatbuffers.Table{Bytes: parent.Bytes, Pos: parent.Indirect(start + flatbuffers.UOffsetT(4*i))}
		if typ := f.GetByteSlot(slotFieldTypeType, 0); typ == typeUnion || typ >= typeRunEndEncoded {
			return fmt.Errorf("a column is a union, a view or run-end encoded (Arrow type %d): write plain arrays", typ)
		}
		if err := checkLength(f, slotFieldMetadata); err != nil {
			return err
		}
		if err := checkFieldTree(f, slotFieldChildren, depth-1, left); err != nil {
			return err
		}
	}
	return nil
}

// checkLength refuses a vector of tables that claims more elements than there are bytes.
func checkLength(t flatbuffers.Table, slot flatbuffers.VOffsetT) error {
	at := t.Offset(slot)
	if at == 0 {
		return nil
	}
	if n := t.VectorLen(flatbuffers.UOffsetT(at)); n < 0 || n > len(t.Bytes)/4 {
		return fmt.Errorf("metadata of %d entries in %d bytes", n, len(t.Bytes))
	}
	return nil
}
