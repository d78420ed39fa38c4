package lossfile

import (
	"bytes"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
)

func each(tables []schemas.Losses, end error) iter.Seq2[schemas.Losses, error] {
	return func(yield func(schemas.Losses, error) bool) {
		for _, t := range tables {
			if !yield(t, nil) {
				return
			}
		}
		if end != nil {
			yield(schemas.Losses{}, end)
		}
	}
}

// TestWrite reads what was written, row by row.
func TestWrite(t *testing.T) {
	tables, want := make([]schemas.Losses, 3), schemas.Losses{}
	for i := range 3 {
		for j := range 1000 * i { // the first has no rows
			tables[i].Append(schemas.LossRow{
				RunID: "r", Attempt: uint32(i), Model: "m", Dataset: "d", SampleID: schemas.SampleID{byte(j)}, ObjectID: "o1", Epoch: uint32(i), Step: uint64(j),
				Loss: float32(j) / 7, Correct: j%2 == 0, Margin: -float32(j), PTrue: 0.5, EL2N: 0.25, EmbNorm: 3, Forgot: j%3 == 0, Lineage: "a/b",
			})
		}
		want.AppendTable(&tables[i])
	}
	path := filepath.Join(t.TempDir(), "x.parquet")
	var out bytes.Buffer
	if err := Write(&out, each(tables, nil)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var got schemas.Losses
	for table, err := range Read(t.Context(), path, Defaults{Ignored: func(_ string, columns []string) { t.Errorf("columns %v are ignored", columns) }}) {
		if err != nil {
			t.Fatal(err)
		}
		got.AppendTable(&table)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	why := errors.New("half way")
	if err := Write(&out, each(tables, why)); !errors.Is(err, why) {
		t.Errorf("%v, want the error of the tables", err)
	}
}
