package clickhouse

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	chgo "github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"gleaner/schemas"
)

// InsertLosses adds a table of loss rows. token names the batch (topic, partition and offsets): the same token and
// rows are inserted once while the server lives, also when the call is repeated; doubles beyond that fold. It blocks until the rows
// are readable. Rows go out in the order of the table's key, whatever theirs is: the server sees that it has nothing to sort. Tables
// of some 300,000 rows are cheapest: of each run in it a call makes the server a part, and parts cost it merges.
func (db *DB) InsertLosses(ctx context.Context, token string, l *schemas.Losses) error {
	n := l.Len()
	for name, got := range map[string]int{
		"attempt": len(l.Attempt), "model": len(l.Model), "dataset": len(l.Dataset), "sample_id": len(l.SampleID),
		"object_id": len(l.ObjectID), "epoch": len(l.Epoch), "step": len(l.Step), "loss": len(l.Loss), "correct": len(l.Correct),
		"margin": len(l.Margin), "p_true": len(l.PTrue), "el2n": len(l.EL2N), "emb_norm": len(l.EmbNorm), "forgot": len(l.Forgot), "lineage": len(l.Lineage),
	} {
		if got != n {
			return fmt.Errorf("clickhouse: losses: column %s has %d rows, run_id has %d", name, got, n)
		}
	}
	if n == 0 {
		return nil
	}
	block := lossBlock(l)
	token = batchToken(token, l.SampleID)
	return db.retry(ctx, "insert into losses", func(ctx context.Context) error {
		return db.once(ctx, token, func(ctx context.Context, dedup string, value any) error {
			return db.native.insert(ctx, "losses", []chgo.Setting{
				{Key: "async_insert", Value: "0", Important: true},
				{Key: "optimize_on_insert", Value: "0", Important: true},
				{Key: dedup, Value: fmt.Sprint(value), Important: true},
			}, block)
		})
	})
}

// lossBlock lays rows out as the server takes them, in the order of the table's key; of equal keys the row that came first stays
// first.
func lossBlock(l *schemas.Losses) proto.Input {
	order := lossOrder(l)
	ids := make([]byte, 0, len(order)*len(schemas.SampleID{}))
	objects := proto.ColStr{Pos: make([]proto.Position, 0, len(order))}
	for _, i := range order {
		ids = append(ids, l.SampleID[i][:]...)
		objects.Append(l.ObjectID[i])
	}
	return proto.Input{
		{Name: "run_id", Data: dictionary(order, l.RunID)},
		{Name: "attempt", Data: proto.ColUInt32(ordered(order, l.Attempt))},
		{Name: "model", Data: dictionary(order, l.Model)},
		{Name: "dataset", Data: dictionary(order, l.Dataset)},
		{Name: "sample_id", Data: proto.ColFixedStr{Buf: ids, Size: len(schemas.SampleID{})}},
		{Name: "object_id", Data: objects},
		{Name: "epoch", Data: proto.ColUInt32(ordered(order, l.Epoch))},
		{Name: "step", Data: proto.ColUInt64(ordered(order, l.Step))},
		{Name: "loss", Data: proto.ColFloat32(ordered(order, l.Loss))},
		{Name: "correct", Data: proto.ColBool(ordered(order, l.Correct))},
		{Name: "margin", Data: proto.ColFloat32(ordered(order, l.Margin))},
		{Name: "p_true", Data: proto.ColFloat32(ordered(order, l.PTrue))},
		{Name: "el2n", Data: proto.ColFloat32(ordered(order, l.EL2N))},
		{Name: "emb_norm", Data: proto.ColFloat32(ordered(order, l.EmbNorm))},
		{Name: "forgot", Data: proto.ColBool(ordered(order, l.Forgot))},
		{Name: "lineage", Data: dictionary(order, l.Lineage)},
	}
}

// place is where a row lies in the order of the table's key.
type place struct {
	run  uint32 // rank of the run's id
	row  int32
	head uint64 // first bytes of the sample's id: ids are digests, so that most comparisons end here
}

// lossOrder are the indices of the rows in the order of the table's key.
func lossOrder(l *schemas.Losses) []int32 {
	codes, values := encodeDictionary(l.RunID)
	runs := slices.Sorted(slices.Values(values))
	rank := make([]uint32, len(values))
	for code, id := range values {
		at, _ := slices.BinarySearch(runs, id)
		rank[code] = uint32(at)
	}
	// Rows go into buckets by run and the first bits of the sample's id, some sixteen rows in each, and are sorted there.
	shift := 64 - bits.Len(uint(l.Len()/len(runs)/16))
	bucket := func(p place) int { return int(p.run)<<(64-shift) | int(p.head>>shift) }
	starts := make([]int32, len(runs)<<(64-shift)+1)
	each := func(do func(place)) {
		for i, code := range codes {
			do(place{run: rank[code], row: int32(i), head: binary.BigEndian.Uint64(l.SampleID[i][:])})
		}
	}
	each(func(p place) { starts[bucket(p)+1]++ })
	for b := range len(starts) - 1 {
		starts[b+1] += starts[b]
	}
	places := make([]place, len(codes))
	next := slices.Clone(starts)
	each(func(p place) {
		at := &next[bucket(p)]
		places[*at] = p
		*at++
	})
	for b := range len(starts) - 1 {
		slices.SortFunc(places[starts[b]:starts[b+1]], func(a, b place) int {
			if a.head != b.head {
				return cmp.Compare(a.head, b.head)
			}
			i, j := a.row, b.row
			return cmp.Or(bytes.Compare(l.SampleID[i][:], l.SampleID[j][:]), strings.Compare(l.ObjectID[i], l.ObjectID[j]),
				cmp.Compare(l.Epoch[i], l.Epoch[j]), cmp.Compare(i, j))
		})
	}
	order := make([]int32, len(places))
	for k, p := range places {
		order[k] = p.row
	}
	return order
}

// ordered are the values in an order.
func ordered[V any](order []int32, values []V) []V {
	out := make([]V, len(order))
	for k, i := range order {
		out[k] = values[i]
	}
	return out
}

// encodeDictionary returns the different values and, for each row, which it has. Equal values mostly follow one another.
func encodeDictionary(rows []string) (codes []uint32, values []string) {
	codes = make([]uint32, len(rows))
	known := map[string]uint32{}
	for i, v := range rows {
		if i > 0 && v == rows[i-1] {
			codes[i] = codes[i-1]
			continue
		}
		code, ok := known[v]
		if !ok {
			code = uint32(len(values))
			known[v] = code
			values = append(values, v)
		}
		codes[i] = code
	}
	return codes, values
}

// dictionary is a LowCardinality(String) column of the rows in an order.
func dictionary(order []int32, rows []string) *proto.ColLowCardinalityRaw {
	codes, values := encodeDictionary(rows)
	index := &proto.ColStr{}
	index.Append("") // the type's default comes first, and none has its place
	index.AppendArr(values)
	column := &proto.ColLowCardinalityRaw{Index: index}
	if len(values) < 1<<8 {
		column.Key, column.Keys8 = proto.KeyUInt8, make([]uint8, len(order))
		for k, i := range order {
			column.Keys8[k] = uint8(codes[i] + 1)
		}
	} else {
		column.Key, column.Keys32 = proto.KeyUInt32, make([]uint32, len(order))
		for k, i := range order {
			column.Keys32[k] = codes[i] + 1
		}
	}
	return column
}
