package schemas

// Columns of structs and of lists.

import (
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// structs are struct columns whose fields are bound by name, as columns are.
func structs[R any](cols []column[[]R]) kind[R] {
	typ := arrow.StructOf(arrowFields(cols)...)
	return kind[R]{
		typ: typ,
		encode: func(rows []R) arrow.ArrayData {
			children := make([]arrow.ArrayData, len(cols))
			for i, c := range cols {
				children[i] = c.encode(rows)
			}
			return array.NewData(typ, len(rows), []*memory.Buffer{nil}, children, 0, 0)
		},
		decode: func(d *decoding, a arrow.Array, out []R) error {
			s, ok := a.(*array.Struct)
			if !ok {
				return typeError(a, typ)
			}
			find := func(name string) arrow.Array {
				if i, ok := s.DataType().(*arrow.StructType).FieldIdx(name); ok {
					return s.Field(i)
				}
				return nil
			}
			return decodeColumns(d, cols, find, len(out), out)
		},
	}
}

// optional makes nulls of nil pointers.
func optional[R any](k kind[R]) kind[*R] {
	return kind[*R]{
		typ: k.typ,
		encode: func(vals []*R) arrow.ArrayData {
			rows := make([]R, len(vals))
			valid := newValidity(len(vals))
			for i, v := range vals {
				if v != nil {
					rows[i] = *v
				} else {
					valid.clear(i)
				}
			}
			data := k.encode(rows)
			buffers := data.Buffers()
			buffers[0] = valid.buffer()
			return array.NewData(k.typ, len(vals), buffers, data.Children(), valid.nulls, 0)
		},
		decode: func(d *decoding, a arrow.Array, out []*R) error {
			rows, err := values(d, k, a, len(out), nil)
			for i := range rows {
				if a.IsValid(i) {
					out[i] = &rows[i]
				}
			}
			return err
		},
	}
}

// lists are list columns. An empty list comes back nil.
func lists[R any](k kind[R]) kind[[]R] {
	typ := arrow.ListOf(k.typ)
	return kind[[]R]{
		typ: typ,
		encode: func(vals [][]R) arrow.ArrayData {
			offsets := make([]int32, len(vals)+1)
			var flat []R
			for i, v := range vals {
				if len(vals) == 1 {
					flat = v
				} else {
					flat = append(flat, v...)
				}
				offsets[i+1] = offsets[i] + int32(len(v))
			}
			return array.NewData(typ, len(vals), []*memory.Buffer{
				nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets)),
			}, []arrow.ArrayData{k.encode(flat)}, 0, 0)
		},
		decode: func(d *decoding, a arrow.Array, out [][]R) error {
			l, ok := a.(array.ListLike)
			if !ok {
				return typeError(a, typ)
			}
			items := l.ListValues()
			flat, err := values(d, k, items, items.Len(), nil)
			if err != nil {
				return err
			}
			end := int64(0) // lists may not overlap, or a small message could unfold into a huge one
			for i := range out {
				if a.IsNull(i) {
					continue
				}
				from, to := l.ValueOffsets(i)
				if from < end || to < from || to > int64(len(flat)) {
					return fmt.Errorf("list %d spans items %d to %d of %d", i, from, to, len(flat))
				}
				end = to
				if from < to {
					out[i] = flat[from:to:to]
				}
			}
			return nil
		},
	}
}

// pair is one entry of a map.
type pair struct{ key, value string }

// stringMaps are lists of {key, value}, ordered by key; the last of equal keys wins.
func stringMaps() kind[map[string]string] {
	k := lists(structs([]column[[]pair]{
		field("key", texts[string](), func(p *pair) *string { return &p.key }),
		field("value", texts[string](), func(p *pair) *string { return &p.value }),
	}))
	return kind[map[string]string]{
		typ: k.typ,
		encode: func(vals []map[string]string) arrow.ArrayData {
			entries := make([][]pair, len(vals))
			for i, m := range vals {
				for _, key := range slices.Sorted(maps.Keys(m)) {
					entries[i] = append(entries[i], pair{key, m[key]})
				}
			}
			return k.encode(entries)
		},
		decode: func(d *decoding, a arrow.Array, out []map[string]string) error {
			entries, err := values(d, k, a, len(out), nil)
			if err != nil {
				return err
			}
			for i, ps := range entries {
				if len(ps) == 0 {
					continue
				}
				out[i] = make(map[string]string, len(ps))
				for _, p := range ps {
					out[i][p.key] = p.value
				}
			}
			return nil
		},
	}
}
