package wire

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gleaner/connectors/blob"
	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
)

// photo is one image of coco128 on its way through prelabel.
type photo struct {
	ref schemas.ImageRef
	img *pixels.Image
}

// bay is prelabel alone on an embedded Kafka, with the real runtime and real models.
type bay struct {
	*Connections
	t      *testing.T
	log    *bytes.Buffer // of the last system that ran
	photos []photo
	sent   int
	system *System
	stop   func()
}

func newBay(t *testing.T) *bay {
	t.Helper()
	b := &bay{Connections: overKafka(t), t: t}
	b.Config.Prelabel.Model = realdata.Need(t, "models", "yolox_nano.onnx")
	b.Config.Prelabel.Classes = realdata.Need(t, "models", "coco.names")
	var err error
	if b.Blobs, err = blob.Open(t.Context(), b.Config.Blob); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(realdata.Need(t, "coco128", "images"), "*.jpg"))
	if err != nil || len(files) < 16 {
		t.Fatalf("%d photos, %v", len(files), err)
	}
	for _, f := range files[:16] {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		img, _, err := pixels.Decode(data, pixels.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		b.photos = append(b.photos, photo{schemas.ImageRef{
			SHA256: sha256.Sum256(data), Size: int64(len(data)), MediaType: "image/jpeg", W: img.W, H: img.H, Inline: data,
		}, img})
	}
	b.start()
	t.Cleanup(func() { b.stop() })
	return b
}

// start runs prelabel; stop ends it.
func (b *bay) start() {
	b.t.Helper()
	b.log = &bytes.Buffer{}
	b.Log = slog.New(slog.NewTextHandler(b.log, nil))
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	if b.system, err = b.NewSystem([]string{"prelabel"}); err != nil {
		cancel()
		b.t.Fatal(err)
	}
	b.system.shared.learner = nil // there is no database here
	ended := make(chan error, 1)
	go func() { ended <- b.system.Run(ctx) }()
	b.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
		b.stop = func() {}
	}
	b.until("models serve", func() bool { return len(b.system.shared.models.fleet.Serving()[schemas.AnyDataset].Models) > 0 })
}

// push sends so many samples of a dataset, and returns their ids with the photo of each.
func (b *bay) push(dataset string, n int) map[schemas.SampleID]int {
	b.t.Helper()
	ids := map[schemas.SampleID]int{}
	for range n {
		name, at := fmt.Sprint(b.sent), b.sent%len(b.photos)
		s := schemas.Sample{ID: schemas.NewSampleID(dataset, name, schemas.Hash{}), Dataset: dataset, UniqueID: name, Task: "detect", Image: b.photos[at].ref, Stage: schemas.StageSamples}
		value, err := schemas.EncodeSample(&s)
		if err == nil {
			err = b.Kafka.Append(b.t.Context(), schemas.Record{Topic: schemas.Samples, Key: []byte(s.ID.String()), Value: value})
		}
		if err != nil {
			b.t.Fatal(err)
		}
		ids[s.ID] = at
		b.sent++
	}
	return ids
}

// prelabeled waits until everything that was sent has come out, each sample once, and returns it.
func (b *bay) prelabeled() map[schemas.SampleID]schemas.Sample {
	b.t.Helper()
	b.until(fmt.Sprintf("%d samples are prelabeled", b.sent), func() bool { return b.count() >= b.sent })
	out := map[schemas.SampleID]schemas.Sample{}
	err := b.Kafka.Scan(b.t.Context(), schemas.Prelabeled, func(r schemas.Record) error {
		s, err := schemas.DecodeSample(r.Value)
		if _, twice := out[s.ID]; twice {
			b.t.Errorf("sample %s came out twice", s.ID)
		}
		out[s.ID] = s
		return err
	})
	if err != nil || len(out) != b.sent {
		b.t.Fatalf("%d samples of %d, %v", len(out), b.sent, err)
	}
	return out
}

// count is the number of records that have come out.
func (b *bay) count() (n int) {
	b.t.Helper()
	bounds, err := b.Kafka.Bounds(b.t.Context(), schemas.Prelabeled)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, p := range bounds {
		n += int(p.End - p.First)
	}
	return n
}

func (b *bay) until(what string, done func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("waited too long until %s", what)
		}
	}
}

