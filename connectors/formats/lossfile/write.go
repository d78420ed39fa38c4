package lossfile

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"gleaner/schemas"
)

// written is a column as Write writes it.
type written struct {
	name string
	kind arrow.DataType
	fill func(b array.Builder, l *schemas.Losses)
}

// columnOf is a column of values as they are.
func columnOf[T any, B interface {
	AppendValues(values []T, valid []bool)
}](name string, kind arrow.DataType, of func(l *schemas.Losses) []T) written {
	return written{name, kind, func(b array.Builder, l *schemas.Losses) { b.(B).AppendValues(of(l), nil) }}
}

var writtenColumns = []written{
	columnOf[string, *array.StringBuilder]("run_id", arrow.BinaryTypes.String, func(l *schemas.Losses) []string { return l.RunID }),
	columnOf[uint32, *array.Uint32Builder]("attempt", arrow.PrimitiveTypes.Uint32, func(l *schemas.Losses) []uint32 { return l.Attempt }),
	columnOf[string, *array.StringBuilder]("model", arrow.BinaryTypes.String, func(l *schemas.Losses) []string { return l.Model }),
	columnOf[string, *array.StringBuilder]("dataset", arrow.BinaryTypes.String, func(l *schemas.Losses) []string { return l.Dataset }),
	{"sample_id", arrow.BinaryTypes.String, func(b array.Builder, l *schemas.Losses) {
		for _, id := range l.SampleID {
			b.(*array.StringBuilder).Append(id.String())
		}
	}},
	columnOf[string, *array.StringBuilder]("object_id", arrow.BinaryTypes.String, func(l *schemas.Losses) []string { return l.ObjectID }),
	columnOf[uint32, *array.Uint32Builder]("epoch", arrow.PrimitiveTypes.Uint32, func(l *schemas.Losses) []uint32 { return l.Epoch }),
	columnOf[uint64, *array.Uint64Builder]("step", arrow.PrimitiveTypes.Uint64, func(l *schemas.Losses) []uint64 { return l.Step }),
	columnOf[float32, *array.Float32Builder]("loss", arrow.PrimitiveTypes.Float32, func(l *schemas.Losses) []float32 { return l.Loss }),
	columnOf[bool, *array.BooleanBuilder]("correct", arrow.FixedWidthTypes.Boolean, func(l *schemas.Losses) []bool { return l.Correct }),
	columnOf[float32, *array.Float32Builder]("margin", arrow.PrimitiveTypes.Float32, func(l *schemas.Losses) []float32 { return l.Margin }),
	columnOf[float32, *array.Float32Builder]("p_true", arrow.PrimitiveTypes.Float32, func(l *schemas.Losses) []float32 { return l.PTrue }),
	columnOf[float32, *array.Float32Builder]("el2n", arrow.PrimitiveTypes.Float32, func(l *schemas.Losses) []float32 { return l.EL2N }),
	columnOf[float32, *array.Float32Builder]("emb_norm", arrow.PrimitiveTypes.Float32, func(l *schemas.Losses) []float32 { return l.EmbNorm }),
	columnOf[bool, *array.BooleanBuilder]("forgot", arrow.FixedWidthTypes.Boolean, func(l *schemas.Losses) []bool { return l.Forgot }),
	columnOf[string, *array.StringBuilder]("lineage", arrow.BinaryTypes.String, func(l *schemas.Losses) []string { return l.Lineage }),
}

// Write writes tables as one Parquet file that Read reads: the columns of schemas.Losses in snake case, sample ids as 32 hex digits.
func Write(w io.Writer, tables iter.Seq2[schemas.Losses, error]) error {
	fields := make([]arrow.Field, len(writtenColumns))
	for i, c := range writtenColumns {
		fields[i] = arrow.Field{Name: c.name, Type: c.kind}
	}
	schema := arrow.NewSchema(fields, nil)
	out, err := pqarrow.NewFileWriter(schema, struct{ io.Writer }{w}, // which Close cannot close
		parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd)), pqarrow.DefaultWriterProps())
	if err != nil {
		return fmt.Errorf("losses: %w", err)
	}
	build := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer build.Release()
	for table, err := range tables {
		if err != nil {
			return errors.Join(err, out.Close())
		}
		for i, c := range writtenColumns {
			c.fill(build.Field(i), &table)
		}
		record := build.NewRecord()
		err := out.WriteBuffered(record)
		record.Release()
		if err != nil {
			return errors.Join(fmt.Errorf("losses: %w", err), out.Close())
		}
	}
	return out.Close()
}
