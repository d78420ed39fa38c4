package schemas

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gleaner/schemas/geometry"
)

var update = flag.Bool("update", false, "write the golden files of the current version")

var testTime = time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)

func testSample() Sample {
	id := NewSampleID("street", "cam-1/0001.jpg", Hash{})
	fix := geometry.Box{X1: 1, Y1: 2, X2: 30.5, Y2: 40.25}
	return Sample{
		ID: id, Dataset: "street", UniqueID: "cam-1/0001.jpg", Task: "detect",
		Image:  ImageRef{SHA256: Hash{1, 2, 3}, Size: 5, MediaType: "image/jpeg", W: 640, H: 480, Inline: []byte("\xff\xd8\xff\xe0\x00")},
		Slices: map[string]string{"weather": "rain", "night": "no"}, PHash: 1 << 63, Group: SampleID{9},
		Received: testTime, Stage: StageLinted, Revision: 3, Rank: RankHuman,
		Objects: []Object{
			{ID: "o1", Class: "car", Box: geometry.Box{X1: 0.5, Y1: 1, X2: 30, Y2: 40}, Score: 0.75, Source: "yolox_nano@1", Attributes: map[string]string{"color": "red", "truncated": "true"}},
			{ID: "o2", Class: "人"},
		},
		Proposals: []Object{{
			ID: "p1", Class: "vehicle", Score: 0.0625, RawScore: 0.125, Raw: geometry.Box{X1: 1, X2: 3, Y2: 4},
			Canonical: "vehicle", Lineage: "street@1 coco@2017:car<vehicle", Refine: true,
		}},
		Candidates:  []Candidates{testCandidates(), {Model: "probe@3", Floor: 1}},
		Superpixels: Superpixels{Count: 2, Encoding: "labelmap/1", Data: []byte{1, 2, 3}},
		Findings: []Finding{
			{Type: FindingLoose, ObjectID: "o1", Class: "car", Box: geometry.Box{X2: 5, Y2: 5}, Score: 0.5, Prior: 0.75, Why: "the box is loose", Fix: &fix, FixClass: "bus"},
			{Type: FindingMissing, Class: "person", Score: 1, Why: "nobody labeled this person"},
		},
		Overrides: []Override{
			{Type: FindingLoss, ObjectID: "o1", Class: "car", Box: geometry.Box{X1: 0.5, Y1: 1, X2: 30, Y2: 40}, Why: "never learned", Reason: "a rare car"},
			{Type: FindingMissing, Reason: "a mirror"},
		},
		Stamps: []Stamp{{Step: "ingest", Version: "0.1.0", At: testTime, Millis: 1.5}, {Step: "prelabel", Model: "yolox_nano@1", Hash: "ab"}},
		Actor:  "alice",
	}
}

// testCandidates are those of a model that knows how sure it is, at values that the codec keeps as they are.
func testCandidates() Candidates {
	score := float32(0.75)
	score = float32(float64(quantum(score, 0xffff)) / 0xffff)
	sides := func(x float32, first int) *Sides {
		s := Sides{X: x, Y: 2.5, StepX: 16.25, StepY: 15.75, P: make([]byte, 4*8)}
		for side := range 4 {
			s.P[8*side+first], s.P[8*side+first+1] = 200, 55
		}
		return &s
	}
	return Candidates{Model: "nanodet@1", Look: LookTiles, Floor: 0.0625, At: []geometry.Box{{X1: 1, Y1: 2.5, X2: 30, Y2: 40}, {}}, Classes: []string{"car", "bus", "person"}, Cells: []Candidate{
		{Box: geometry.Box{X1: 0, Y1: 1.125, X2: 300.5, Y2: 40}, Score: 1, Scores: []ClassScore{{Class: 2, Score: 1}, {Class: 0, Score: float32(1. / 25)}}, Sides: sides(-8, 0)},
		{Box: geometry.Box{X1: 1, Y1: 1, X2: 1.125, Y2: 1.125}, Score: score, Sides: sides(700.125, 6)},
		{Box: geometry.Box{X2: 640, Y2: 480}, Scores: []ClassScore{{Class: 1}}},
	}}
}

