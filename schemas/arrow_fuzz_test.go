package schemas

import "testing"

// fuzzDecode: arbitrary bytes give an error or a value that survives another round, never a panic or a flood of memory.
func fuzzDecode[T any](f *testing.F, name string, encode func(*T) ([]byte, error), decode func([]byte) (T, error)) {
	for _, c := range codecs() {
		b, err := c.encode()
		if err != nil {
			f.Fatal(err)
		}
		if c.name == name {
			f.Add(b)
			f.Add(b[:len(b)/2])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := decode(b)
		if err != nil {
			return
		}
		again, err := encode(&v)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decode(again)
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(v, back); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzDecodeSample(f *testing.F) { fuzzDecode(f, "sample", EncodeSample, DecodeSample) }

func FuzzDecodeLabel(f *testing.F) { fuzzDecode(f, "label", EncodeLabel, DecodeLabel) }

func FuzzDecodeRejected(f *testing.F) { fuzzDecode(f, "rejected", EncodeRejected, DecodeRejected) }

func FuzzDecodeLosses(f *testing.F) { fuzzDecode(f, "losses", EncodeLosses, DecodeLosses) }

func FuzzDecodeEmbeddings(f *testing.F) {
	fuzzDecode(f, "embeddings", EncodeEmbeddings, DecodeEmbeddings)
}

func FuzzDecodeManifest(f *testing.F) { fuzzDecode(f, "manifest", EncodeManifest, DecodeManifest) }

func FuzzDecodeDistillate(f *testing.F) {
	fuzzDecode(f, "distillate", EncodeDistillate, DecodeDistillate)
}
