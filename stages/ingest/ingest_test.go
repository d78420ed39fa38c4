package ingest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gleaner/schemas"
	"gleaner/stages/ingest"
)

// texture is a picture with detail at all scales: photo-like for ingest's checks. Seeds give unlike pictures.
func texture(w, h int, seed uint64) *image.NRGBA {
	r := rand.New(rand.NewPCG(seed, 2))
	type wave struct{ fx, fy, phase, amp float64 }
	var waves []wave
	for i := range 24 {
		f := 0.5 * math.Pow(1.35, float64(i))
		angle := 2 * math.Pi * r.Float64()
		waves = append(waves, wave{f * math.Cos(angle), f * math.Sin(angle), 7 * r.Float64(), 60 / math.Sqrt(1+f)})
	}
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := 128.0
			for _, k := range waves {
				v += k.amp * math.Sin(2*math.Pi*(k.fx*float64(x)/float64(w)+k.fy*float64(y)/float64(h))+k.phase)
			}
			c := uint8(max(0, min(255, v)))
			m.SetNRGBA(x, y, color.NRGBA{c, uint8(x * 255 / w), 255 - c, 255})
		}
	}
	return m
}

func encodeJPEG(t testing.TB, m image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodePNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodeGIF(t testing.TB, frames int) []byte {
	t.Helper()
	src := texture(64, 64, 3)
	palette := make(color.Palette, 0, 256)
	for i := range 256 {
		palette = append(palette, color.Gray{uint8(i)})
	}
	g := &gif.GIF{}
	for range frames {
		p := image.NewPaletted(src.Rect, palette)
		for i := range p.Pix {
			p.Pix[i] = src.Pix[4*i]
		}
		g.Image, g.Delay = append(g.Image, p), append(g.Delay, 5)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSampleOfARecord(t *testing.T) {
	w := newWorld()
	s := step(t, w, nil)
	data := encodeJPEG(t, texture(160, 120, 1), 90)
	got := handle(t, s, w, raw(data, "dataset", "helmets", "unique-id", "cam1/7.jpg", "media-type", "image/jpeg",
		"slice.weather", "rain", "slice.source", "cam1", "task", "segment", "unknown", "x"))
	sum := schemas.Hash(sha256.Sum256(data))
	id := schemas.NewSampleID("helmets", "cam1/7.jpg", sum)
	want := schemas.Sample{
		ID: id, Dataset: "helmets", UniqueID: "cam1/7.jpg", Task: "segment", Group: id, Received: received,
		Image:  schemas.ImageRef{SHA256: sum, Size: int64(len(data)), MediaType: "image/jpeg", W: 160, H: 120, Inline: data},
		Slices: map[string]string{"weather": "rain", "source": "cam1"}, Stage: schemas.StageSamples,
	}
	if diff := cmp.Diff(want, got.sample, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(schemas.Sample{}, "PHash", "Stamps")); diff != "" || got.reason != "" {
		t.Errorf("reason %q, sample (-want +got):\n%s", got.reason, diff)
	}
	if got.sample.PHash == 0 {
		t.Error("no perceptual hash")
	}

	// Without a unique id the content names the sample; a large image does not travel; a lie about the type is kept as a slice.
	s = step(t, w, func(c *ingest.Config) { c.Inline = 100 })
	got = handle(t, s, w, raw(data, "dataset", "other", "media-type", "image/png; q=1"))
	if got.sample.ID != schemas.NewSampleID("other", "", sum) || got.sample.Task != "detect" || len(got.sample.Image.Inline) != 0 ||
		got.sample.Image.MediaType != "image/jpeg" || got.sample.Slices[ingest.DeclaredMediaType] != "image/png" {
		t.Errorf("sample %+v", got.sample)
	}
}

func TestDuplicates(t *testing.T) {
	w := newWorld()
	s := step(t, w, nil)
	one, two := encodeJPEG(t, texture(160, 120, 1), 90), encodeJPEG(t, texture(160, 120, 2), 90)
	for _, c := range []struct {
		name   string
		rec    schemas.Record
		reason string
	}{
		{"first", raw(one, "dataset", "d", "unique-id", "a"), ""},
		{"a retry is no duplicate of itself", raw(one, "dataset", "d", "unique-id", "a"), ""},
		{"another id, same bytes", raw(one, "dataset", "d", "unique-id", "b"), ingest.Duplicate},
		{"no id, same bytes", raw(one, "dataset", "d"), ingest.Duplicate},
		{"same id, other bytes", raw(two, "dataset", "d", "unique-id", "a"), ingest.Conflict},
		{"other bytes of their own", raw(two, "dataset", "d", "unique-id", "c"), ""},
		{"another dataset", raw(one, "dataset", "e", "unique-id", "b"), ""},
		{"a duplicate, taken back", raw(one, "dataset", "d", "unique-id", "f", "accept-rejected", "true"), ""},
		{"a conflict cannot be taken back", raw(two, "dataset", "d", "unique-id", "a", "accept-rejected", "true"), ingest.Conflict},
		{"not taken back", raw(one, "dataset", "d", "unique-id", "g", "accept-rejected", "false"), ingest.Duplicate},
	} {
		got := handle(t, s, w, c.rec)
		if got.reason != c.reason {
			t.Errorf("%s: reason %q, want %q", c.name, got.reason, c.reason)
		}
		if first := schemas.NewSampleID("d", "a", schemas.Hash{}).String(); got.reason == ingest.Duplicate && !strings.Contains(got.reject.Detail, first) {
			t.Errorf("%s: detail %q does not name sample %s", c.name, got.reject.Detail, first)
		}
	}
}

// TestUniqueIDIsFreeUntilLetIn sends a cut file, the bytes of another sample and a twin of it first, and then the right file,
// all under the same id.
func TestUniqueIDIsFreeUntilLetIn(t *testing.T) {
	w := newWorld()
	s := step(t, w, nil)
	whole := encodeJPEG(t, texture(160, 120, 1), 90)
	if got := handle(t, s, w, raw(whole[:len(whole)/2], "dataset", "d", "unique-id", "a")); got.reason != "truncated" {
		t.Fatalf("reason %q, want truncated", got.reason)
	}
	other, twin := encodeJPEG(t, texture(160, 120, 2), 95), encodeJPEG(t, texture(160, 120, 2), 50)
	handle(t, s, w, raw(other, "dataset", "d", "unique-id", "b"))
	if !ingest.Final(ingest.Conflict) || ingest.Final(ingest.Duplicate) {
		t.Error("a duplicate can be taken back, a conflict cannot")
	}
	if got := handle(t, s, w, raw(other, "dataset", "d", "unique-id", "a")); got.reason != ingest.Duplicate {
		t.Fatalf("reason %q, want %s", got.reason, ingest.Duplicate)
	}
	strict := step(t, w, func(c *ingest.Config) { c.Thresholds.RejectBits = 6 })
	if got := handle(t, strict, w, raw(twin, "dataset", "d", "unique-id", "a")); got.reason != ingest.NearDuplicate {
		t.Fatalf("reason %q, want %s", got.reason, ingest.NearDuplicate)
	}
	if got := handle(t, s, w, raw(whole, "dataset", "d", "unique-id", "a")); got.reason != "" {
		t.Errorf("the whole file: reason %q (%s), want that it is let in", got.reason, got.reject.Detail)
	}
}

// TestOlderClaims has a store from when each claim held only what its key does not name, and a try that was cut short between
// the two.
func TestOlderClaims(t *testing.T) {
	one, other := encodeJPEG(t, texture(160, 120, 1), 90), encodeJPEG(t, texture(160, 120, 2), 90)
	sum, id := schemas.Hash(sha256.Sum256(one)), schemas.NewSampleID("d", "a", schemas.Hash{})
	content, owner := schemas.ContentKey(id), schemas.OwnerKey("d", sum)
	for name, blobs := range map[string]map[string][]byte{
		"whole":     {content: []byte(sum.String()), owner: []byte(id.String())},
		"cut short": {content: []byte(sum.String())},
	} {
		w := newWorld()
		maps.Copy(w.blobs, blobs)
		s := step(t, w, nil)
		for _, c := range []struct {
			id, reason string
			data       []byte
		}{{"a", "", one}, {"a", ingest.Conflict, other}, {"b", ingest.Duplicate, one}, {"a", "", one}} {
			got := handle(t, s, w, raw(c.data, "dataset", "d", "unique-id", c.id))
			if got.reason != c.reason || c.reason == ingest.Duplicate && !strings.Contains(got.reject.Detail, id.String()) ||
				c.reason == ingest.Conflict && !strings.HasSuffix(got.reject.Detail, sum.String()) {
				t.Errorf("%s: reason %q, %q, want %q", name, got.reason, got.reject.Detail, c.reason)
			}
		}
	}
}

func TestNearDuplicates(t *testing.T) {
	m := texture(320, 240, 1)
	fine, coarse, other := encodeJPEG(t, m, 95), encodeJPEG(t, m, 40), encodeJPEG(t, texture(320, 240, 2), 95)
	send := func(s *ingest.Ingest, w *world, id string, data []byte, more ...string) outcome {
		return handle(t, s, w, raw(data, append([]string{"dataset", "d", "unique-id", id}, more...)...))
	}
	t.Run("grouped", func(t *testing.T) {
		w := newWorld()
		s := step(t, w, nil)
		a, b, c := send(s, w, "a", fine), send(s, w, "b", coarse), send(s, w, "c", other)
		if a.reason+b.reason+c.reason != "" {
			t.Fatalf("reasons %q %q %q", a.reason, b.reason, c.reason)
		}
		if a.sample.Group != a.sample.ID || b.sample.Group != a.sample.ID || c.sample.Group != c.sample.ID {
			t.Errorf("groups %s %s %s of samples %s %s %s", a.sample.Group, b.sample.Group, c.sample.Group, a.sample.ID, b.sample.ID, c.sample.ID)
		}
		// A nearer twin of another group comes: who was in before stays in its group.
		w.hashes = append(w.hashes, hash{"d", schemas.SampleID{8}, c.sample.ID, a.sample.PHash}, hash{"d", schemas.SampleID{9}, c.sample.ID, b.sample.PHash})
		for id, first := range map[string]outcome{"a": a, "b": b} {
			if again := send(s, w, id, map[string][]byte{"a": fine, "b": coarse}[id]); again.sample.Group != first.sample.Group {
				t.Errorf("a retry of %s is of group %s, was of %s", id, again.sample.Group, first.sample.Group)
			}
		}
	})
	t.Run("rejected", func(t *testing.T) {
		w := newWorld()
		four := 4
		s := step(t, w, func(c *ingest.Config) { c.Datasets = map[string]ingest.Overrides{"d": {RejectBits: &four}} })
		a, b := send(s, w, "a", fine), send(s, w, "b", coarse)
		if a.reason != "" || b.reason != ingest.NearDuplicate || b.reject.Threshold != 4 || b.reject.Measure > 4 ||
			!strings.Contains(b.reject.Detail, a.sample.ID.String()) {
			t.Fatalf("a: %q; b: %+v", a.reason, b.reject)
		}
		if again := send(s, w, "b", coarse); again.reason != ingest.NearDuplicate {
			t.Errorf("a retry of a near duplicate: reason %q", again.reason)
		}
		if back := send(s, w, "b", coarse, "accept-rejected", "true"); back.reason != "" || back.sample.Group != a.sample.ID {
			t.Errorf("taken back: reason %q, group %s", back.reason, back.sample.Group)
		}
		// Now each is the other's twin, and both are in: a retry of either stays in.
		if again := send(s, w, "a", fine); again.reason != "" {
			t.Errorf("a retry: reason %q", again.reason)
		}
	})
	t.Run("erased", func(t *testing.T) {
		w := newWorld()
		s := step(t, w, nil)
		a := send(s, w, "a", fine)
		w.blobs[schemas.TombstoneKey(a.sample.ID)] = []byte("{}")
		if b := send(s, w, "b", coarse); b.sample.Group != b.sample.ID || len(w.hashes) != 1 {
			t.Errorf("b joined group %s, of the erased %s; %d hashes", b.sample.Group, a.sample.ID, len(w.hashes))
		}
	})
	t.Run("off", func(t *testing.T) {
		w := newWorld()
		s := step(t, w, func(c *ingest.Config) { c.Thresholds.GroupBits = -1 })
		if a, b := send(s, w, "a", fine), send(s, w, "b", coarse); a.sample.Group == b.sample.Group || len(w.hashes) != 0 {
			t.Errorf("groups %s %s, %d hashes", a.sample.Group, b.sample.Group, len(w.hashes))
		}
	})
}

// TestCrashAnywhere fails each store call in turn, lost before or after it took effect, and sends the record again, as a
// restart does: the outcome is that of an undisturbed run, and only what ends well was emitted.
func TestCrashAnywhere(t *testing.T) {
	one, twin := encodeJPEG(t, texture(96, 72, 1), 95), encodeJPEG(t, texture(96, 72, 1), 60)
	six := 6
	records := []schemas.Record{
		raw(one, "dataset", "d", "unique-id", "a"), raw(one, "dataset", "d", "unique-id", "b"), raw(twin, "dataset", "d", "unique-id", "c"),
		raw(one[:len(one)/2], "dataset", "d", "unique-id", "e"), raw(twin, "dataset", "d", "unique-id", "a"),
		raw(one, "dataset", "strict", "unique-id", "a"), raw(twin, "dataset", "strict", "unique-id", "b"),
	}
	run := func(failAt int, effective bool) (got []outcome, calls int, failed bool) {
		w := newWorld()
		w.failAt, w.effective = failAt, effective
		s := step(t, w, func(c *ingest.Config) { c.Datasets = map[string]ingest.Overrides{"strict": {RejectBits: &six}} })
		for _, r := range records {
			emits, err := s.Handle(t.Context(), r)
			if err != nil {
				if _, fault := schemas.AsFault(err); fault || len(emits) != 0 {
					t.Errorf("call %d failed: %v with %d records, want an error worth a retry with none", failAt, err, len(emits))
				}
				failed = true
				got = append(got, handle(t, s, w, r))
				continue
			}
			got = append(got, read(t, w, emits))
		}
		return got, w.calls, failed
	}
	want, calls, _ := run(0, false)
	for i, reason := range []string{"", ingest.Duplicate, "", "truncated", ingest.Conflict, "", ingest.NearDuplicate} {
		if want[i].reason != reason {
			t.Fatalf("record %d: reason %q, want %q", i, want[i].reason, reason)
		}
	}
	disturbed := 0
	for failAt := 1; failAt <= calls; failAt++ {
		for _, effective := range []bool{false, true} {
			got, _, failed := run(failAt, effective)
			if failed {
				disturbed++
			}
			for i := range want {
				if got[i].reason != want[i].reason || got[i].sample.ID != want[i].sample.ID || got[i].sample.Group != want[i].sample.Group {
					t.Errorf("call %d lost (effective %v): record %d ended as %q in group %s, want %q in %s",
						failAt, effective, i, got[i].reason, got[i].sample.Group, want[i].reason, want[i].sample.Group)
				}
			}
		}
	}
	if disturbed != 2*calls {
		t.Errorf("only %d of %d runs were disturbed", disturbed, 2*calls)
	}
}

func TestErasedStaysOut(t *testing.T) {
	w := newWorld()
	s := step(t, w, nil)
	data := encodeJPEG(t, texture(160, 120, 1), 90)
	id := schemas.NewSampleID("d", "a", schemas.Hash{})
	w.blobs[schemas.TombstoneKey(id)] = []byte("{}")
	emits, err := s.Handle(t.Context(), raw(data, "dataset", "d", "unique-id", "a"))
	if err != nil || len(emits) != 0 || len(w.blobs) != 1 {
		t.Errorf("%d records, %d blobs, error %v: want nothing but the tombstone", len(emits), len(w.blobs), err)
	}
}

// An erasure that begins and ends while the image is on its way to the store finds all of it undone, whichever call to a store
// fails then; bytes that another sample has too stay.
func TestErasedMeanwhile(t *testing.T) {
	data := encodeJPEG(t, texture(160, 120, 1), 90)
	image := schemas.Hash(sha256.Sum256(data))
	id, other := schemas.NewSampleID("d", "a", schemas.Hash{}), schemas.NewSampleID("e", "b", schemas.Hash{})
	tomb, key := schemas.TombstoneKey(id), schemas.ImageKey(image)
	owner := schemas.OwnerKey("d", image)
	for name, c := range map[string]struct {
		users []schemas.SampleID
		blobs map[string][]byte // that are there before
		want  []string
	}{
		"alone":                           {nil, nil, []string{tomb}},
		"its own rows not gone yet":       {[]schemas.SampleID{id}, nil, []string{tomb}},
		"bytes of another dataset too":    {[]schemas.SampleID{id, other}, nil, []string{key, tomb}},
		"a duplicate, of one just let in": {nil, map[string][]byte{owner: []byte(other.String())}, []string{key, owner, tomb}},
	} {
		t.Run(name, func(t *testing.T) {
			for failAt := 0; ; failAt++ {
				w := newWorld()
				w.failAt, w.effective = failAt, true
				w.users = map[schemas.Hash][]schemas.SampleID{image: c.users}
				maps.Copy(w.blobs, c.blobs)
				w.beforePut = func() { w.blobs[tomb] = []byte("{}") }
				s := step(t, w, nil)
				rec := raw(data, "dataset", "d", "unique-id", "a")
				emits, err := s.Handle(t.Context(), rec)
				if err != nil {
					emits, err = s.Handle(t.Context(), rec)
				}
				if err != nil || len(emits) != 0 {
					t.Fatalf("call %d lost: %d records, %v", failAt, len(emits), err)
				}
				if got := slices.Sorted(maps.Keys(w.blobs)); !slices.Equal(got, c.want) || len(w.hashes) != 0 {
					t.Errorf("call %d lost: %d hashes and blobs %v are left, want %v", failAt, len(w.hashes), got, c.want)
				}
				if failAt > w.calls {
					break
				}
			}
		})
	}
}

func TestClaimCheck(t *testing.T) {
	w := newWorld()
	s := step(t, w, nil)
	data := encodeJPEG(t, texture(160, 120, 1), 90)
	w.web["https://example.org/a.jpg"] = data
	ref := func(url string, sum schemas.Hash) []byte {
		b, err := json.Marshal(schemas.Ref{URL: url, SHA256: sum})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	sum := schemas.Hash(sha256.Sum256(data))
	got := handle(t, s, w, raw(ref("https://example.org/a.jpg", sum), "dataset", "d", "media-type", schemas.MediaTypeRef))
	if got.reason != "" || got.sample.Image.SHA256 != sum || got.sample.Image.MediaType != "image/jpeg" {
		t.Errorf("reason %q, image %+v", got.reason, got.sample.Image)
	}
	for reason, value := range map[string][]byte{
		"digest-mismatch": ref("https://example.org/a.jpg", schemas.Hash{1}),
		"not-found":       ref("https://example.org/b.jpg", sum),
		"bad-reference":   []byte(`{"url":`),
	} {
		_, err := s.Handle(t.Context(), raw(value, "dataset", "d", "media-type", schemas.MediaTypeRef+"; charset=utf-8"))
		if f, ok := schemas.AsFault(err); !ok || f.Reason != reason {
			t.Errorf("%s: error %v, want a fault %q", value, err, reason)
		}
	}
	_, err := s.Handle(t.Context(), raw([]byte(`{"url":"https://example.org/a.jpg"}`), "dataset", "d", "media-type", schemas.MediaTypeRef))
	if f, ok := schemas.AsFault(err); !ok || f.Reason != "bad-reference" {
		t.Errorf("no digest: error %v", err)
	}
}

func TestRecordsThatAreNoSamples(t *testing.T) {
	w := newWorld()
	s := step(t, w, nil)
	for name, c := range map[string]struct {
		rec    schemas.Record
		reason string
		says   string
	}{
		"no dataset":     {raw([]byte("x"), "unique-id", "a"), "no-dataset", `no header "dataset"`},
		"empty dataset":  {raw([]byte("x"), "dataset", ""), "no-dataset", `no header "dataset"`},
		"dataset ..":     {raw([]byte("x"), "dataset", ".."), "bad-header", "it cannot be a folder's name"},
		"long dataset":   {raw([]byte("x"), "dataset", strings.Repeat("/", 150)), "bad-header", "at most 200 bytes"},
		"longer dataset": {raw([]byte("x"), "dataset", strings.Repeat("x", 300)), "bad-header", "at most 200 bytes"},
		"dataset with @": {raw([]byte("x"), "dataset", "a@b"), "bad-header", "without @"},
		"no UTF-8":       {raw([]byte("x"), "dataset", "d", "slice.a", "\xff"), "bad-header", "UTF-8"},
		"long id":        {raw([]byte("x"), "dataset", "d", "unique-id", strings.Repeat("x", schemas.MaxName+1)), "bad-header", "at most 1024 bytes"},
		"long task":      {raw([]byte("x"), "dataset", "d", "task", strings.Repeat("x", schemas.MaxName+1)), "bad-header", "at most 1024 bytes"},
		"long slice":     {raw([]byte("x"), "dataset", "d", "slice.a", strings.Repeat("x", 5000)), "bad-header", "at most 4096 bytes"},
	} {
		emits, err := s.Handle(t.Context(), c.rec)
		if f, ok := schemas.AsFault(err); !ok || f.Reason != c.reason || len(emits) != 0 || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want a fault %q that says %q", name, err, c.reason, c.says)
		}
	}
	if len(w.blobs) != 0 {
		t.Errorf("%d blobs were written", len(w.blobs))
	}
}

func TestConfig(t *testing.T) {
	cfg := ingest.DefaultConfig()
	side, bits := 10, 12
	cfg.Datasets = map[string]ingest.Overrides{"icons": {MinSide: &side}}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	if a, b := cfg.For("icons"), cfg.For("photos"); a.MinSide != 10 || b.MinSide != cfg.Thresholds.MinSide || a.MinSharpness != b.MinSharpness {
		t.Errorf("icons %+v, photos %+v", a, b)
	}
	for says, change := range map[string]func(*ingest.Config){
		"limits: max_bytes":                         func(c *ingest.Config) { c.Limits.MaxSide = 0 },
		"inline: 4MiB":                              func(c *ingest.Config) { c.Inline = 4 << 20 },
		"thresholds: max_dark: 1.5":                 func(c *ingest.Config) { c.Thresholds.MaxDark = 1.5 },
		"thresholds: max_bright: NaN":               func(c *ingest.Config) { c.Thresholds.MaxBright = math.NaN() },
		"thresholds: min_deviation: 200":            func(c *ingest.Config) { c.Thresholds.MinDeviation = 200 },
		"thresholds: min_sharpness: -1":             func(c *ingest.Config) { c.Thresholds.MinSharpness = -1 },
		"thresholds: reject_bits: -2":               func(c *ingest.Config) { c.Thresholds.RejectBits = -2 },
		"datasets: icons: group_bits: 12: must lie": func(c *ingest.Config) { c.Datasets = map[string]ingest.Overrides{"icons": {GroupBits: &bits}} },
	} {
		c := ingest.DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want %q", err, says)
		}
	}
}
