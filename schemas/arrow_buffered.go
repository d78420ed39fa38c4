package schemas

// How a column lies in an Arrow message: its buffers, and those of the columns within it. Messages whose schema is this
// binary's own, as most are, are written and read here without the library's arrays, which cost more than the values.

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	flatbuffers "github.com/google/flatbuffers/go"
)

// buffered is a column's values of some rows as they lie in buffers.
type buffered struct {
	typ      arrow.DataType
	rows     int
	nulls    int
	offset   int        // of the first row within valid and data
	valid    []byte     // a bit for each row, or nil where no row is null
	data     []byte     // values of fixed width, or bits, or the bytes of strings
	ends     []byte     // lists and strings: rows+1 little-endian int32, where each row's items begin and end
	children []buffered // a struct's fields, in the order of its type; a list's items
	foreign  arrow.Array
}

// null tells whether row i is null.
func (v *buffered) null(i int) bool {
	return v.valid != nil && v.nulls > 0 && !bitutil.BitIsSet(v.valid, v.offset+i)
}

// span returns where the items of row i begin and end; both may be anything in a hostile message.
func (v *buffered) span(i int) (from, to int64) {
	if l, ok := v.foreign.(array.ListLike); ok {
		return l.ValueOffsets(i)
	}
	return int64(int32(binary.LittleEndian.Uint32(v.ends[4*i:]))), int64(int32(binary.LittleEndian.Uint32(v.ends[4*i+4:])))
}

// view is what lies in an array that the library has read.
func view(a arrow.Array) buffered {
	data := a.Data()
	v := buffered{typ: a.DataType(), rows: a.Len(), nulls: a.NullN(), offset: data.Offset(), foreign: a}
	buffers := data.Buffers()
	if len(buffers) > 0 && buffers[0] != nil {
		v.valid = buffers[0].Bytes()
	}
	if len(buffers) > 1 && buffers[1] != nil {
		v.data = buffers[1].Bytes()
	}
	switch a := a.(type) {
	case *array.Struct:
		for i := range a.NumField() {
			v.children = append(v.children, view(a.Field(i)))
		}
	case array.ListLike:
		v.children = []buffered{view(a.ListValues())}
	}
	return v
}

// Layout of a record batch: tables and structs of Arrow's Message.fbs, version 5 of the metadata.
const (
	slotBatchLength  = 4
	slotBatchNodes   = 6
	slotBatchBuffers = 8
	pairBytes        = 16 // FieldNode: rows, nulls. Buffer: offset in the body, length. All int64.
	bodyAlignment    = 8
	metadataVersion5 = 4
)

// continuation begins every message of a stream; with a length of 0 it ends the stream.
const continuation = math.MaxUint32

// batch is a record batch being written.
type batch struct {
	nodes   [][2]int64
	buffers [][2]int64
	parts   [][]byte // what the buffers hold
	size    int64    // of the body
}

func (b *batch) buffer(p []byte) {
	b.buffers = append(b.buffers, [2]int64{b.size, int64(len(p))})
	b.parts = append(b.parts, p)
	b.size += int64(aligned(len(p)))
}

func aligned(n int) int { return (n + bodyAlignment - 1) / bodyAlignment * bodyAlignment }

func (b *batch) add(v *buffered) {
	b.nodes = append(b.nodes, [2]int64{int64(v.rows), int64(v.nulls)})
	b.buffer(v.valid)
	switch v.typ.ID() {
	case arrow.STRUCT:
	case arrow.LIST:
		b.buffer(v.ends)
	case arrow.STRING, arrow.BINARY:
		b.buffer(v.ends)
		b.buffer(v.data)
	default:
		b.buffer(v.data)
	}
	for i := range v.children {
		b.add(&v.children[i])
	}
}

// stream returns the Arrow stream of the batch alone, after head, which holds the message of its schema.
func (b *batch) stream(head []byte, rows int) []byte {
	f := flatbuffers.NewBuilder(512 + pairBytes*(len(b.nodes)+len(b.buffers)))
	pairs := func(list [][2]int64) flatbuffers.UOffsetT {
		f.StartVector(pairBytes, len(list), 8)
		for i := len(list) - 1; i >= 0; i-- {
			f.PrependInt64(list[i][1])
			f.PrependInt64(list[i][0])
		}
		return f.EndVector(len(list))
	}
	buffers := pairs(b.buffers)
	nodes := pairs(b.nodes)
	// The number of a table's field: its offset in the virtual table, which begins with two lengths of two bytes each.
	slot := func(offset int) int { return offset/2 - 2 }
	f.StartObject(4)
	f.PrependInt64Slot(slot(slotBatchLength), int64(rows), 0)
	f.PrependUOffsetTSlot(slot(slotBatchNodes), nodes, 0)
	f.PrependUOffsetTSlot(slot(slotBatchBuffers), buffers, 0)
	header := f.EndObject()
	f.StartObject(5)
	f.PrependInt64Slot(slot(slotMessageBodyLength), b.size, 0)
	f.PrependUOffsetTSlot(slot(slotMessageHeader), header, 0)
	f.PrependInt16Slot(slot(slotMessageVersion), metadataVersion5, 0)
	f.PrependByteSlot(slot(slotMessageHeaderType), headerRecordBatch, 0)
	f.Finish(f.EndObject())
	meta := f.FinishedBytes()

	out := make([]byte, 0, len(head)+8+aligned(len(meta))+int(b.size)+8)
	out = append(out, head...)
	out = binary.LittleEndian.AppendUint32(out, continuation)
	out = binary.LittleEndian.AppendUint32(out, uint32(aligned(len(meta))))
	out = pad(append(out, meta...), len(meta))
	for _, p := range b.parts {
		out = pad(append(out, p...), len(p))
	}
	return endStream(out)
}