// serving waits until the fleet serves a set.
func (b *bay) serving(dataset string, want schemas.ModelSet) {
	b.t.Helper()
	b.until(fmt.Sprintf("%s is served by %+v", dataset, want), func() bool { return b.system.shared.models.fleet.Serving()[dataset].Equal(want) })
}

func (b *bay) serve(dataset string, share float64, names ...string) schemas.ModelSet {
	b.t.Helper()
	s, err := b.ServeModels(b.t.Context(), dataset, names, share, "test")
	if err != nil {
		b.t.Fatal(err)
	}
	return s.ModelSet
}

// addFast registers FastestDet as fast@1.
func (b *bay) addFast() schemas.Model {
	b.t.Helper()
	data, err := os.ReadFile(realdata.Need(b.t, "models", "FastestDet.onnx"))
	if err != nil {
		b.t.Fatal(err)
	}
	classes, err := prelabel.ReadClasses(b.Config.Prelabel.Classes)
	if err != nil {
		b.t.Fatal(err)
	}
	m, added, err := b.AddModel(b.t.Context(), data, ModelSpec{Name: "fast", Classes: classes})
	if err != nil || !added {
		b.t.Fatalf("added %t, %v", added, err)
	}
	return m
}

// models lists the models that a sample was stamped by, with their digests.
func models(s schemas.Sample) (ids, hashes []string) {
	for _, stamp := range s.Stamps {
		if stamp.Step == "prelabel" {
			ids, hashes = append(ids, stamp.Model), append(hashes, stamp.Hash)
		}
	}
	return ids, hashes
}

// TestHotSwap pushes samples all the while that models of two families take turns, alone and together: every sample comes out
// once, stamped by one complete set, with the very detections that this set gives when nothing is swapped.
func TestHotSwap(t *testing.T) {
	b := newBay(t)
	m := b.addFast()
	sets := [][]string{{"fast@1"}, {"yolox_nano@1", "fast@1"}, {"yolox_nano@1"}}
	swaps := 0
	for b.sent < 240 {
		b.push("street", 16)
		before := b.count()
		b.serve(schemas.AnyDataset, 0, sets[swaps%len(sets)]...)
		swaps++
		if swaps%2 == 0 { // else the next one follows while this is under way
			b.until("samples come out", func() bool { return b.count() > before })
		}
	}
	for _, set := range sets { // where samples are slow, swaps may have passed over one
		b.serving(schemas.AnyDataset, b.serve(schemas.AnyDataset, 0, set...))
		b.push("street", 4)
		b.until("all samples come out", func() bool { return b.count() >= b.sent })
	}
	out := b.prelabeled()
	r, err := b.Registry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	alone := map[string]*prelabel.Prelabel{} // by set
	want := map[string]schemas.Sample{}      // by set and photo
	used := map[string]int{}
	for _, s := range out {
		ids, hashes := models(s)
		set := strings.Join(ids, " ")
		used[set]++
		if !slices.ContainsFunc(sets, func(known []string) bool { return slices.Equal(known, ids) }) {
			t.Fatalf("sample %s is stamped by %q, which never served", s.ID, set)
		}
		for i, id := range ids {
			if hashes[i] != r.Models[id].SHA256.String() {
				t.Errorf("sample %s: %s has digest %s", s.ID, id, hashes[i])
			}
		}
		key := set + s.Image.SHA256.String()
		if _, ok := alone[set]; !ok {
			alone[set] = b.alone(r, ids)
		}
		if _, ok := want[key]; !ok {
			bare := s
			bare.Objects, bare.Proposals, bare.Rank, bare.Stamps = nil, nil, schemas.RankNone, nil
			once, err := alone[set].Process(t.Context(), bare)
			if err != nil {
				t.Fatal(err)
			}
			want[key] = once[0]
		}
		if w := want[key]; !reflect.DeepEqual(s.Objects, w.Objects) || !reflect.DeepEqual(s.Proposals, w.Proposals) || len(s.Proposals) == 0 {
			t.Errorf("sample %s, by %q: %d proposals, want %d: other than these models give alone", s.ID, set, len(s.Proposals), len(w.Proposals))
		}
	}
	t.Logf("%d swaps, %d samples: %v", swaps, len(out), used)
	if len(used) != len(sets) {
		t.Errorf("%v: some set labeled nothing", used)
	}
	if m.SHA256 == r.Models["yolox_nano@1"].SHA256 {
		t.Error("both models are one file")
	}
}

