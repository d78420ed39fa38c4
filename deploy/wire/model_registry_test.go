package wire

import (
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gleaner/connectors/blob"
	"gleaner/connectors/onnx"
	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/stages/prelabel"
	"gleaner/stages/taxonomy"
)

// overBlobs are connections to an embedded Kafka and a blob store, with a real model to register and its classes.
func overBlobs(t *testing.T) (c *Connections, data []byte, classes []string) {
	t.Helper()
	c = overKafka(t)
	var opened, read, named error
	c.Blobs, opened = blob.Open(t.Context(), c.Config.Blob)
	data, read = os.ReadFile(realdata.Need(t, "models", "FastestDet.onnx"))
	classes, named = prelabel.ReadClasses(realdata.Need(t, "models", "coco.names"))
	if err := errors.Join(opened, read, named); err != nil {
		t.Fatal(err)
	}
	return c, data, classes
}

// TestModelIDHasOneMeaning lets two files race for one id: one of them gets it, and the topic has no other entry.
func TestModelIDHasOneMeaning(t *testing.T) {
	c, data, classes := overBlobs(t)
	other, err := os.ReadFile(realdata.Need(t, "models", "yolox_nano.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	var entries [2]schemas.Model
	var errs [2]error
	for i, data := range [][]byte{other, data} {
		wait.Go(func() {
			entries[i], _, errs[i] = c.AddModel(t.Context(), data, ModelSpec{Name: "m", Version: "1", Classes: classes})
		})
	}
	wait.Wait()
	won := slices.IndexFunc(errs[:], func(err error) bool { return err == nil })
	if won < 0 || !errors.Is(errs[1-won], ErrRegistered) {
		t.Fatalf("%v: want one to succeed and the other to be told", errs)
	}
	records := 0
	if err := c.Kafka.Scan(t.Context(), schemas.Models, func(schemas.Record) error { records++; return nil }); err != nil {
		t.Fatal(err)
	}
	r, err := c.Registry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Models["m@1"]; records != 1 || got.SHA256 != entries[won].SHA256 || got.Decode.Decoder != entries[won].Decode.Decoder {
		t.Errorf("%d records, entry %+v, want %+v", records, got, entries[won])
	}
}

// TestModelMetrics: an entry has the metrics that it was given, else those of the run that the file says trained it.
func TestModelMetrics(t *testing.T) {
	c, data, classes := overBlobs(t)
	trained := map[string]float64{"val_accuracy": 0.75}
	properties, err := schemas.ModelMetadata{Classes: classes, Run: &schemas.Run{Metrics: trained}}.Properties()
	if err == nil {
		data, err = onnx.WithMetadata(data, properties)
	}
	if err != nil {
		t.Fatal(err)
	}
	measured := map[string]float64{"ap50": 0.4}
	for _, want := range []struct {
		id    string
		given map[string]float64
		has   map[string]float64
	}{{"m@1", nil, trained}, {"m@1", trained, trained}, {"m@2", measured, measured}} {
		m, _, err := c.AddModel(t.Context(), data, ModelSpec{Name: "m", Classes: classes, Metrics: want.given})
		if err != nil || m.ID != want.id || !maps.Equal(m.Metrics, want.has) {
			t.Errorf("%s has %v, %v, want %+v", m.ID, m.Metrics, err, want)
		}
	}

	c.Config.Prelabel.Model = filepath.Join(t.TempDir(), "birds.onnx") // which names its classes within
	if err := errors.Join(os.WriteFile(c.Config.Prelabel.Model, data, 0o600), c.serveConfigured(t.Context())); err != nil {
		t.Fatal(err)
	}
	r, err := c.Registry(t.Context())
	if m := r.Models["birds@1"]; err != nil || !slices.Equal(r.Serves("street").Models, []string{"birds@1"}) || !slices.Equal(m.Classes, classes) || !maps.Equal(m.Metrics, trained) {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestModelTriedBeforeItIsRegistered: a model that gives a label without a name never gets an entry, nor one with a decode spec that
// would not count.
func TestModelTriedBeforeItIsRegistered(t *testing.T) {
	c := overKafka(t)
	data, err := os.ReadFile("../e2e/detect/testdata/families/mmdetection.onnx")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = c.AddModel(t.Context(), data, ModelSpec{Name: "m", Classes: []string{"cat"}})
	if err == nil || !strings.Contains(err.Error(), "the model gave label 1, but the list of names has 1") {
		t.Errorf("%v", err)
	}
	_, _, err = c.AddModel(t.Context(), data, ModelSpec{Name: "m", Classes: []string{"cat", "dog"}, Decode: schemas.Decode{Strides: []int{8}}})
	if err == nil || !strings.Contains(err.Error(), "decode: strides: decoder boxes has no use for it") {
		t.Errorf("%v", err)
	}
	if r, err := c.Registry(t.Context()); err != nil || len(r.Models) != 0 {
		t.Errorf("%v, %v", r.Models, err)
	}
}

// TestRemovedModelStaysAway: neither rolling back nor asking for it lets a removed model serve again. A name with + in it never does:
// sets of models are joined by that.
func TestRemovedModelStaysAway(t *testing.T) {
	c, data, classes := overBlobs(t)
	if _, _, err := c.AddModel(t.Context(), data, ModelSpec{Name: "old+new", Classes: classes}); err == nil || !strings.Contains(err.Error(), "want name@version") {
		t.Errorf("a name with + is registered: %v", err)
	}
	for _, name := range []string{"old", "new"} {
		if _, _, err := c.AddModel(t.Context(), data, ModelSpec{Name: name, Classes: classes}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.ServeModels(t.Context(), schemas.AnyDataset, []string{name}, 0, "test"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.RemoveModel(t.Context(), "old", "ana"); err != nil {
		t.Fatal(err)
	}
	_, rolled := c.RollbackModels(t.Context(), schemas.AnyDataset, "test")
	_, asked := c.ServeModels(t.Context(), schemas.AnyDataset, []string{"new", "old@1"}, 0, "test")
	_, canary := c.ServeModels(t.Context(), "street", []string{"old@1"}, 0.5, "test")
	for how, err := range map[string]error{"rolled back": rolled, "asked for": asked, "as a canary": canary} {
		if err == nil || !strings.Contains(err.Error(), "model old@1 was removed by ana") {
			t.Errorf("%s: %v", how, err)
		}
	}
	r, err := c.Registry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Serves("street").All(); !slices.Equal(got, []string{"new@1"}) {
		t.Errorf("%v serve", got)
	}
	if got := ServedBy(r, "old@1"); got == nil || len(got) > 0 { // a list in JSON
		t.Errorf("%#v", got)
	}
}

// TestLintKnowsWhatLabeled: the classes that lint goes by are those of the models that stamped the sample, not of those that
// serve by now.
func TestLintKnowsWhatLabeled(t *testing.T) {
	var trees taxonomy.Registry
	r := roster{registry: prelabel.NewRegistry(), spaces: taxonomy.NewTranslations(&trees, slog.Default())}
	for id, classes := range map[string][]string{"old@1": {"cat"}, "beside@1": {"dog"}, "new@1": {"eel"}} {
		r.registry.Models[id] = schemas.Model{ID: id, Classes: classes}
	}
	r.registry.Serving[schemas.AnyDataset] = schemas.Serving{ModelSet: schemas.ModelSet{Models: []string{"new@1"}}}
	s := schemas.Sample{Dataset: "street", Stamps: []schemas.Stamp{
		{Step: "ingest"}, {Step: "prelabel", Model: "old@1", Hash: "01"}, {Step: "prelabel", Model: "beside@1", Hash: "02"}, {Step: "desk", Model: "new@1"},
	}}
	if got := r.known(&s); !slices.Equal(got, []string{"cat", "dog"}) {
		t.Errorf("%v", got)
	}
	if got := r.classes("street"); !slices.Equal(got, []string{"eel"}) {
		t.Errorf("the page offers %v", got)
	}

	coco, err := taxonomy.COCO()
	if err != nil {
		t.Fatal(err)
	}
	coco.Mappings = append(coco.Mappings, schemas.ClassMapping{Dataset: "street@1", Class: "katze", Canonical: "cat", Relation: schemas.RelationExact})
	if err := trees.Put(coco); err != nil {
		t.Fatal(err)
	}
	r.registry.Models["old@1"] = schemas.Model{ID: "old@1", Classes: []string{"cat", "dog"}, LabelSpace: "coco@2017"}
	if got := r.known(&s); !slices.Equal(got, []string{"dog", "katze"}) {
		t.Errorf("%v: want what a taxonomy makes of the first model's, and the other's own", got)
	}
	if got := r.own("old@1"); !slices.Equal(got, []string{"cat", "dog"}) {
		t.Errorf("by its own names the model knows %v", got)
	}
}
