package lossfile

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"

	"gleaner/connectors/formats/parquet"
	"gleaner/schemas"
)

var columns = []parquet.Column{
	{Name: "run_id", Type: reflect.TypeFor[string]()},
	{Name: "attempt", Type: reflect.TypeFor[uint32]()},
	{Name: "model", Type: reflect.TypeFor[string]()},
	{Name: "dataset", Type: reflect.TypeFor[string]()},
	{Name: "sample_id", Type: reflect.TypeFor[string]()},
	{Name: "object_id", Type: reflect.TypeFor[string]()},
	{Name: "epoch", Type: reflect.TypeFor[uint32]()},
	{Name: "step", Type: reflect.TypeFor[uint64]()},
	{Name: "loss", Type: reflect.TypeFor[float32]()},
	{Name: "correct", Type: reflect.TypeFor[bool]()},
	{Name: "margin", Type: reflect.TypeFor[float32]()},
	{Name: "p_true", Type: reflect.TypeFor[float32]()},
	{Name: "el2n", Type: reflect.TypeFor[float32]()},
	{Name: "emb_norm", Type: reflect.TypeFor[float32]()},
	{Name: "forgot", Type: reflect.TypeFor[bool]()},
	{Name: "lineage", Type: reflect.TypeFor[string]()},
}

// Write writes tables as one Parquet file that Read reads: the columns of schemas.Losses in snake case, sample ids as 32 hex digits.
func Write(w io.Writer, tables iter.Seq2[schemas.Losses, error]) error {
	out, err := parquet.NewWriter(w, columns)
	if err != nil {
		return fmt.Errorf("losses: %w", err)
	}
	for l, err := range tables {
		for i := 0; err == nil && i < l.Len(); i++ {
			err = out.Write([]any{
				l.RunID[i], l.Attempt[i], l.Model[i], l.Dataset[i], l.SampleID[i].String(), l.ObjectID[i], l.Epoch[i], l.Step[i],
				l.Loss[i], l.Correct[i], l.Margin[i], l.PTrue[i], l.EL2N[i], l.EmbNorm[i], l.Forgot[i], l.Lineage[i],
			})
		}
		if err != nil {
			return errors.Join(fmt.Errorf("losses: %w", err), out.Close())
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("losses: %w", err)
	}
	return nil
}
