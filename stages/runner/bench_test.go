package runner

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"gleaner/schemas"
)

// nullSink is durable at once.
type nullSink struct{}

func (nullSink) Write(context.Context, []schemas.Record) error { return nil }
func (nullSink) Close(context.Context) error                   { return nil }

// BenchmarkOverhead measures what the runner itself costs a record, with and without the crash-loop guard: a handler that
// passes its input on, a source and a sink that cost nothing.
func BenchmarkOverhead(b *testing.B) {
	emit := []schemas.Emit{{Topic: schemas.Linted}}
	value := make([]byte, 100)
	for _, guarded := range []bool{false, true} {
		name := map[bool]string{false: "bare", true: "guarded"}[guarded]
		b.Run(name, func(b *testing.B) {
			var guard *Guard
			if guarded {
				var err error
				if guard, err = OpenGuard(b.TempDir(), slog.New(slog.DiscardHandler)); err != nil {
					b.Fatal(err)
				}
				defer guard.Close()
			}
			handler := handlerFunc(func(_ context.Context, r schemas.Record) ([]schemas.Emit, error) {
				return append([]schemas.Emit(nil), emit...), nil
			})
			source := &benchSource{left: b.N, value: value}
			r, err := New("lint", DefaultConfig(), Deps{Sources: []Source{source}, Sink: nullSink{}, Handler: handler, Guard: guard, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			if err := r.Run(context.Background()); err != nil {
				b.Fatal(err)
			}
			if s := r.Stats(); s.In != uint64(b.N) {
				b.Fatalf("%d of %d records", s.In, b.N)
			}
		})
	}
}

// benchSource gives the same delivery again and again.
type benchSource struct {
	left  int
	value []byte
}

func (s *benchSource) Read(ctx context.Context) (schemas.Delivery, error) {
	n := min(s.left, 64)
	if n == 0 {
		return schemas.Delivery{}, io.EOF
	}
	s.left -= n
	records := make([]schemas.Record, n)
	for i := range records {
		records[i] = schemas.Record{Topic: schemas.Samples, Value: s.value}
	}
	return schemas.Delivery{Records: records, Ack: func(int) {}}, nil
}

func (s *benchSource) Close(context.Context) error { return nil }
