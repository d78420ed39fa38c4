package wire

import (
	"testing"

	"gleaner/connectors/clickhouse"
)

// TestStandsOut: what chance gives does not stand out, however large its lift, and neither does what the slice has throughout.
func TestStandsOut(t *testing.T) {
	value := clickhouse.SliceValue{Name: "look", Value: "look-1", Samples: 100}
	overlap := func(name string, samples, all uint64) clickhouse.SliceOverlap {
		return clickhouse.SliceOverlap{Name: "look", Value: "look-1", OfName: name, OfValue: "yes", Samples: samples, SamplesAll: all}
	}
	got := standsOut(value, 1000, []clickhouse.SliceOverlap{
		overlap("rare", 8, 10), overlap("chance", 58, 500), overlap("night", 90, 200), overlap("always", 100, 1000), overlap("day", 5, 800),
		{Name: "look", Value: "look-2", OfName: "snow", OfValue: "yes", Samples: 90, SamplesAll: 100},
	})
	if len(got) != 2 || got[0] != (Standing{"night", "yes", 0.9, 4.5}) || got[1].Name != "rare" {
		t.Errorf("%+v", got)
	}
}
