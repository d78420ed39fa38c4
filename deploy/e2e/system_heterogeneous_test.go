package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
)

// TestHeterogeneousDatasets runs three datasets with different objects in one system with one detector of COCO's classes: what
// one finds as the class that it wants, another gets as a super-class that people have to refine, and the third, of which the
// detector knows nothing, not at all.
func TestHeterogeneousDatasets(t *testing.T) {
	coco, err := os.ReadFile(filepath.Join("..", "..", "stages", "taxonomy", "coco.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	table := write("things.tsv", string(coco)+"raccoon\tchild\tanimal\nblood cell\troot\t\nRBC\tchild\tblood cell\n"+
		"raccoon@1:raccoon\texact\traccoon\nbccd@1:RBC\texact\tRBC\ncoco128@1:person\texact\tperson\ncoco128@1:hound\texact\tdog\n")
	people := write("coco128.yaml", "dataset: coco128\nobjects:\n  - {class: person, min_size: {height: 100}}\n  - class: hound\n")

	i := install(t)
	s := i.up(t)
	i.ok(t, "model", "add", realdata.Need(t, "models", "yolox_nano.onnx"), "--classes", realdata.Need(t, "models", "coco.names"), "--label-space", "coco@darknet", "--serve")
	i.ok(t, "taxonomy", "apply", table, "--name", "things")
	i.ok(t, "dataset", "apply", people)
	s.kill() // what was said holds from the first sample on when the system starts again
	s = i.up(t)

	forest, raccoons := some(t, "raccoon", 12)
	blood, _ := some(t, "bccd", 4)
	streets := t.TempDir()
	photos, err := filepath.Glob(filepath.Join(realdata.Need(t, "coco128", "images"), "*.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, photo := range photos[:24] {
		if err := os.Symlink(photo, filepath.Join(streets, filepath.Base(photo))); err != nil {
			t.Fatal(err)
		}
	}
	conn := s.connect(t)
	linted := func() map[string][]schemas.Sample {
		byDataset := map[string][]schemas.Sample{}
		for _, r := range all(t, conn.Kafka, schemas.Linted) {
			sample, err := schemas.DecodeSample(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			byDataset[sample.Dataset] = append(byDataset[sample.Dataset], sample)
		}
		return byDataset
	}
	for dataset, folder := range map[string]string{"raccoon": forest, "bccd": blood, "coco128": streets} {
		i.ok(t, "push", folder, "--dataset", dataset)
	}
	var got map[string][]schemas.Sample
	eventually(t, patience, "all that is good enough is linted", func() bool {
		got = linted()
		return len(got["raccoon"]) >= 10 && len(got["bccd"]) >= 2 && len(got["coco128"]) >= 20
	})

	found, truth := 0, 0
	for _, sample := range got["raccoon"] {
		for _, o := range sample.Objects {
			if o.Class != "animal" || !o.Refine || !strings.HasSuffix(o.Lineage, "<animal") {
				t.Fatalf("%s: %+v: want an animal, to be refined", sample.UniqueID, o)
			}
		}
		for _, l := range raccoons[sample.UniqueID] {
			truth++
			for _, o := range sample.Objects {
				if o.Box.IoU(l.Box) >= 0.5 {
					found++
					break
				}
			}
		}
	}
	if truth < 10 || 2*found < truth {
		t.Errorf("%d of %d raccoons are found as animals", found, truth)
	}
	for _, sample := range got["bccd"] {
		if len(sample.Objects)+len(sample.Proposals) > 0 {
			t.Errorf("%s: the detector knows no blood cell: %+v", sample.UniqueID, sample.Objects)
		}
	}
	classes := map[string]int{}
	for _, sample := range got["coco128"] {
		for _, o := range sample.Objects {
			classes[o.Class]++
			if o.Refine || o.Class == "person" && o.Box.H() < 100 {
				t.Errorf("%s: %+v: the rules want persons of 100 pixels and more", sample.UniqueID, o)
			}
		}
	}
	if classes["person"] == 0 || classes["hound"] == 0 || len(classes) != 2 {
		t.Errorf("coco128 gets %v, want persons and hounds", classes)
	}
	if plan := i.ok(t, "taxonomy", "plan", "--dataset", "raccoon", "--model", "yolox_nano@1=coco@darknet:"+realdata.Need(t, "models", "coco.names")); !strings.Contains(plan, "animal, to be refined") {
		t.Errorf("plan:\n%s", plan)
	}
}
