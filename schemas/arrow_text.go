package schemas

// Columns of variable width: strings and bytes.

import (
	"fmt"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// variable encodes values of variable width. One value is taken as it is, without a copy, since images come alone.
func variable[V ~string | ~[]byte](typ arrow.DataType, vals []V, raw func(V) []byte) arrow.ArrayData {
	offsets := make([]int32, len(vals)+1)
	total := 0
	for i, v := range vals {
		total += len(v)
		if total > math.MaxInt32 {
			panic(fmt.Sprintf("a column of more than %d bytes", math.MaxInt32))
		}
		offsets[i+1] = int32(total)
	}
	var data []byte
	if len(vals) == 1 {
		data = raw(vals[0])
	} else {
		data = make([]byte, 0, total)
		for _, v := range vals {
			data = append(data, v...)
		}
	}
	return array.NewData(typ, len(vals), []*memory.Buffer{
		nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets)), memory.NewBufferBytes(data),
	}, nil, 0, 0)
}

// texts are utf8 columns. Large and dictionary-encoded strings are read too. A value equal to the one before it shares
// its memory, so a column of repeated names costs one.
func texts[V ~string]() kind[V] {
	typ := arrow.BinaryTypes.String
	return kind[V]{
		typ: typ,
		encode: func(vals []V) arrow.ArrayData {
			return variable(typ, vals, func(v V) []byte { return []byte(v) })
		},
		decode: func(_ *decoding, a arrow.Array, out []V) error {
			at, err := textAt(a)
			if err != nil {
				return err
			}
			var last V
			nulls := a.NullN() > 0
			for i := range out {
				if nulls && a.IsNull(i) {
					continue
				}
				if v := V(at(i)); v != last {
					last = v
				}
				out[i] = last
			}
			return nil
		},
	}
}

// textAt returns how to read element i of any array of strings.
func textAt(a arrow.Array) (func(i int) string, error) {
	switch a := a.(type) {
	case *array.String:
		return a.Value, nil
	case *array.LargeString:
		return a.Value, nil
	case *array.Dictionary:
		words, err := textAt(a.Dictionary())
		if err != nil {
			return nil, err
		}
		return func(i int) string {
			word := a.GetValueIndex(i)
			if word < 0 || word >= a.Dictionary().Len() {
				panic(fmt.Sprintf("dictionary index %d of %d", word, a.Dictionary().Len()))
			}
			return words(word)
		}, nil
	}
	return nil, typeError(a, arrow.BinaryTypes.String)
}

// blobs are binary columns.
func blobs() kind[[]byte] {
	typ := arrow.BinaryTypes.Binary
	return kind[[]byte]{
		typ: typ,
		encode: func(vals [][]byte) arrow.ArrayData {
			return variable(typ, vals, func(v []byte) []byte { return v })
		},
		decode: func(_ *decoding, a arrow.Array, out [][]byte) error {
			var at func(int) []byte
			switch a := a.(type) {
			case *array.Binary:
				at = a.Value
			case *array.LargeBinary:
				at = a.Value
			default:
				return typeError(a, typ)
			}
			for i := range out {
				if a.IsValid(i) {
					if v := at(i); len(v) > 0 {
						out[i] = v[:len(v):len(v)]
					}
				}
			}
			return nil
		},
	}
}
