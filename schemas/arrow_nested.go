package schemas

// Columns of structs and of lists.

import (
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
)

// structs are struct columns whose fields are bound by name, as columns are.
func structs[R any](cols []column[[]R]) kind[R] {
	typ := arrow.StructOf(arrowFields(cols)...)
	return kind[R]{
		typ: typ,
		encode: func(rows []R) buffered {
			v := buffered{typ: typ, rows: len(rows), children: make([]buffered, len(cols))}
			for i, c := range cols {
				v.children[i] = c.encode(rows)
			}
			return v
		},
		decode: func(d *decoding, v *buffered, out []R) error {
			s, ok := v.typ.(*arrow.StructType)
			if !ok {
				return typeError(v, typ)
			}
			return decodeColumns(d, cols, named(s.Fields(), v.children), len(out), out)
		},
	}
}

// optional makes nulls of nil pointers.
func optional[R any](k kind[R]) kind[*R] {
	return kind[*R]{
		typ: k.typ,
		encode: func(vals []*R) buffered {
			rows := make([]R, len(vals))
			valid := newValidity(len(vals))
			for i, v := range vals {
				if v != nil {
					rows[i] = *v
				} else {
					valid.clear(i)
				}
			}
			v := k.encode(rows)
			v.valid, v.nulls = valid.bits, valid.nulls
			return v
		},
		decode: func(d *decoding, v *buffered, out []*R) error {
			rows, err := values(d, k, v, len(out), nil)
			for i := range rows {
				if !v.null(i) {
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
		encode: func(vals [][]R) buffered {
			ends := make([]int32, len(vals)+1)
			var flat []R
			for i, v := range vals {
				if len(vals) == 1 {
					flat = v
				} else {
					flat = append(flat, v...)
				}
				ends[i+1] = ends[i] + int32(len(v))
			}
			return buffered{typ: typ, rows: len(vals), ends: bytesOf(ends), children: []buffered{k.encode(flat)}}
		},
		decode: func(d *decoding, v *buffered, out [][]R) error {
			if len(v.children) != 1 || v.typ.ID() == arrow.STRUCT {
				return typeError(v, typ)
			}
			items := &v.children[0]
			flat, err := values(d, k, items, items.rows, nil)
			if err != nil {
				return err
			}
			end := int64(0) // lists may not overlap, or a small message could unfold into a huge one
			for i := range out {
				if v.null(i) {
					continue
				}
				from, to := v.span(i)
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

// entry is one of a map.
type entry struct{ key, value string }

// stringMaps are lists of {key, value}, ordered by key; the last of equal keys wins.
func stringMaps() kind[map[string]string] {
	k := lists(structs([]column[[]entry]{
		field("key", texts[string](), func(p *entry) *string { return &p.key }),
		field("value", texts[string](), func(p *entry) *string { return &p.value }),
	}))
	return kind[map[string]string]{
		typ: k.typ,
		encode: func(vals []map[string]string) buffered {
			entries := make([][]entry, len(vals))
			for i, m := range vals {
				for _, key := range slices.Sorted(maps.Keys(m)) {
					entries[i] = append(entries[i], entry{key, m[key]})
				}
			}
			return k.encode(entries)
		},
		decode: func(d *decoding, v *buffered, out []map[string]string) error {
			entries, err := values(d, k, v, len(out), nil)
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
