package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gleaner/connectors/clickhouse"
	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// twoLooks fills the database of a running system with 60 samples of two looks, 40 by day and 20 by night, of which the producer calls
// two day, and losses of the run "r"; the first 30 have labels. It returns the ids of the 20.
func twoLooks(t *testing.T, c *wire.Connections, name string) map[schemas.SampleID]bool {
	t.Helper()
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 32, 24))); err != nil {
		t.Fatal(err)
	}
	picture := schemas.ImageRef{SHA256: sha256.Sum256(file.Bytes()), Size: int64(file.Len()), W: 32, H: 24, MediaType: "image/png"}
	if err := c.Blobs.Put(t.Context(), schemas.ImageKey(picture.SHA256), file.Bytes()); err != nil {
		t.Fatal(err)
	}
	night := map[schemas.SampleID]bool{}
	rng := rand.New(rand.NewPCG(1, 2))
	at := time.Now().UTC().Truncate(time.Microsecond)
	var labels []schemas.Label
	var samples []schemas.Sample
	var losses schemas.Losses
	for i := range 60 {
		unique := fmt.Sprintf("%05d.jpg", i)
		id := schemas.NewSampleID(name, unique, schemas.Hash{})
		light := "day"
		if i%3 == 0 {
			night[id] = true
			if i > 3 {
				light = "night"
			}
		}
		samples = append(samples, schemas.Sample{
			ID: id, Dataset: name, UniqueID: unique, Task: "detect", Image: picture, Group: id, Received: at, Stage: schemas.StageLinted,
			Slices: map[string]string{"light": light, "file": unique},
		})
		if i < 30 {
			labels = append(labels, schemas.Label{
				SampleID: id, Dataset: name, UniqueID: unique, Task: "detect", Image: picture, Group: id, Rank: schemas.RankHuman, Revision: 1, Actor: "ana", At: at,
				Objects: []schemas.Object{{ID: "o1", Class: "car", Box: geometry.Box{X2: 9, Y2: 9}}},
			})
		}
		for epoch := range uint32(6) {
			losses.Append(schemas.LossRow{RunID: "r", Attempt: 1, Dataset: name, SampleID: id, Epoch: epoch, Loss: rng.Float32(), PTrue: 0.5, Margin: 1})
		}
	}
	embed(t, c, name, 0, 60, rng)
	if err := c.DB.PutSamples(t.Context(), "", samples); err != nil {
		t.Fatal(err)
	}
	if err := c.DB.PutLabels(t.Context(), "", labels); err != nil {
		t.Fatal(err)
	}
	if err := c.DB.InsertLosses(t.Context(), "", &losses); err != nil {
		t.Fatal(err)
	}
	return night
}

// embed puts the vectors of samples first to end-1: every third lies apart from the others.
func embed(t *testing.T, c *wire.Connections, name string, first, end int, rng *rand.Rand) {
	t.Helper()
	e := schemas.Embeddings{Dim: 4}
	for i := first; i < end; i++ {
		e.Dataset, e.SampleID, e.ObjectID = append(e.Dataset, name), append(e.SampleID, schemas.NewSampleID(name, fmt.Sprintf("%05d.jpg", i), schemas.Hash{})), append(e.ObjectID, "")
		e.Model, e.Layer = append(e.Model, "net@1"), append(e.Layer, "c5")
		v := []float32{rng.Float32() / 4, rng.Float32() / 4, rng.Float32() / 4, rng.Float32() / 4}
		v[min(1, i%3)]++
		e.Vector = append(e.Vector, v...)
	}
	if err := c.DB.PutEmbeddings(t.Context(), "", []schemas.Embeddings{e}); err != nil {
		t.Fatal(err)
	}
}

