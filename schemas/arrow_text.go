package schemas

// Columns of variable width: strings and bytes.

import (
	"bytes"
	"fmt"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// variable encodes values of variable width. One value is taken as it is, without a copy, since images come alone.
func variable[V ~string | ~[]byte](typ arrow.DataType, vals []V, raw func(V) []byte) buffered {
	ends := make([]int32, len(vals)+1)
	total := 0
	for i, v := range vals {
		total += len(v)
		if total > math.MaxInt32 {
			panic(fmt.Sprintf("a column of more than %d bytes", math.MaxInt32))
		}
		ends[i+1] = int32(total)
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
	return buffered{typ: typ, rows: len(vals), ends: bytesOf(ends), data: data}
}

// cut returns how to read row i of a column of strings or bytes whose bytes, or a copy of them, are all.
func cut[V ~string | ~[]byte](v *buffered, all V) func(i int) V {
	return func(i int) V {
		from, to := v.span(i)
		if from < 0 || to < from || to > int64(len(all)) {
			panic(fmt.Sprintf("row %d spans bytes %d to %d of %d", i, from, to, len(all)))
		}
		return all[from:to]
	}
}

// texts are utf8 columns. Large and dictionary-encoded strings are read too. The values of a column share their memory.
func texts[V ~string]() kind[V] {
	typ := arrow.BinaryTypes.String
	return kind[V]{
		typ: typ,
		encode: func(vals []V) buffered {
			return variable(typ, vals, func(v V) []byte { return []byte(v) })
		},
		decode: func(d *decoding, v *buffered, out []V) error {
			var at func(i int) string
			var err error
			switch {
			case v.foreign != nil:
				at, err = textAt(v.foreign)
			case v.typ.ID() != arrow.STRING:
				err = typeError(v, typ)
			default:
				err = d.charge(len(v.data), 1)
				at = cut(v, string(v.data))
			}
			if err != nil {
				return err
			}
			for i := range out {
				if !v.null(i) {
					out[i] = V(at(i))
				}
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
	return nil, fmt.Errorf("has type %v, want %v", a.DataType(), arrow.BinaryTypes.String)
}

// blobs are binary columns; large ones are read too.
func blobs() kind[[]byte] {
	typ := arrow.BinaryTypes.Binary
	return kind[[]byte]{
		typ: typ,
		encode: func(vals [][]byte) buffered {
			return variable(typ, vals, func(v []byte) []byte { return v })
		},
		decode: func(d *decoding, v *buffered, out [][]byte) error {
			var at func(int) []byte
			switch a := v.foreign.(type) {
			case *array.Binary:
				at = a.Value
			case *array.LargeBinary:
				at = a.Value
			case nil:
				if v.typ.ID() != arrow.BINARY {
					return typeError(v, typ)
				}
				if err := d.charge(len(v.data), 1); err != nil {
					return err
				}
				at = cut(v, bytes.Clone(v.data))
			default:
				return typeError(v, typ)
			}
			for i := range out {
				if !v.null(i) {
					if b := at(i); len(b) > 0 {
						out[i] = b[:len(b):len(b)]
					}
				}
			}
			return nil
		},
	}
}