func testLosses(rows int) Losses {
	var l Losses
	for i := range rows {
		l.Append(LossRow{
			RunID: "run-7", Attempt: 2, Model: "probe@3", Dataset: "street", SampleID: SampleID{byte(i), byte(i >> 8)},
			ObjectID: fmt.Sprintf("o%d", i%7), Epoch: uint32(i / 10), Step: uint64(i), Loss: float32(i) / 8, Correct: i%3 == 0,
			Margin: -1.5, PTrue: 0.25, EL2N: 0.5, EmbNorm: 3, Forgot: i%5 == 0,
			Lineage: "street@1 coco@2017:car=car",
		})
	}
	return l
}

// codec is one message type with a value, for the tests that all of them share.
type codec struct {
	name   string
	value  any // what decode returns for the encoded value
	encode func() ([]byte, error)
	decode func([]byte) (any, error)
}

func newCodec[T any](name string, value T, encode func(*T) ([]byte, error), decode func([]byte) (T, error)) codec {
	return codec{
		name, value,
		func() ([]byte, error) { return encode(&value) },
		func(b []byte) (any, error) { return decode(b) },
	}
}

func codecs() []codec {
	losses := testLosses(3)
	losses.Loss[2] = float32(math.NaN())
	s := testSample()
	return []codec{
		newCodec("sample", testSample(), EncodeSample, DecodeSample),
		newCodec("label", Label{
			SampleID: s.ID, Dataset: s.Dataset, UniqueID: s.UniqueID, Task: s.Task, Image: s.Image, Group: s.Group, Slices: s.Slices,
			Rank: RankReviewed, Revision: 4, Objects: s.Objects, Overrides: s.Overrides, Actor: "simulated:truth", Stamps: s.Stamps, At: testTime,
		}, EncodeLabel, DecodeLabel),
		newCodec("rejected", Rejected{Sample: s, Reason: "blurred", Measure: 3.5, Threshold: 20, Detail: "variance of the Laplacian"}, EncodeRejected, DecodeRejected),
		newCodec("losses", losses, EncodeLosses, DecodeLosses),
		newCodec("embeddings", Embeddings{
			Dataset: []string{"street", "street"}, SampleID: []SampleID{{1}, {2}}, ObjectID: []string{"", "o1"},
			Model: []string{"probe@3", "probe@3"}, Layer: []string{"pool", "pool"}, Dim: 3, Vector: []float32{1, 2, 3, -4, 5, 6},
		}, EncodeEmbeddings, DecodeEmbeddings),
		newCodec("manifest", Manifest{
			Dataset: []string{"street", "street"}, SampleID: []SampleID{{1}, {2}}, ObjectID: []string{"", "o1"}, Image: []Hash{{3}, {4}},
			Label: []string{"[]", `[{"id":"o1"}]`}, Weight: []float32{1, 2.5}, Origin: []Origin{OriginNew, OriginEdge},
			MixVersion: []string{"m1", "m1"}, Epoch: []uint32{1, 1}, Sequence: []uint64{7, 8},
		}, EncodeManifest, DecodeManifest),
		newCodec("distillate", Distillate{
			Dataset: "street", DatasetVersion: "street@0123456789ab", Class: "car", Version: "1", Recipe: `{"method":"dm"}`,
			Images: [][]byte{{1, 2}, {3}}, MediaType: "image/png", At: testTime,
		}, EncodeDistillate, DecodeDistillate),
	}
}

func diff(want, got any) string { return cmp.Diff(want, got, cmpopts.EquateNaNs()) }

func TestArrowRoundTrip(t *testing.T) {
	minimal := Sample{ID: SampleID{1}, Dataset: "d", Task: "detect", Group: SampleID{1}}
	for _, c := range append(
		codecs(),
		newCodec("minimal sample", minimal, EncodeSample, DecodeSample),
		newCodec("no losses", Losses{}, EncodeLosses, DecodeLosses),
		newCodec("no embeddings", Embeddings{}, EncodeEmbeddings, DecodeEmbeddings),
		newCodec("minimal distillate", Distillate{Dataset: "d", Class: "c", Version: "1"}, EncodeDistillate, DecodeDistillate),
	) {
		b, err := c.encode()
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got, err := c.decode(b)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if d := diff(c.value, got); d != "" {
			t.Errorf("%s: -want +got\n%s", c.name, d)
		}
	}
}