// alone is prelabel with models that nobody swaps.
func (b *bay) alone(r prelabel.Registry, ids []string) *prelabel.Prelabel {
	b.t.Helper()
	var fixed prelabel.Fixed
	for _, id := range ids {
		m, err := b.loadModel(b.t.Context(), r.Models[id])
		if err != nil {
			b.t.Fatal(err)
		}
		b.t.Cleanup(func() { m.Close() })
		fixed = append(fixed, m)
	}
	p, err := prelabel.New(b.Config.Prelabel, prelabel.Deps{Models: fixed, Images: pixels.NewCache(1<<26, b.Blobs.Get), Version: "test"})
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// TestModelsRefused lets files that are broken in several ways follow a good one, which goes on.
func TestModelsRefused(t *testing.T) {
	b := newBay(t)
	good := schemas.ModelSet{Models: []string{"yolox_nano@1"}}
	b.serving(schemas.AnyDataset, good)
	yolox, err := os.ReadFile(b.Config.Prelabel.Model)
	if err != nil {
		t.Fatal(err)
	}
	fast := b.addFast()
	sound, err := b.Blobs.Get(t.Context(), fast.File.Key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Registry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	noise := bytes.Repeat([]byte("no model"), 1000)
	broken := fast
	broken.ID, broken.Name, broken.SHA256 = "broken@1", "broken", sha256.Sum256(noise)
	broken.File.Key = schemas.ModelKey(broken.SHA256)
	if _, _, err := b.register(t.Context(), broken, ModelSpec{}, r); err != nil {
		t.Fatal(err)
	}
	other := fast // its file is sound, and its classes are those of another
	other.ID, other.Name, other.Classes = "other@1", "other", []string{"cat", "dog"}
	if _, _, err := b.register(t.Context(), other, ModelSpec{}, r); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		name, model string
		file        []byte // what lies in the store under the model's digest
		want        string
	}{
		{"cut short", "fast@1", sound[:len(sound)/2], "holds other bytes than were registered"},
		{"another model", "fast@1", yolox, "holds other bytes than were registered"},
		{"no model at all", "broken@1", noise, "not a model that this runtime can load"},
		{"other classes", "other@1", sound, "tells 80 classes apart but the list of names has 2"},
	} {
		key := fast.File.Key
		if c.model == "broken@1" {
			key = broken.File.Key
		}
		if err := b.Blobs.Put(t.Context(), key, c.file); err != nil {
			t.Fatal(err)
		}
		b.serve(schemas.AnyDataset, 0, "yolox_nano@1", c.model)
		b.until(c.name+" is refused", func() bool { return b.system.shared.models.fleet.Failures().Refused == uint64(i+1) })
		ids := b.push("street", 2)
		for id, s := range b.prelabeled() {
			if _, mine := ids[id]; !mine {
				continue
			}
			if by, _ := models(s); !slices.Equal(by, good.Models) {
				t.Errorf("%s: labeled by %v", c.name, by)
			}
		}
		status, err := b.system.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range status.Steps {
			if step.Step == "prelabel" && (step.State != "running" || !strings.Contains(step.LastError, c.want) || !strings.Contains(step.LastError, c.model+", yolox_nano@1 of dataset *")) {
				t.Errorf("%s: the status says %q, %q", c.name, step.State, step.LastError)
			}
		}
	}

	// Adding the file again mends it, and asking again lets it in.
	classes, err := prelabel.ReadClasses(b.Config.Prelabel.Classes)
	if err != nil {
		t.Fatal(err)
	}
	if m, added, err := b.AddModel(t.Context(), sound, ModelSpec{Name: "fast", Classes: classes}); err != nil || added || m.ID != "fast@1" {
		t.Fatalf("%s, %t, %v", m.ID, added, err)
	}
	b.serving(schemas.AnyDataset, b.serve(schemas.AnyDataset, 0, "fast@1"))

	b.stop()
	if n := strings.Count(b.log.String(), "level=ERROR"); n != 4 {
		t.Errorf("%d errors are logged, want 4:\n%s", n, b.log)
	}
}

// TestMissingFile: a model whose file is not in the store serves once it is, without being asked for again; until then the one
// before goes on, and serves after a restart, which puts the configured model's file back into the store.
func TestMissingFile(t *testing.T) {
	b := newBay(t)
	fast := b.addFast()
	file, err := b.Blobs.Get(t.Context(), fast.File.Key)
	if err == nil {
		err = b.Blobs.Delete(t.Context(), fast.File.Key)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := b.serve(schemas.AnyDataset, 0, "fast@1")
	fleet := b.system.shared.models.fleet
	b.until("the status says why", func() bool { return fleet.Failures().Last != nil })
	if f := fleet.Failures(); f.Refused != 0 || !strings.Contains(f.Last.Error(), "model fast@1: its file is missing") {
		t.Errorf("%+v", f)
	}
	before := schemas.ModelSet{Models: []string{"yolox_nano@1"}}
	b.serving(schemas.AnyDataset, before)
	b.stop()
	r, err := b.Registry(t.Context())
	if err == nil {
		err = b.Blobs.Delete(t.Context(), r.Models["yolox_nano@1"].File.Key)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.start()
	b.serving(schemas.AnyDataset, before)
	if err := b.Blobs.Put(t.Context(), fast.File.Key, file); err != nil {
		t.Fatal(err)
	}
	b.serving(schemas.AnyDataset, want)
}

// TestCanary gives a model a share of the samples and starts again: the same samples get it, a command's choice outlasts the
// configuration's, and rolling back ends it.
func TestCanary(t *testing.T) {
	const n, share = 120, 0.3
	b := newBay(t)
	b.addFast()
	set := b.serve("street", share, "fast")
	if want := (schemas.ModelSet{Models: []string{"yolox_nano@1"}, Canary: []string{"fast@1"}, Share: share}); !set.Equal(want) {
		t.Fatalf("%+v", set)
	}
	b.serving("street", set)
	ids := b.push("street", n/2)
	b.prelabeled()
	b.stop()
	b.start()
	for id := range b.push("street", n/2) {
		ids[id] = 0
	}
	elsewhere := b.push("cells", 10)
	canary := 0
	for id, s := range b.prelabeled() {
		by, _ := models(s)
		if _, other := elsewhere[id]; other {
			if !slices.Equal(by, []string{"yolox_nano@1"}) {
				t.Errorf("a sample of another dataset is labeled by %v", by)
			}
			continue
		}
		if !slices.Equal(by, set.For(id)) {
			t.Errorf("sample %s is labeled by %v, want %v", id, by, set.For(id))
		}
		if by[0] == "fast@1" {
			canary++
		}
	}
	if sd := math.Sqrt(n * share * (1 - share)); len(ids) != n || math.Abs(float64(canary)-n*share) > 4*sd {
		t.Errorf("the canary has %d of %d samples, want about %g", canary, len(ids), n*share)
	}

	if _, err := b.RollbackModels(t.Context(), "street", "test"); err != nil {
		t.Fatal(err)
	}
	b.until("the dataset has no models of its own", func() bool { return len(b.system.shared.models.fleet.Serving()["street"].Models) == 0 })
	b.serve(schemas.AnyDataset, 0, "fast@1")
	b.stop()
	b.start()
	after := b.push("street", 10)
	for id, s := range b.prelabeled() {
		by, _ := models(s)
		if _, mine := after[id]; mine && !slices.Equal(by, []string{"fast@1"}) {
			t.Errorf("after the restart %v label, not what the command chose", by)
		}
	}
	if !strings.Contains(b.log.String(), "the configured model does not serve") {
		t.Errorf("nothing is said of the configuration's model:\n%s", b.log)
	}
}

// What an entry says of decoding replaces that part of what the file says, and no other.
func TestOverride(t *testing.T) {
	pad := uint8(7)
	within := schemas.Decode{Activation: schemas.ActivationSoftmax, Input: schemas.DecodeInput{Resize: schemas.ResizeArea, Mean: []float32{1, 2, 3}, Std: []float32{4, 5, 6}}}
	got, err := override(within, schemas.Decode{Activation: schemas.ActivationNone, Input: schemas.DecodeInput{Pad: &pad}})
	want := within
	want.Activation, want.Input.Pad = schemas.ActivationNone, &pad
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}
