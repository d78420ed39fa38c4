package schemas

// The kinds of Arrow column, and how they bind to Go fields.

import (
	"encoding/binary"
	"fmt"
	"time"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
)

// kind is how values of type V lie in buffers. decode fills out, which has as many rows, and leaves the elements that are
// null as they are. What encode returns may alias its values.
type kind[V any] struct {
	typ    arrow.DataType
	encode func(vals []V) buffered
	decode func(d *decoding, v *buffered, out []V) error
}

// field binds a column to a field of the row type R; absent is the default, zero if not given.
func field[R, V any](name string, k kind[V], at func(*R) *V, absent ...V) column[[]R] {
	return column[[]R]{
		name: name, typ: k.typ,
		encode: func(rows []R) buffered {
			vals := make([]V, len(rows))
			for i := range rows {
				vals[i] = *at(&rows[i])
			}
			return k.encode(vals)
		},
		decode: func(d *decoding, v *buffered, n int, rows []R) error {
			if v == nil && absent == nil {
				return nil
			}
			vals, err := values(d, k, v, n, absent)
			if err != nil {
				return err
			}
			for i := range rows {
				*at(&rows[i]) = vals[i]
			}
			return nil
		},
	}
}

// vector binds a column to a slice of the table type T; absent is the default, zero if not given.
func vector[T, V any](name string, k kind[V], at func(*T) *[]V, absent ...V) column[*T] {
	return column[*T]{
		name: name, typ: k.typ,
		encode: func(t *T) buffered { return k.encode(*at(t)) },
		decode: func(d *decoding, v *buffered, n int, t *T) error {
			vals, err := values(d, k, v, n, absent)
			if err == nil && n > 0 {
				*at(t) = vals
			}
			return err
		},
	}
}

// values decodes a whole column, nil for a missing one, into a new slice.
func values[V any](d *decoding, k kind[V], v *buffered, n int, absent []V) ([]V, error) {
	var zero V
	if err := d.charge(n, unsafe.Sizeof(zero)); err != nil {
		return nil, err
	}
	vals := make([]V, n)
	if absent != nil && (v == nil || v.nulls > 0) {
		for i := range vals {
			vals[i] = absent[0]
		}
	}
	if v == nil {
		return vals, nil
	}
	return vals, k.decode(d, v, vals)
}

func typeError(v *buffered, want arrow.DataType) error {
	return fmt.Errorf("has type %v, want %v", v.typ, want)
}

// scalar is what lies in an Arrow buffer as it lies in memory.
type scalar interface {
	~uint8 | ~int32 | ~uint32 | ~uint64 | ~int64 | ~float32 | ~float64 | SampleID | Hash
}

func bytesOf[V scalar](s []V) []byte {
	var zero V
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(zero)))
}

// plain is a column of fixed width.
func plain[V scalar](typ arrow.DataType) kind[V] {
	var zero V
	size := int(unsafe.Sizeof(zero))
	return kind[V]{
		typ:    typ,
		encode: func(vals []V) buffered { return buffered{typ: typ, rows: len(vals), data: bytesOf(vals)} },
		decode: func(_ *decoding, v *buffered, out []V) error {
			if v.typ != typ && !arrow.TypeEqual(v.typ, typ) {
				return typeError(v, typ)
			}
			if len(out) == 0 {
				return nil
			}
			raw := v.data[v.offset*size:][:len(out)*size]
			to := bytesOf(out)
			if v.nulls == 0 {
				copy(to, raw)
				return nil
			}
			for i := range out {
				if !v.null(i) {
					copy(to[i*size:(i+1)*size], raw[i*size:])
				}
			}
			return nil
		},
	}
}

func sampleIDs() kind[SampleID] {
	return plain[SampleID](&arrow.FixedSizeBinaryType{ByteWidth: len(SampleID{})})
}

func hashes() kind[Hash] { return plain[Hash](&arrow.FixedSizeBinaryType{ByteWidth: len(Hash{})}) }

func uint8s[V ~uint8]() kind[V] { return plain[V](arrow.PrimitiveTypes.Uint8) }

func uint32s() kind[uint32] { return plain[uint32](arrow.PrimitiveTypes.Uint32) }

func uint64s() kind[uint64] { return plain[uint64](arrow.PrimitiveTypes.Uint64) }

func int64s() kind[int64] { return plain[int64](arrow.PrimitiveTypes.Int64) }

func float32s() kind[float32] { return plain[float32](arrow.PrimitiveTypes.Float32) }

func float64s() kind[float64] { return plain[float64](arrow.PrimitiveTypes.Float64) }

// ints are int64 columns of Go ints.
func ints() kind[int] {
	k := int64s()
	return kind[int]{
		typ: k.typ,
		encode: func(vals []int) buffered {
			wide := make([]int64, len(vals))
			for i, v := range vals {
				wide[i] = int64(v)
			}
			return k.encode(wide)
		},
		decode: func(d *decoding, v *buffered, out []int) error {
			wide, err := values(d, k, v, len(out), nil)
			for i := range wide {
				if !v.null(i) {
					out[i] = int(wide[i])
				}
			}
			return err
		},
	}
}

func bools() kind[bool] {
	typ := arrow.FixedWidthTypes.Boolean
	return kind[bool]{
		typ: typ,
		encode: func(vals []bool) buffered {
			bits := make([]byte, bytesForBits(len(vals)))
			for i, v := range vals {
				if v {
					bitutil.SetBit(bits, i)
				}
			}
			return buffered{typ: typ, rows: len(vals), data: bits}
		},
		decode: func(_ *decoding, v *buffered, out []bool) error {
			if v.typ.ID() != arrow.BOOL {
				return typeError(v, typ)
			}
			for i := range out {
				if !v.null(i) {
					out[i] = bitutil.BitIsSet(v.data, v.offset+i)
				}
			}
			return nil
		},
	}
}

// times are timestamp[us, UTC] columns; the zero time is null. Any unit is read.
func times() kind[time.Time] {
	typ := arrow.FixedWidthTypes.Timestamp_us
	return kind[time.Time]{
		typ: typ,
		encode: func(vals []time.Time) buffered {
			micros := make([]int64, len(vals))
			valid := newValidity(len(vals))
			for i, v := range vals {
				if v.IsZero() {
					valid.clear(i)
				} else {
					micros[i] = v.UnixMicro()
				}
			}
			return buffered{typ: typ, rows: len(vals), data: bytesOf(micros), valid: valid.bits, nulls: valid.nulls}
		},
		decode: func(_ *decoding, v *buffered, out []time.Time) error {
			stamp, ok := v.typ.(*arrow.TimestampType)
			if !ok {
				return typeError(v, typ)
			}
			for i := range out {
				if !v.null(i) {
					t := arrow.Timestamp(binary.LittleEndian.Uint64(v.data[8*(v.offset+i):]))
					out[i] = t.ToTime(stamp.Unit).UTC().Truncate(time.Microsecond)
				}
			}
			return nil
		},
	}
}

// validity is an Arrow validity bitmap under construction; there is none as long as everything is valid.
type validity struct {
	bits  []byte
	n     int
	nulls int
}

func newValidity(n int) *validity { return &validity{n: n} }

func (v *validity) clear(i int) {
	if v.bits == nil {
		v.bits = make([]byte, bytesForBits(v.n))
		bitutil.SetBitsTo(v.bits, 0, int64(v.n), true)
	}
	bitutil.ClearBit(v.bits, i)
	v.nulls++
}
