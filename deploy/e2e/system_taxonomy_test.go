package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/taxonomy"
)

// TestTaxonomyInForce registers a taxonomy with a running system: lint takes what a dataset never labels for unknown from then
// on, and the losses of a probe say which classes they are of.
func TestTaxonomyInForce(t *testing.T) {
	i := install(t)
	s := i.up(t)
	conn := s.connect(t)
	file := filepath.Join(t.TempDir(), "pets.tsv")
	table := "class\trelation\tcanonical\nanimal\troot\ndog\tchild\tanimal\ncat\tchild\tanimal\nperson\troot\npets@1:Hund\texact\tdog\npets@1:Katze\texact\tcat\n"
	if err := os.WriteFile(file, []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}

	// missing is what lint misses in a sample in which a model sees a dog and a person and nothing is labeled.
	box := geometry.Box{X1: 10, Y1: 10, X2: 50, Y2: 50}
	n := 0
	missing := func() (classes []string) {
		n++
		sample := schemas.Sample{
			Dataset: "pets", UniqueID: strconv.Itoa(n), Task: "detect", Stage: schemas.StageSegmented, Received: time.Unix(1_700_000_000, 0).UTC(),
			Image:     schemas.ImageRef{SHA256: schemas.Hash{byte(n)}, MediaType: "image/png", W: 200, H: 100},
			Stamps:    []schemas.Stamp{{Step: "prelabel", Model: "m@1", Hash: "00"}},
			Proposals: []schemas.Object{{ID: "p1", Class: "Hund", Canonical: "dog", Score: 0.9, Box: box}, {ID: "p2", Class: "person", Score: 0.8, Box: geometry.Box{X1: 100, Y1: 10, X2: 150, Y2: 90}}},
		}
		sample.ID = schemas.NewSampleID(sample.Dataset, sample.UniqueID, schemas.Hash{})
		value, err := schemas.EncodeSample(&sample)
		if err != nil {
			t.Fatal(err)
		}
		produce(t, conn.Kafka, []schemas.Record{{Topic: schemas.Segmented, Key: []byte(sample.ID.String()), Value: value}})
		var linted schemas.Sample
		eventually(t, patience, "the sample is linted", func() bool {
			for _, r := range all(t, conn.Kafka, schemas.Linted) {
				if got, err := schemas.DecodeSample(r.Value); err == nil && got.ID == sample.ID {
					linted = got
				}
			}
			return linted.ID == sample.ID
		})
		for _, f := range linted.Findings {
			classes = append(classes, f.Class)
		}
		return classes
	}
	if got := missing(); !slices.Equal(got, []string{"Hund", "person"}) {
		t.Errorf("without a taxonomy lint misses %v", got)
	}

	entry := decode[schemas.Taxonomy](t, i, "taxonomy", "apply", file, "--name", "pets")
	if again := i.ok(t, "taxonomy", "apply", file, "--name", "pets"); !strings.Contains(again, "nothing changed") || !strings.Contains(again, entry.ID) {
		t.Errorf("applied again: %s", again)
	}
	if list := decode[[]schemas.Taxonomy](t, i, "taxonomy", "list"); len(list) != 1 || list[0].ID != entry.ID {
		t.Errorf("list: %+v", list)
	}
	shown, err := taxonomy.ReadTSV(strings.NewReader(i.ok(t, "taxonomy", "show", "pets", "--tsv")))
	if err != nil || !slices.Equal(shown.Nodes, entry.Nodes) || !slices.Equal(shown.Mappings, entry.Mappings) {
		t.Errorf("shown: %+v, %v", shown, err)
	}
	if _, errs, code := i.run(t, "taxonomy", "show", "pets@9"); code != 1 || !strings.Contains(errs, "gleaner taxonomy list") {
		t.Errorf("show of what there is not: %d %s", code, errs)
	}
	names := filepath.Join(t.TempDir(), "names")
	if err := os.WriteFile(names, []byte("Hund\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if plan := i.ok(t, "taxonomy", "plan", "--dataset", "pets", "--model", "hunde@1=pets@1:"+names); !strings.Contains(plan, "animal, to be refined") {
		t.Errorf("plan:\n%s", plan)
	}
	eventually(t, patience, "lint knows what pets labels", func() bool { return slices.Equal(missing(), []string{"Hund"}) })

	const labels = 24
	var records []schemas.Record
	for k := range labels {
		class, paint := "Hund", color.RGBA{R: 200, A: 255}
		if k%2 == 1 {
			class, paint = "Katze", color.RGBA{B: 200, A: 255}
		}
		img := image.NewRGBA(image.Rect(0, 0, 64, 64))
		draw.Draw(img, img.Rect, image.NewUniform(color.Gray{Y: uint8(100 + k)}), image.Point{}, draw.Src)
		draw.Draw(img, image.Rect(10, 10, 50, 50), image.NewUniform(paint), image.Point{}, draw.Src)
		var data bytes.Buffer
		if err := png.Encode(&data, img); err != nil {
			t.Fatal(err)
		}
		sum := schemas.Hash(sha256.Sum256(data.Bytes()))
		if err := conn.Blobs.Put(t.Context(), schemas.ImageKey(sum), data.Bytes()); err != nil {
			t.Fatal(err)
		}
		l := schemas.Label{
			Dataset: "pets", UniqueID: fmt.Sprintf("label %d", k), Task: "detect", Rank: schemas.RankHuman, Revision: 1, Actor: "ann", At: time.Unix(1_700_000_000, 0).UTC(),
			Image:   schemas.ImageRef{SHA256: sum, Size: int64(data.Len()), MediaType: "image/png", W: 64, H: 64},
			Objects: []schemas.Object{{ID: "o1", Class: class, Box: box, Source: "person:ann"}},
		}
		if k == 0 {
			l.Objects[0].Lineage = entry.ID + " coco@2017:dog=dog"
		}
		l.SampleID = schemas.NewSampleID(l.Dataset, l.UniqueID, schemas.Hash{})
		value, err := schemas.EncodeLabel(&l)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, schemas.Record{Topic: schemas.Labels, Key: []byte(l.SampleID.String()), Value: value})
	}
	produce(t, conn.Kafka, records)
	eventually(t, patience, "the labels are in the catalog", func() bool {
		return slices.Equal(s.sql(t, "SELECT count() FROM label_latest WHERE dataset = 'pets'"), []string{strconv.Itoa(labels)})
	})
	run := decode[schemas.Run](t, i, "train", "probe", "--dataset", "pets", "--epochs", "2")
	eventually(t, patience, "the losses are in the database", func() bool {
		return slices.Equal(s.sql(t, "SELECT count() FROM loss_latest"), []string{strconv.FormatUint(run.Rows, 10)})
	})
	got := s.sql(t, "SELECT DISTINCT lineage FROM loss_latest ORDER BY lineage")
	for _, want := range []string{entry.ID + " pets@1:Hund=dog", entry.ID + " pets@1:Katze=cat"} {
		if !slices.Contains(got, want) {
			t.Errorf("lineages of the losses: %q, want %q among them", got, want)
		}
	}
	if slices.Contains(got, "") {
		t.Errorf("some losses have no lineage: %q", got)
	}
	if code := s.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
