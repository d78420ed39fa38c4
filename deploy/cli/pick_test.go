package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/stages/analysis/coreset"
)

func TestPickRefusesWhatMeansNothing(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "long.txt")
	if err := os.WriteFile(bad, []byte("a\n"+strings.Repeat("x", 1<<17)), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*wire.PickQuery, *pickFlags)
		want   string
	}{
		"dataset":    {func(q *wire.PickQuery, _ *pickFlags) { q.Dataset = "" }, "--dataset is required"},
		"method":     {func(q *wire.PickQuery, _ *pickFlags) { q.Method = "" }, "--method is required"},
		"unknown":    {func(q *wire.PickQuery, _ *pickFlags) { q.Method = "best" }, "there is no method"},
		"budget":     {func(q *wire.PickQuery, _ *pickFlags) { q.Count = 0 }, "one of fraction, count and bytes"},
		"split":      {func(_ *wire.PickQuery, f *pickFlags) { f.split = "dev" }, "train, val, test or all"},
		"bytes":      {func(_ *wire.PickQuery, f *pickFlags) { f.bytes = "many" }, "--bytes"},
		"absent":     {func(_ *wire.PickQuery, f *pickFlags) { f.keep = "absent.txt" }, "--keep: open absent.txt"},
		"long line":  {func(_ *wire.PickQuery, f *pickFlags) { f.drop = bad }, "line 2"},
		"forgetting": {func(q *wire.PickQuery, _ *pickFlags) { q.Method, q.By, q.Run = "forgettable", "aum", "r" }, "goes by the score forgetting"},
		"run":        {func(q *wire.PickQuery, _ *pickFlags) { q.Run = "r" }, "name the score"},
		"waiting":    {func(q *wire.PickQuery, _ *pickFlags) { q.Unlabeled, q.By = true, "aum" }, "leave out"},
	} {
		q := wire.PickQuery{Dataset: "d", Query: coreset.Query{Method: "kcenter", Count: 3, Options: coreset.DefaultOptions()}}
		f := pickFlags{split: "train"}
		tt.change(&q, &f)
		if err := f.fill(&q); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	q := wire.PickQuery{Dataset: "d", Unlabeled: true, Query: coreset.Query{Options: coreset.DefaultOptions()}}
	f := pickFlags{split: "train", bytes: "2 MiB"}
	if err := f.fill(&q); err != nil || q.Method != coreset.Uncertain || q.Bytes != 2<<20 || q.Split != "" {
		t.Errorf("%+v, %v", q, err)
	}
	q.Method, q.Run, q.Unlabeled = "forgetting", "r", false
	if err := f.fill(&q); err != nil || q.By != "forgetting" {
		t.Errorf("%+v, %v", q, err)
	}
	f.split, q.Unlabeled = string(schemas.SplitVal), false
	if err := f.fill(&q); err != nil || q.Split != schemas.SplitVal {
		t.Errorf("%+v, %v", q, err)
	}
}