func TestSampleIsNormalized(t *testing.T) {
	zone := time.FixedZone("somewhere", 3600)
	s := Sample{
		ID: SampleID{1}, Dataset: "d", Task: "detect", Received: testTime.Add(789 * time.Nanosecond).In(zone),
		Objects: []Object{}, Slices: map[string]string{}, Image: ImageRef{Inline: []byte{}},
	}
	b, err := EncodeSample(&s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeSample(b)
	if err != nil {
		t.Fatal(err)
	}
	want := Sample{ID: SampleID{1}, Dataset: "d", Task: "detect", Received: testTime, Group: SampleID{1}}
	if d := diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

// Bytes that a released version wrote must decode, to the same values, for as long as their topic exists.
func TestGolden(t *testing.T) {
	for _, c := range codecs() {
		path := filepath.Join("testdata", c.name+".v1.arrow")
		if *update {
			b, err := c.encode()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v: write it with go test ./schemas -run TestGolden -update", err)
		}
		got, err := c.decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(c.value, got); d != "" {
			t.Errorf("%s: -want +got\n%s", path, d)
		}
		again, err := c.encode()
		if err != nil {
			t.Fatal(err)
		}
		if !readSchema(t, again).Equal(readSchema(t, b)) {
			t.Errorf("%s: the columns written now are others:\n%v\nwere\n%v", path, readSchema(t, again), readSchema(t, b))
		}
	}
}

// Messages from before objects and losses had a lineage, objects attributes and scores of their own, findings priors, overrides more than a
// type, an object and a sentence, and samples candidates, read as what they were, with none.
func TestGoldenWithoutLineage(t *testing.T) {
	plain := func(objects []Object) []Object {
		for i := range objects {
			objects[i].Canonical, objects[i].Lineage, objects[i].Refine, objects[i].Attributes = "", "", false, nil
		}
		return objects
	}
	s, losses := testSample(), testLosses(3)
	s.Objects, s.Candidates = plain(s.Objects), nil
	s.Findings[0].Type, s.Findings[0].Prior, s.Findings[0].FixClass = "location", 0, "" // a type of then
	s.Overrides = []Override{{Type: FindingLoss, ObjectID: "o1", Reason: "a rare car"}, {Type: FindingMissing, Reason: "a mirror"}}
	s.Proposals = []Object{{ID: "p1", Class: "car", Score: 0.0625}}
	losses.Loss[2], losses.Lineage = float32(math.NaN()), make([]string, 3)
	for _, c := range codecs() {
		var want any
		switch v := c.value.(type) {
		case Sample:
			want = s
		case Rejected:
			v.Sample = s
			want = v
		case Label:
			v.Objects, v.Overrides = s.Objects, s.Overrides
			want = v
		case Losses:
			want = losses
		default:
			continue
		}
		b, err := os.ReadFile(filepath.Join("testdata", "earlier", c.name+".v1.arrow"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.decode(b)
		if d := diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v, -want +got\n%s", c.name, err, d)
		}
	}
}

// Candidates from before they said how the model looked, and at what, are of the whole image.
func TestGoldenWithoutLooks(t *testing.T) {
	want := testSample()
	want.Candidates[0].Look, want.Candidates[0].At = LookWhole, nil
	b, err := os.ReadFile(filepath.Join("testdata", "earlier", "candidates.v1.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeSample(b)
	if d := diff(want, got); err != nil || d != "" {
		t.Errorf("%v, -want +got\n%s", err, d)
	}
}

func readSchema(t *testing.T, b []byte) *arrow.Schema {
	t.Helper()
	r, err := ipc.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return r.Schema()
}

// rewrite reads a message with the library alone and writes it with other columns.
func rewrite(t *testing.T, b []byte, change func(fields []arrow.Field, cols []arrow.Array, rows int) ([]arrow.Field, []arrow.Array)) []byte {
	t.Helper()
	r, err := ipc.NewReader(bytes.NewReader(b))
	if err != nil || !r.Next() {
		t.Fatalf("no record: %v", err)
	}
	rec := r.Record()
	fields, cols := change(rec.Schema().Fields(), rec.Columns(), int(rec.NumRows()))
	schema := arrow.NewSchema(fields, nil)
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(schema))
	if err := w.Write(array.NewRecord(schema, cols, rec.NumRows())); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestUnknownColumnsAreIgnored(t *testing.T) {
	for _, c := range codecs() {
		b, err := c.encode()
		if err != nil {
			t.Fatal(err)
		}
		b = rewrite(t, b, func(fields []arrow.Field, cols []arrow.Array, rows int) ([]arrow.Field, []arrow.Array) {
			extra := array.NewFloat64Builder(memory.DefaultAllocator)
			for i := range rows {
				extra.Append(float64(i))
			}
			fields = append([]arrow.Field{{Name: "from the future", Type: arrow.PrimitiveTypes.Float64}}, fields...)
			return fields, append([]arrow.Array{extra.NewArray()}, cols...)
		})
		got, err := c.decode(b)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if d := diff(c.value, got); d != "" {
			t.Errorf("%s: -want +got\n%s", c.name, d)
		}
	}
}

func keep(names ...string) func([]arrow.Field, []arrow.Array, int) ([]arrow.Field, []arrow.Array) {
	return func(fields []arrow.Field, cols []arrow.Array, _ int) (f []arrow.Field, c []arrow.Array) {
		for i := range fields {
			for _, n := range names {
				if fields[i].Name == n {
					f, c = append(f, fields[i]), append(c, cols[i])
				}
			}
		}
		return f, c
	}
}

func TestMissingColumnsTakeTheirDefaults(t *testing.T) {
	s := testSample()
	b, err := EncodeSample(&s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeSample(rewrite(t, b, keep("id", "dataset", "revision")))
	want := Sample{ID: s.ID, Dataset: s.Dataset, Task: "detect", Group: s.ID, Revision: 3}
	if d := diff(want, got); err != nil || d != "" {
		t.Errorf("sample: %v, -want +got\n%s", err, d)
	}

	l := testLosses(2)
	if b, err = EncodeLosses(&l); err != nil {
		t.Fatal(err)
	}
	losses, err := DecodeLosses(rewrite(t, b, keep("run_id", "sample_id", "epoch", "loss")))
	wantLosses := Losses{
		RunID: l.RunID, SampleID: l.SampleID, Epoch: l.Epoch, Loss: l.Loss, Attempt: []uint32{1, 1},
		Model: make([]string, 2), Dataset: make([]string, 2), ObjectID: make([]string, 2), Step: make([]uint64, 2), Correct: make([]bool, 2),
		Margin: make([]float32, 2), PTrue: make([]float32, 2), EL2N: make([]float32, 2), EmbNorm: make([]float32, 2), Forgot: make([]bool, 2),
		Lineage: make([]string, 2),
	}
	if d := diff(wantLosses, losses); err != nil || d != "" {
		t.Errorf("losses: %v, -want +got\n%s", err, d)
	}
}

// What a trainer in another language may write: strings that are large or dictionary-encoded, nulls, other time units.
func TestOtherWritersAreRead(t *testing.T) {
	l := testLosses(3)
	b, err := EncodeLosses(&l)
	if err != nil {
		t.Fatal(err)
	}
	b = rewrite(t, b, func(fields []arrow.Field, cols []arrow.Array, _ int) ([]arrow.Field, []arrow.Array) {
		for i, f := range fields {
			switch f.Name {
			case "run_id":
				large := array.NewLargeStringBuilder(memory.DefaultAllocator)
				large.AppendValues([]string{"run-7", "run-7", "run-7"}, nil)
				cols[i] = large.NewArray()
			case "model":
				typ := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
				words := array.NewDictionaryBuilder(memory.DefaultAllocator, typ).(*array.BinaryDictionaryBuilder)
				for range 3 {
					if err := words.AppendString("probe@3"); err != nil {
						t.Fatal(err)
					}
				}
				cols[i] = words.NewArray()
			case "attempt":
				nulls := array.NewUint32Builder(memory.DefaultAllocator)
				nulls.AppendValues([]uint32{2, 9, 2}, []bool{true, false, true})
				cols[i] = nulls.NewArray()
			}
			fields[i].Type = cols[i].DataType()
		}
		return fields, cols
	})
	l.Attempt[1] = 1
	got, err := DecodeLosses(b)
	if d := diff(l, got); err != nil || d != "" {
		t.Errorf("%v, -want +got\n%s", err, d)
	}
}

func TestDecodeSaysWhatIsWrong(t *testing.T) {
	s, l := testSample(), testLosses(2)
	sample, err := EncodeSample(&s)
	if err != nil {
		t.Fatal(err)
	}
	losses, err := EncodeLosses(&l)
	if err != nil {
		t.Fatal(err)
	}
	retype := rewrite(t, losses, func(fields []arrow.Field, cols []arrow.Array, _ int) ([]arrow.Field, []arrow.Array) {
		for i := range fields {
			if fields[i].Name == "epoch" {
				fields[i].Type, cols[i] = cols[0].DataType(), cols[0]
			}
		}
		return fields, cols
	})
	twice := func() []byte {
		r, err := ipc.NewReader(bytes.NewReader(losses))
		if err != nil || !r.Next() {
			t.Fatal("no record")
		}
		var out bytes.Buffer
		w := ipc.NewWriter(&out, ipc.WithSchema(r.Schema()))
		for range 2 {
			if err := w.Write(r.Record()); err != nil {
				t.Fatal(err)
			}
		}
		return out.Bytes()
	}()
	zipped := func() []byte {
		r, err := ipc.NewReader(bytes.NewReader(losses))
		if err != nil || !r.Next() {
			t.Fatal("no record")
		}
		var out bytes.Buffer
		w := ipc.NewWriter(&out, ipc.WithSchema(r.Schema()), ipc.WithLZ4())
		if err := w.Write(r.Record()); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}()
	for name, c := range map[string]struct {
		bytes []byte
		want  string
	}{
		"nothing":         {nil, "decode losses of 0 bytes"},
		"text":            {[]byte("run,epoch,loss\n1,2,3\n"), "not an Arrow stream"},
		"half":            {losses[:len(losses)/2], "decode losses of"},
		"another message": {sample, "column run_id is missing"},
		"another type":    {retype, "column epoch: has type utf8, want uint32"},
		"two batches":     {twice, "more than one record batch"},
		"compressed":      {zipped, "write it without compression"},
	} {
		_, err := DecodeLosses(c.bytes)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	l.Loss = l.Loss[:1]
	if _, err := EncodeLosses(&l); err == nil || !strings.Contains(err.Error(), "column loss has 1 rows, want 2") {
		t.Errorf("uneven columns: %v", err)
	}
}

// Strings that repeat share memory, and nothing that is decoded aliases the message.
func TestDecodedValuesAreTheirOwn(t *testing.T) {
	s := testSample()
	b, err := EncodeSample(&s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeSample(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if d := diff(s, got); d != "" {
		t.Errorf("changed with the message: -want +got\n%s", d)
	}
}

func BenchmarkSampleRoundTrip(b *testing.B) {
	for _, inline := range []int{0, 128 << 10} {
		b.Run(fmt.Sprint(inline), func(b *testing.B) { benchmarkSample(b, inline) })
	}
}

func benchmarkSample(b *testing.B, inline int) {
	s := testSample()
	s.Image.Inline = make([]byte, inline)
	for range 50 {
		s.Proposals = append(s.Proposals, s.Objects[0])
	}
	b.ReportAllocs()
	for b.Loop() {
		data, err := EncodeSample(&s)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := DecodeSample(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeLosses(b *testing.B) {
	l := testLosses(8192)
	data, err := EncodeLosses(&l)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeLosses(data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(l.Len())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}
