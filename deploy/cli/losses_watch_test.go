package cli

import (
	"testing"

	"gleaner/connectors/clickhouse"
)

func TestLossCurve(t *testing.T) {
	var falling, flat []clickhouse.Epoch
	for e := range 80 {
		loss := 80 - float64(e)
		falling = append(falling, clickhouse.Epoch{Epoch: uint32(e), MeanLoss: &loss})
	}
	one := 1.5
	flat = []clickhouse.Epoch{{MeanLoss: &one}, {Epoch: 1}, {Epoch: 2, MeanLoss: &one}}
	for _, test := range []struct {
		epochs []clickhouse.Epoch
		want   string
	}{
		{nil, "not summed up yet"},
		{flat, "1.500 ▁▁ 1.500"},
		{falling[:8], "80.000 █▇▆▅▄▃▂▁ 73.000"},
		{falling, "80.000 █▇▇▇▇▇▆▆▆▆▆▆▅▅▅▅▅▄▄▄▄▄▄▃▃▃▃▃▂▂▂▂▂▂▁▁▁▁▁▁ 1.000"},
	} {
		if got := lossCurve(test.epochs); len([]rune(got)) != len([]rune(test.want)) || len(test.epochs) <= 8 && got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