// pad appends what n bytes lack to the alignment.
func pad(out []byte, n int) []byte {
	var zero [bodyAlignment]byte
	return append(out, zero[:aligned(n)-n]...)
}

func endStream(out []byte) []byte {
	out = binary.LittleEndian.AppendUint32(out, continuation)
	return binary.LittleEndian.AppendUint32(out, 0)
}

// loader reads the columns of a record batch of a known schema.
type loader struct {
	body           []byte
	nodes, buffers []byte // pairs, not read yet
}

// load returns the columns of a record batch. They alias the body. It panics where the metadata points
// outside of itself.
func load(meta, body []byte, fields []arrow.Field) (columns []buffered, rows int, err error) {
	msg := flatbuffers.Table{Bytes: meta, Pos: flatbuffers.GetUOffsetT(meta)}
	var header flatbuffers.Table
	msg.Union(&header, flatbuffers.UOffsetT(msg.Offset(slotMessageHeader)))
	pairs := func(slot flatbuffers.VOffsetT) []byte {
		at := header.Offset(slot)
		if at == 0 {
			return nil
		}
		n := header.VectorLen(flatbuffers.UOffsetT(at))
		return meta[header.Vector(flatbuffers.UOffsetT(at)):][:n*pairBytes]
	}
	l := loader{body, pairs(slotBatchNodes), pairs(slotBatchBuffers)}
	n := header.GetInt64Slot(slotBatchLength, 0)
	if n < 0 || n > math.MaxInt32 {
		return nil, 0, fmt.Errorf("%d rows", n)
	}
	columns, err = l.columns(fields)
	return columns, int(n), err
}

func (l *loader) columns(fields []arrow.Field) ([]buffered, error) {
	out := make([]buffered, len(fields))
	for i, f := range fields {
		if err := l.column(&out[i], f.Type); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return out, nil
}

func (l *loader) column(v *buffered, typ arrow.DataType) (err error) {
	rows, nulls, err := pair(&l.nodes, "nodes")
	if err != nil {
		return err
	}
	if rows < 0 || rows > math.MaxInt32 || nulls < 0 || nulls > rows {
		return fmt.Errorf("%d rows with %d nulls", rows, nulls)
	}
	*v = buffered{typ: typ, rows: int(rows), nulls: int(nulls)}
	if v.valid, err = l.buffer(); err != nil {
		return err
	}
	if nulls == 0 {
		v.valid = nil
	} else if len(v.valid) < bytesForBits(v.rows) {
		return fmt.Errorf("validity of %d bytes for %d rows", len(v.valid), rows)
	}
	switch typ := typ.(type) {
	case *arrow.StructType:
		v.children, err = l.columns(typ.Fields())
		return err
	case *arrow.ListType:
		if err = l.ends(v); err != nil {
			return err
		}
		v.children = make([]buffered, 1)
		return l.column(&v.children[0], typ.Elem())
	case arrow.BinaryDataType:
		if err = l.ends(v); err != nil {
			return err
		}
		v.data, err = l.buffer()
		return err
	case arrow.FixedWidthDataType:
		if v.data, err = l.buffer(); err != nil {
			return err
		}
		if need := bytesForBits(v.rows * typ.BitWidth()); len(v.data) < need {
			return fmt.Errorf("values of %d bytes where %d rows take %d", len(v.data), rows, need)
		}
		return nil
	}
	return fmt.Errorf("columns of type %v are not read", typ)
}

func (l *loader) ends(v *buffered) (err error) {
	if v.ends, err = l.buffer(); err == nil && v.rows > 0 && len(v.ends) < 4*(v.rows+1) {
		err = fmt.Errorf("%d bytes of offsets for %d rows", len(v.ends), v.rows)
	}
	return err
}

func (l *loader) buffer() ([]byte, error) {
	offset, n, err := pair(&l.buffers, "buffers")
	if err != nil {
		return nil, err
	}
	if offset < 0 || n < 0 || offset > int64(len(l.body)) || n > int64(len(l.body))-offset {
		return nil, fmt.Errorf("buffer of %d bytes at %d in a body of %d", n, offset, len(l.body))
	}
	return l.body[offset : offset+n], nil
}

func pair(from *[]byte, what string) (a, b int64, err error) {
	p := *from
	if len(p) < pairBytes {
		return 0, 0, fmt.Errorf("too few %s for the schema", what)
	}
	*from = p[pairBytes:]
	return int64(binary.LittleEndian.Uint64(p)), int64(binary.LittleEndian.Uint64(p[8:])), nil
}

func bytesForBits(n int) int { return (n + 7) / 8 }
