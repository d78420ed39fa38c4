package kafka

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gleaner/schemas"
)

// noise fills b with bytes that do not compress, as an image's.
func noise(b []byte) {
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(b)
}

func BenchmarkSink(b *testing.B) {
	for _, size := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("%dKB", size/1000), func(b *testing.B) {
			c := client(b, quickConfig(broker(b)))
			spec := topic("work", 8)
			spec.MaxMessageBytes = 4 << 20
			if err := c.EnsureTopics(b.Context(), []schemas.TopicSpec{spec}); err != nil {
				b.Fatal(err)
			}
			sink := c.Sink()
			defer sink.Close(b.Context())
			b.SetBytes(int64(64 * size))
			b.SetParallelism(8) // writers for each processor, as a step has workers
			b.RunParallel(func(pb *testing.PB) {
				records := load(size, 0)
				for pb.Next() {
					if err := sink.Write(b.Context(), records); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func BenchmarkSource(b *testing.B) {
	for _, size := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("%dKB", size/1000), func(b *testing.B) {
			c := client(b, quickConfig(broker(b)))
			spec := topic("work", 8)
			spec.MaxMessageBytes = 4 << 20
			if err := c.EnsureTopics(b.Context(), []schemas.TopicSpec{spec}); err != nil {
				b.Fatal(err)
			}
			sink := c.Sink()
			records := 200_000_000 / size
			for i := 0; i < records; i += 50 {
				if err := sink.Write(b.Context(), load(size, i)[:50]); err != nil {
					b.Fatal(err)
				}
			}
			_ = sink.Close(b.Context())
			b.SetBytes(int64(records * size))
			for i := 0; b.Loop(); i++ { // a group of its own reads everything: joining is part of the time
				s, err := c.Source(SourceConfig{Group: fmt.Sprint("g", i), Topic: "work"})
				if err != nil {
					b.Fatal(err)
				}
				for have := 0; have < records; {
					d, err := s.Read(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					for j := range d.Records {
						d.Ack(j)
					}
					have += len(d.Records)
				}
				b.StopTimer()
				if err := s.Close(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// load is 64 records of the size with keys of their own.
func load(size, first int) []schemas.Record {
	value := make([]byte, size)
	noise(value)
	out := make([]schemas.Record, 64)
	for i := range out {
		out[i] = schemas.Record{Topic: "work", Key: fmt.Append(nil, first+i), Value: value}
	}
	return out
}
