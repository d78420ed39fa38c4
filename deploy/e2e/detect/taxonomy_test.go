package detect

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/connectors/formats/voc"
	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
	"gleaner/stages/taxonomy"
)

// TestRaccoonsAreAnimals lets the step label raccoons with a detector that knows none: they become animals, to be refined.
func TestRaccoonsAreAnimals(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(realdata.Need(t, "raccoon", "annotations"), "*.xml"))
	if err != nil || len(files) != 200 {
		t.Fatalf("%d annotations, %v", len(files), err)
	}
	tax, err := taxonomy.COCO()
	if err != nil {
		t.Fatal(err)
	}
	tax.Nodes = append(tax.Nodes, schemas.TaxonomyNode{Name: "raccoon", Parent: "animal"})
	tax.Mappings = append(tax.Mappings, schemas.ClassMapping{Dataset: "raccoon@1", Class: "raccoon", Canonical: "raccoon", Relation: schemas.RelationExact})
	var trees taxonomy.Registry
	if err := trees.Put(tax); err != nil {
		t.Fatal(err)
	}
	d := darknet{recognize(t, load(t, "yolox_nano.onnx"), "yolox_nano.onnx")}
	p, err := prelabel.New(prelabel.DefaultConfig(), prelabel.Deps{
		Models: prelabel.Fixed{d}, Images: pixels.NewCache(1<<28, nil), Version: "test",
		Classes: taxonomy.NewTranslations(&trees, slog.New(slog.NewTextHandler(t.Output(), nil))),
	})
	if err != nil {
		t.Fatal(err)
	}
	var labels, objects, proposals, found, among int
	for _, file := range files {
		truth, img := photographed(t, file)
		in := sample(img)
		in.Dataset = "raccoon"
		s := process(t, p, in)
		for _, o := range append(s.Objects, s.Proposals...) {
			if o.Class != "animal" || o.Canonical != "animal" || !o.Refine || !strings.HasPrefix(o.Lineage, tax.ID+" coco@darknet:") || !strings.HasSuffix(o.Lineage, "<animal") {
				t.Fatalf("%s: %+v", file, o)
			}
		}
		labels, objects, proposals = labels+len(truth), objects+len(s.Objects), proposals+len(s.Proposals)
		found, among = found+matched(truth, s.Objects), among+matched(truth, s.Proposals)
	}
	recall := float64(found) / float64(labels)
	t.Logf("%d raccoons: %d (%.3f) are objects of %d, %d (%.3f) among %d proposals, as animals at IoU 0.5",
		labels, found, recall, objects, among, float64(among)/float64(labels), proposals)
	if recall < 0.8 {
		t.Errorf("recall %.3f, want 0.8", recall)
	}
}

// darknet is a detector whose classes are spelled as in coco.names.
type darknet struct{ prelabel.Detector }

func (d darknet) Model() schemas.Model {
	m := d.Detector.Model()
	m.LabelSpace = "coco@darknet"
	return m
}

// matched is how many labels have an object, best first, of their own with an IoU of 0.5.
func matched(labels, objects []schemas.Object) (n int) {
	taken := make([]bool, len(objects))
next:
	for _, l := range labels {
		for i, o := range objects {
			if !taken[i] && o.Box.IoU(l.Box) >= 0.5 {
				taken[i] = true
				n++
				continue next
			}
		}
	}
	return n
}

// photographed returns the labels of a Pascal VOC file and the photo that lies in the folder beside its own.
func photographed(tb testing.TB, file string) ([]schemas.Object, photo) {
	tb.Helper()
	f, err := os.Open(file)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	a, err := voc.Read(f)
	if err != nil {
		tb.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(filepath.Dir(file), "..", "images", strings.TrimSuffix(filepath.Base(file), ".xml")+".jpg"))
	if err != nil {
		tb.Fatal(err)
	}
	img, _, err := pixels.Decode(data, pixels.DefaultLimits())
	if err != nil {
		tb.Fatal(err)
	}
	return a.Objects, photo{filepath.Base(file), data, img}
}