// TestDiscoveredSlices finds the two looks of a dataset in a running system, cuts by them, names one, and takes them back.
func TestDiscoveredSlices(t *testing.T) {
	i := install(t)
	s := i.up(t)
	c := s.connect(t)
	night := twoLooks(t, c, "street")
	sheet := filepath.Join(t.TempDir(), "looks.png")
	discover := []string{"dataset", "slices", "street", "--clusters", "2"}
	found := decode[[]wire.Slice](t, i, append(discover, "--sheet", sheet)...)
	if len(found) != 2 || found[0].Value != "look-0" || found[0].Samples != 40 || found[1].Value != "look-1" || found[1].Samples != 20 || found[1].Model != "net@1" {
		t.Fatalf("found %+v", found)
	}
	if len(found[1].Nearest) != wire.NearestShown || slices.ContainsFunc(found[1].Nearest, func(e wire.Exemplar) bool { return !night[e.SampleID] || e.UniqueID == "" }) {
		t.Errorf("nearest to the center of the smaller: %+v", found[1].Nearest)
	}
	if out := found[1].StandsOut; len(out) != 1 || out[0] != (wire.Standing{Name: "light", Value: "night", Share: 0.9, Lift: 3}) {
		t.Errorf("what stands out: %+v", out)
	}
	file, err := os.ReadFile(sheet)
	if err != nil {
		t.Fatal(err)
	}
	if drawn, err := png.DecodeConfig(bytes.NewReader(file)); err != nil || drawn.Width < 2000 || drawn.Width < 4*drawn.Height {
		t.Errorf("a sheet of %d by %d pixels, want two rows of ten: %v", drawn.Width, drawn.Height, err)
	}
	embed(t, c, "street", 60, 63, rand.New(rand.NewPCG(3, 4))) // which come late
	if listed := decode[[]wire.Slice](t, i, "dataset", "slices", "street", "--name", "look"); !reflect.DeepEqual(listed, found) {
		t.Errorf("listed %+v\nfound %+v", listed, found)
	}

	i.ok(t, "dataset", "slices", "street", "--rename", "look-1=night")
	eventually(t, patience, "the losses are scored", func() bool { return s.sql(t, "SELECT count() FROM scores WHERE run_id = 'r'")[0] == "60" })
	scores := decode[[]clickhouse.Score](t, i, "scores", "r", "--by", "mean_loss", "--slice", "look=night", "--top", "0")
	if len(scores) != 20 || slices.ContainsFunc(scores, func(s clickhouse.Score) bool {
		id, err := schemas.ParseSampleID(s.Sample)
		return err != nil || !night[id]
	}) {
		t.Errorf("%d scores of samples by night, want the 20: %+v", len(scores), scores)
	}
	for _, args := range [][]string{{"--method", "random", "--split", "all"}, {"--unlabeled", "--slice", "light=night"}} { // half of them have labels
		p := decode[wire.Picked](t, i, append([]string{"pick", "-d", "street", "--count", "3", "--slice", "look=night", "--dry-run"}, args...)...)
		if p.Samples != 10 || slices.ContainsFunc(p.Selection.Picks, func(k schemas.Pick) bool { return !night[k.SampleID] }) {
			t.Errorf("pick %v: of %d samples, want 10: %+v", args, p.Samples, p.Selection.Picks)
		}
	}
	if out := i.ok(t, "query", "slices", "--param", "run=r", "--param", "slice=look"); !strings.Contains(out, "night") || !strings.Contains(out, "look-0") {
		t.Errorf("query slices prints\n%s", out)
	}

	// Whoever is erased has no look any more, and gets none by a discovery whose embeddings came late.
	i.ok(t, "erase", "00006.jpg", "--dataset", "street")
	embed(t, c, "street", 6, 7, rand.New(rand.NewPCG(5, 6)))
	again := decode[[]wire.Slice](t, i, discover...)
	if len(again) != 2 || again[0].Samples != 42 || again[1].Samples != 20 || again[1].Value != "look-1" {
		t.Errorf("discovered again, with three more and one erased: %+v", again)
	}
	if n := s.sql(t, "SELECT count() FROM discovered_slices WHERE sample_id = unhex('"+schemas.NewSampleID("street", "00006.jpg", schemas.Hash{}).String()+"')"); n[0] != "0" {
		t.Errorf("%s values of the erased sample", n[0])
	}

	// Nor by one that has read its embedding when it is erased.
	gone := schemas.NewSampleID("street", "00009.jpg", schemas.Hash{})
	err = c.DiscoverSlice(t.Context(), wire.Discovery{Dataset: "street", Name: "look", Clusters: 2}, func(done, _ int, what string) {
		if what == "embeddings" && done == 62 {
			if err := c.Erase(t.Context(), gone, "ana", "asked to", func(wire.Erased) {}); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := s.sql(t, "SELECT count(), countIf(sample_id = unhex('"+gone.String()+"')) FROM slice_members"); n[0] != "61\t0" {
		t.Errorf("members, and rows of the erased sample: %s", n[0])
	}

	for want, args := range map[string][]string{
		"its producer has a slice of that name":         {"street", "--clusters", "2", "--name", "light"},
		"no image has an embedding":                     {"nowhere", "--clusters", "2"},
		"model other has embedded no image":             {"street", "--clusters", "2", "--model", "other"},
		"100 clusters of 61 images":                     {"street", "--clusters", "100"},
		"has no value look-7, but look-0, look-1":       {"street", "--rename", "look-7=dusk"},
		"has no discovered slice light: there are look": {"street", "--remove", "light"},
		"no discovered slice to draw":                   {"street", "--name", "light", "--sheet", sheet},
	} {
		if _, errs, code := i.run(t, append([]string{"dataset", "slices"}, args...)...); code != 1 || !strings.Contains(errs, want) {
			t.Errorf("dataset slices %v: exit code %d, want %q\n%s", args, code, want, errs)
		}
	}
	if out := i.ok(t, "dataset", "slices", "street", "--remove", "look"); strings.Contains(out, "look") || !strings.Contains(out, "night") {
		t.Errorf("after the removal:\n%s", out)
	}
}
