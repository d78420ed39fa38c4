package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"html"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gleaner/connectors/formats/parquet"
	"gleaner/connectors/native"
	"gleaner/deploy/e2e/realdata"
	"gleaner/deploy/lint"
	"gleaner/schemas"
)

// lintFolder is the current folder, which lint is let loose on.
type lintFolder struct {
	t             *testing.T
	photo, labels string // of a kitchen, with eight objects
}

// newLintFolder has a real model with its classes in models/, and nothing else.
func newLintFolder(t *testing.T) lintFolder {
	t.Helper()
	real := func(name ...string) string {
		data, err := os.ReadFile(realdata.Need(t, name...))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	d := lintFolder{t, real("coco128", "images", "000000000009.jpg"), real("coco128", "labels", "000000000009.txt")}
	model, classes := real("models", "yolox_nano.onnx"), real("models", "coco.names")
	library, err := native.ONNXRuntime.Find()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(native.ONNXRuntime.Env, library)
	folder, _ := realdata.Dir()
	t.Setenv("GLEANER_DATA", folder) // neither is found from elsewhere
	t.Chdir(t.TempDir())
	d.write("models/yolox_nano.onnx", model)
	d.write("models/coco.names", classes)
	return d
}

// write makes a file.
func (d lintFolder) write(path, text string) {
	d.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

func (d lintFolder) read(path string) string {
	d.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(data)
}

// findings are the lines of a file.
func (d lintFolder) findings(path string) (all []lint.Finding) {
	d.t.Helper()
	for line := range strings.Lines(d.read(path)) {
		var f lint.Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			d.t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

// gleaner runs a command line and returns what it prints.
func gleaner(ctx context.Context, line string) (string, error) {
	var out bytes.Buffer
	root := newRoot("test")
	root.SetOut(&out)
	root.SetArgs(strings.Fields(line))
	err := root.ExecuteContext(ctx)
	return out.String(), err
}

const (
	lintModel = " --model models/yolox_nano.onnx "
	lintYOLO  = "lint --images images --labels labels --format yolo --classes models/coco.names" + lintModel
)

func TestLintKeepsWhatWasThere(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for name, c := range map[string]struct {
		ctx   context.Context
		files map[string]string
		want  string
	}{
		"interrupted":    {stopped, nil, "nothing is written, what was there stays"},
		"none readable":  {t.Context(), map[string]string{"labels/a.txt": "x\n"}, `none of 1 images could be linted, the first since labels of a.jpg in labels/a.txt: line 1: class "x"`},
		"no such folder": {t.Context(), nil, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newLintFolder(t)
			d.write("images/a.jpg", d.photo)
			d.write("labels/a.txt", d.labels)
			for name, text := range c.files {
				d.write(name, text)
			}
			d.write("out.jsonl", "findings of yesterday\n")
			html := "page.html"
			d.write(html, "a page of yesterday\n")
			if name == "no such folder" {
				html = "nowhere/page.html"
			}
			said, err := gleaner(c.ctx, lintYOLO+"--out out.jsonl --html "+html)
			if strings.Contains(said, "findings in") {
				t.Errorf("nothing is written, and it says %q", said)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if stopped := c.ctx.Err(); stopped != nil && !errors.Is(err, stopped) {
				t.Errorf("%v does not say that it was interrupted", err)
			}
			if out, page := d.read("out.jsonl"), d.read("page.html"); out != "findings of yesterday\n" || page != "a page of yesterday\n" {
				t.Errorf("%q and %q are there now", out, page)
			}
		})
	}
}

// TestLintSaysWhatDoesNotFit has labels of an image of another size, and of one that is not there.
func TestLintSaysWhatDoesNotFit(t *testing.T) {
	d := newLintFolder(t)
	d.write("images/a.jpg", d.photo)
	d.write("images/b.jpg", d.photo)
	d.write("c.json", `{"images":[{"id":1,"file_name":"a.jpg","width":640,"height":480},{"id":2,"file_name":"b.jpg","width":320,"height":240},
		{"id":3,"file_name":"gone.jpg"},{"id":4,"file_name":"empty.jpg"}],"categories":[{"id":1,"name":"bowl"}],
		"annotations":[{"image_id":1,"category_id":1,"bbox":[5,5,90,90]},{"image_id":3,"category_id":1,"bbox":[5,5,90,90]}]}`)
	said, err := gleaner(t.Context(), "lint --images images --labels c.json --format coco"+lintModel+"--out out.jsonl")
	if err == nil || !strings.Contains(err.Error(), "1 of 2 images failed") {
		t.Errorf("%v", err)
	}
	for _, want := range []string{"1 with labels have no image: gone.jpg", "failed: labels of b.jpg in c.json: they are for an image of 320 x 240 pixels, and it has 640 x 480"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q does not say %q", said, want)
		}
	}
	for _, f := range d.findings("out.jsonl") {
		if f.Image != "a.jpg" {
			t.Errorf("%+v", f)
		}
	}
}

// TestLintCrowd has a crowd region, in which nothing of its class is missing.
func TestLintCrowd(t *testing.T) {
	d := newLintFolder(t)
	d.write("images/a.jpg", d.photo)
	missing := func(crowd string) (classes map[string]bool) {
		d.write("c.json", `{"images":[{"id":1,"file_name":"a.jpg"}],"categories":[{"id":1,"name":"bowl"},{"id":2,"name":"orange"},{"id":3,"name":"broccoli"}],"annotations":[
			{"image_id":1,"category_id":2,"bbox":[5,5,90,90]}`+crowd+`]}`)
		if _, err := gleaner(t.Context(), "lint --images images --labels c.json --format coco --min-score 0.01 --out o.jsonl"+lintModel); err != nil {
			t.Fatal(err)
		}
		classes = map[string]bool{}
		for _, f := range d.findings("o.jsonl") {
			if f.Type == schemas.FindingMissing {
				classes[f.Class] = true
			}
		}
		return classes
	}
	if of := missing(""); !of["bowl"] || !of["broccoli"] {
		t.Errorf("missing are %v", of)
	}
	if of := missing(`,{"image_id":1,"category_id":1,"bbox":[0,0,640,480],"iscrowd":1}`); of["bowl"] || !of["broccoli"] {
		t.Errorf("missing beside a crowd of bowls are %v", of)
	}
}

func TestLintRefuses(t *testing.T) {
	d := newLintFolder(t)
	d.write("images/a.jpg", d.photo)
	d.write("labels/a.txt", d.labels)
	d.write("data.yaml", "names: [person]\n")
	d.write("c.json", `{"images":[{"id":1,"file_name":"a.jpg"}],"categories":[{"id":1,"name":"bowl"}],"annotations":[]}`)
	d.write("gleaner.yaml", "lint: {}\n")
	d.write("empty/none.md", "")
	d.write("deep/labels/a.txt", d.labels)
	d.write("two/a/x.jpg", d.photo)
	d.write("two/b/x.jpg", d.photo)
	d.write("one/x.txt", d.labels)
	const header = "run_id,dataset,sample,object_id,class,kind,presentations,aum,trend_q,class_outlier\n"
	row := ",street," + street.String() + ",o1,bowl,label_error,9,-3,nan,2\n"
	d.write("scores.csv", header+"run7"+row)
	d.write("two.csv", header+"run7"+row+"run8"+row)
	d.write("losses.csv", "run_id,dataset,unique_id,epoch,loss\nrun7,street,a.jpg,0,1\n")
	d.write("rules.yaml", "dataset: street\n")
	d.write("other/yolox_nano.onnx", d.read("models/yolox_nano.onnx"))
	if err := os.Symlink("labels/a.txt", "link.txt"); err != nil {
		t.Fatal(err)
	}
	before := map[string]string{}
	for _, name := range []string{"images/a.jpg", "labels/a.txt", "c.json", "models/yolox_nano.onnx", "models/coco.names", "gleaner.yaml"} {
		before[name] = d.read(name)
	}
	const ofCOCO = "lint --images images --labels c.json --format coco" + lintModel
	const ofYAML = "lint --images images --labels labels --format yolo" + lintModel
	for _, c := range []struct{ line, want string }{
		{lintYOLO + "--out images/a.jpg", "images/a.jpg would be overwritten"},
		{lintYOLO + "--out labels/a.txt", "labels/a.txt would be overwritten"},
		{lintYOLO + "--out link.txt", "labels/a.txt would be overwritten"},
		{lintYOLO + "--out o.jsonl --html labels/../labels/a.txt", "labels/a.txt would be overwritten"},
		{lintYOLO + "--out models/coco.names", "models/coco.names would be overwritten"},
		{lintYOLO + "--out models/yolox_nano.onnx", "models/yolox_nano.onnx would be overwritten"},
		{lintYOLO + "--config gleaner.yaml --out gleaner.yaml", "gleaner.yaml would be overwritten"},
		{ofYAML + "--out data.yaml", "data.yaml would be overwritten"},
		{ofCOCO + "--out c.json", "c.json would be overwritten"},
		{ofCOCO + "--out models/coco.names", "models/coco.names would be overwritten"},
		{lintYOLO + "--out images/o.jsonl --html images/../images/o.jsonl", "--out and --html are both images/../images/o.jsonl"},
		{"lint --images images --labels empty --format yolo --classes models/coco.names --out o.jsonl" + lintModel, "--labels: empty: none of the images has labels: those of a.jpg would be a.txt"},
		{"lint --images two --labels one --format yolo --classes models/coco.names --out o.jsonl" + lintModel, "one: which labels are of which image cannot be told: x.txt could be of a/x.jpg and of b/x.jpg"},
		{"lint --images empty --labels labels --format yolo --out o.jsonl" + lintModel, "--images: no images in empty"},
		{"lint --images nowhere --labels labels --format yolo --out o.jsonl" + lintModel, "--images: "},
		{"lint --images images --labels nowhere --format yolo --out o.jsonl" + lintModel, "--labels: "},
		{"lint --images images --labels deep/labels --format yolo --out o.jsonl" + lintModel, "or give a file of them by --classes"},
		{"lint --images images --labels labels --format coco --out o.jsonl" + lintModel, "coco labels are a file"},
		{lintYOLO + "--out o.jsonl extra", "unknown command"},
		{lintYOLO + "--scores scores.csv --out scores.csv", "scores.csv would be overwritten"},
		{lintYOLO + "--label-space coco@2017 --rules rules.yaml --out o.jsonl", "--label-space says where a taxonomy is to look the models' classes up"},
		{lintYOLO + "--label-space coco@2017 --out o.jsonl", "--label-space says where a taxonomy is to look the models' classes up"},
		{lintYOLO + "--taxonomy coco --out o.jsonl", "model yolox_nano@1: its label space is not known: name it with --label-space"},
		{lintYOLO + "--rules rules.yaml --out rules.yaml", "rules.yaml would be overwritten"},
		{lintYOLO + "--model other/yolox_nano.onnx --out o.jsonl", "two of the models are called yolox_nano@1"},
		{lintYOLO + "--scores losses.csv --out o.jsonl", "losses.csv: these are losses, not the scores that they come to: `gleaner export --scores RUN --out FILE.parquet`"},
		{lintYOLO + "--scores two.csv --out o.jsonl", "two.csv: there are those of run run7 of dataset street and of run run8 of dataset street"},
	} {
		if _, err := gleaner(t.Context(), c.line); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.line, err, c.want)
		}
	}
	for name, want := range before {
		if d.read(name) != want {
			t.Errorf("%s is another", name)
		}
	}
	if _, err := os.Stat("o.jsonl"); !os.IsNotExist(err) {
		t.Errorf("o.jsonl: %v, want that there is none", err)
	}
}

// TestLintMissingClasses: missing is what labels can be of, as their names, categories or themselves say, unless the rules say it.
func TestLintMissingClasses(t *testing.T) {
	d := newLintFolder(t)
	d.write("images/a.jpg", d.photo)
	d.write("orange.names", "orange\n")
	d.write("both.names", "orange\nbowl\n")
	d.write("yolo/a.txt", "0 0.1 0.1 0.15 0.15\n")
	d.write("voc/a.xml", "<annotation><object><name>orange</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>95</xmax><ymax>95</ymax></bndbox></object></annotation>")
	d.write("none/a.xml", "<annotation/>")
	for name, more := range map[string]string{"orange.json": "", "both.json": `,{"id":2,"name":"bowl"}`} {
		d.write(name, `{"images":[{"id":1,"file_name":"a.jpg"}],"categories":[{"id":1,"name":"orange"}`+more+`],"annotations":[{"image_id":1,"category_id":1,"bbox":[5,5,90,90]}]}`)
	}
	d.write("rules.yaml", "dataset: kitchen\nobjects: [{class: orange}, {class: bowl}]\n")
	d.write("predicates.yaml", "dataset: kitchen\npredicates: [{name: wide, when: object.area > 1e6, message: too large}]\n")
	d.write("images/b.jpg", d.photo)
	d.write("broken/a.xml", d.read("voc/a.xml"))
	d.write("broken/b.xml", "<annotation><object>")
	for _, c := range []struct {
		labels        string
		bowl, seen    bool // a bowl is missing, or named as what labels cannot have
		others, fails bool // so are things of further classes; one of the images fails
	}{
		{labels: "yolo --format yolo --classes orange.names", seen: true},
		{labels: "yolo --format yolo --classes both.names", bowl: true},
		{labels: "yolo --format yolo --classes orange.names --closer", seen: true},
		{labels: "voc --format voc", seen: true},
		{labels: "none --format voc", bowl: true, others: true},  // they have no classes that could say it
		{labels: "broken --format voc", seen: true, fails: true}, // what can be read says it
		{labels: "orange.json --format coco", seen: true},
		{labels: "both.json --format coco", bowl: true},
		{labels: "voc --format voc --rules rules.yaml", bowl: true},
		{labels: "orange.json --format coco --rules rules.yaml", bowl: true},
		{labels: "voc --format voc --rules predicates.yaml", seen: true},
	} {
		said, err := gleaner(t.Context(), "lint --images images --labels "+c.labels+" --min-score 0.01 --out o.jsonl"+lintModel)
		if (err != nil) != c.fails {
			t.Fatalf("%s: %v", c.labels, err)
		}
		missing := map[string]bool{}
		for _, f := range d.findings("o.jsonl") {
			if f.Type == schemas.FindingMissing {
				missing[f.Class] = true
			}
		}
		_, beyond, _ := strings.Cut(said, "the labels cannot have these classes that are seen, so nothing is missing of them (--rules says what is wanted): ")
		bowl := missing["bowl"]
		delete(missing, "orange")
		delete(missing, "bowl")
		if _, none, _ := strings.Cut(said, "missing are things of classes that no label has (--rules or fewer class names leave them out): "); strings.Contains(none, "bowl") != (c.bowl && !strings.Contains(c.labels, "rules.yaml")) {
			t.Errorf("%s: a bowl is missing: %v, and no label is of one: %s", c.labels, c.bowl, said)
		}
		if bowl != c.bowl || len(missing) > 0 != c.others || strings.Contains(beyond, "bowl") != c.seen {
			t.Errorf("%s: a bowl is missing: %v, and %v; %s", c.labels, bowl, missing, said)
		}
	}
}

// TestLintAttributes has rules that want attributes: of formats that have a place for them they are read, of others nobody asks.
func TestLintAttributes(t *testing.T) {
	d := newLintFolder(t)
	d.write("images/a.jpg", d.photo)
	d.write("rules.yaml", "dataset: kitchen\nobjects: [{class: bowl, truncation: mark, attributes: [{name: kind, required: true}]}]\n")
	d.write("yolo/a.txt", "0 0.1 0.1 0.2 0.2\n")
	d.write("bowl.names", "bowl\n")
	voc := func(more string) string {
		return "<annotation><object><name>bowl</name>" + more + "<bndbox><xmin>1</xmin><ymin>5</ymin><xmax>95</xmax><ymax>95</ymax></bndbox></object></annotation>"
	}
	d.write("marked/a.xml", voc("<truncated>1</truncated>"))
	d.write("unmarked/a.xml", voc("<truncated>0</truncated>"))
	for name, attributes := range map[string]string{"marked.json": `{"truncated":true,"kind":"soup"}`, "unmarked.json": `{}`} {
		d.write(name, `{"images":[{"id":1,"file_name":"a.jpg"}],"categories":[{"id":1,"name":"bowl"}],"annotations":[{"image_id":1,"category_id":1,"bbox":[0,5,95,90],"attributes":`+attributes+`}]}`)
	}
	for _, c := range []struct {
		labels, unsaid string
		broken         []string
	}{
		{"yolo --format yolo --classes bowl.names", "kind, truncated", nil},
		{"marked --format voc", "kind", nil},
		{"unmarked --format voc", "kind", []string{"The image's edge cuts the object: its attribute truncated must be true."}},
		{"marked.json --format coco", "", nil},
		{"unmarked.json --format coco", "", []string{"The attribute kind is missing.", "The image's edge cuts the object: its attribute truncated must be true."}},
	} {
		said, err := gleaner(t.Context(), "lint --images images --rules rules.yaml --out o.jsonl --labels "+c.labels+lintModel)
		if err != nil {
			t.Fatal(err)
		}
		var broken []string
		for _, f := range d.findings("o.jsonl") {
			if f.Type == schemas.FindingRule {
				broken = append(broken, f.Why)
			}
		}
		slices.Sort(broken)
		_, unsaid, _ := strings.Cut(said, "labels of this format cannot have these attributes, so the rules about them are not checked: ")
		if !slices.Equal(broken, c.broken) || strings.TrimSpace(unsaid) != c.unsaid {
			t.Errorf("%s: %q, want %q; %s", c.labels, broken, c.broken, said)
		}
	}
}

// TestLintAsksInVain has a predicate about what labels do not have, and a label space that is not the model's: both are told once.
func TestLintAsksInVain(t *testing.T) {
	d := newLintFolder(t)
	d.write("images/a.jpg", d.photo)
	d.write("labels/a.txt", d.labels)
	d.write("rules.yaml", "dataset: kitchen\npredicates:\n- {name: robot, when: 'object.attributes[\"kind\"] == \"robot\"', message: It is a robot.}\n- {name: bowls, when: object.class == \"bowl\", message: It is a bowl.}\n")
	said, err := gleaner(t.Context(), lintYOLO+"--rules rules.yaml --out o.jsonl")
	if err != nil || !strings.Contains(said, "these predicates of the rules ask for what some labels do not have, and are not checked there: robot\n") {
		t.Errorf("%s, %v", said, err)
	}
	bowls := 0
	for _, f := range d.findings("o.jsonl") {
		switch {
		case f.Type != schemas.FindingRule:
		case f.Why == "It is a bowl." && f.Class == "bowl":
			bowls++
		default:
			t.Errorf("%+v", f)
		}
	}
	if want := strings.Count("\n"+d.labels, "\n45 "); bowls != want || want == 0 {
		t.Errorf("%d bowls, want %d", bowls, want)
	}
	d.write("mine.tsv", dishes(t))
	said, err = gleaner(t.Context(), lintYOLO+"--taxonomy mine.tsv --dataset street --label-space coco@2017 --out o.jsonl")
	if err != nil || !strings.Contains(said, "the models' label space does not have these of their classes, which therefore count for nothing: motorbike, ") {
		t.Errorf("%s, %v", said, err)
	}
}

// TestLintRules doubts what breaks a dataset's rules, and misses nothing that they do not want.
func TestLintRules(t *testing.T) {
	d := newLintFolder(t)
	var oranges, broccoli []string // the model sees bowls too, which are not labeled here
	for line := range strings.Lines(d.labels) {
		switch strings.Fields(line)[0] {
		case "49":
			oranges = append(oranges, line)
		case "50":
			broccoli = append(broccoli, line)
		}
	}
	d.write("images/a.jpg", d.photo)
	d.write("labels/a.txt", strings.Join(append(oranges, broccoli...), ""))
	d.write("rules.yaml", "dataset: kitchen\nobjects: [{class: orange, max_count: 1, severity: warn}]\n")
	for _, rules := range []string{"", " --rules rules.yaml"} {
		if _, err := gleaner(t.Context(), lintYOLO+"--min-score 0.01 --out o.jsonl"+rules); err != nil {
			t.Fatal(err)
		}
		bowl := slices.ContainsFunc(d.findings("o.jsonl"), func(f lint.Finding) bool { return f.Type == schemas.FindingMissing && f.Class == "bowl" })
		if bowl == (rules != "") {
			t.Errorf("%q: a bowl is missing: %v", rules, bowl)
		}
	}
	var unwanted, many int
	for _, f := range d.findings("o.jsonl") {
		switch {
		case f.Type != schemas.FindingRule:
		case f.Index == nil && f.Score == 0.5 && f.Box == [4]float32{0, 0, 640, 480} && strings.HasSuffix(f.Why, "objects of class orange: at most 1 are expected in an image."):
			many++
		case f.Index != nil && f.Score == 1 && f.Why == "broccoli is none of the classes wanted: orange.":
			unwanted++
		default:
			t.Errorf("%+v", f)
		}
	}
	if many != 1 || unwanted != len(broccoli) || unwanted == 0 {
		t.Errorf("%d findings about all oranges, %d about broccoli, want 1 and %d", many, unwanted, len(broccoli))
	}
	d.write("config.yaml", "prelabel: {datasets: {kitchen: {tiles: 2}}}\n")
	for _, c := range []struct{ out, flags string }{{"tiled", ""}, {"whole", " --tiles 1"}, {"closer", " --tiles 1 --closer"}} {
		if _, err := gleaner(t.Context(), lintYOLO+"--min-score 0.01 --out "+c.out+".jsonl --rules rules.yaml --config config.yaml"+c.flags); err != nil {
			t.Fatal(err)
		}
	}
	if whole := d.read("whole.jsonl"); whole != d.read("o.jsonl") || whole == d.read("tiled.jsonl") || whole == d.read("closer.jsonl") {
		t.Error("--tiles does not say what the configuration says of the dataset otherwise, or --closer says nothing")
	}
	d.write("rules.yaml", "dataset: kitchen\nobjects: [{class: orange}, {class: broccolli}, {class: robot}]\n")
	said, err := gleaner(t.Context(), lintYOLO+"--rules rules.yaml --out o.jsonl")
	if err != nil || !strings.Contains(said, "the rules want these classes, which no label has and no model knows by these names (--taxonomy relates others): broccolli, robot\n") {
		t.Errorf("%s, %v", said, err)
	}
	if _, err := gleaner(t.Context(), lintYOLO+"--rules labels/a.txt --out o.jsonl"); err == nil || !strings.Contains(err.Error(), "labels/a.txt: ") {
		t.Errorf("%v", err)
	}
}

// dishes is COCO's taxonomy with the class names of a dataset of another tongue.
func dishes(t *testing.T) string {
	t.Helper()
	coco, err := gleaner(t.Context(), "taxonomy show coco --tsv")
	if err != nil {
		t.Fatal(err)
	}
	return coco + "street@1:Schale\texact\tbowl\nstreet@1:Brokkoli\texact\tbroccoli\n"
}

// TestLintTaxonomy has labels whose class names are others than the model's: a taxonomy says what they mean, and what is offered is called as they are.
func TestLintTaxonomy(t *testing.T) {
	d := newLintFolder(t)
	d.write("images/a.jpg", d.photo)
	const bowl = "<annotation><object><name>Schale</name><bndbox><xmin>1</xmin><ymin>190</ymin><xmax>600</xmax><ymax>470</ymax></bndbox></object>"
	d.write("labels/a.xml", bowl+"</annotation>")
	d.write("mine.tsv", dishes(t))
	const voc = "lint --images images --labels labels --format voc --min-score 0.01 --out o.jsonl" + lintModel
	said, err := gleaner(t.Context(), voc)
	if err != nil || !strings.Contains(said, "no model knows these classes by these names (--taxonomy relates others), whose labels are judged by their boxes alone: Schale") {
		t.Errorf("%s, %v", said, err)
	}
	d.write("street.yaml", "dataset: street\nobjects: [{class: Brokkoli}]\n")
	for _, c := range []struct {
		name, labels, flags string
		missing, not        []string
	}{
		{"what no label is of is not missing", bowl, "--dataset street", nil, []string{"Brokkoli", "broccoli", "bowl"}},
		{"names of labels", bowl + "<object><name>Brokkoli</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>", "--dataset street", []string{"Brokkoli"}, []string{"broccoli", "bowl"}},
		{"canonical names of labels", bowl + "<object><name>broccoli</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>", "--dataset street", []string{"broccoli"}, []string{"Brokkoli", "bowl"}},
		{"rules want it", bowl, "--rules street.yaml", []string{"Brokkoli"}, []string{"broccoli", "bowl", "Schale"}},
	} {
		d.write("labels/a.xml", c.labels+"</annotation>")
		said, err = gleaner(t.Context(), voc+"--taxonomy mine.tsv --label-space coco@2017 "+c.flags)
		if err != nil || strings.Contains(said, "no model knows") {
			t.Errorf("%s: %s, %v", c.name, said, err)
		}
		classes := map[string]bool{}
		for _, f := range d.findings("o.jsonl") {
			if f.Type == schemas.FindingMissing {
				classes[f.Class] = true
			}
		}
		for _, class := range c.missing {
			if !classes[class] {
				t.Errorf("%s: no %s is missing: %v", c.name, class, classes)
			}
		}
		for _, class := range c.not {
			if classes[class] {
				t.Errorf("%s: missing are %v", c.name, classes)
			}
		}
	}
	if strings.Contains(said, "the rules want these classes") { // the taxonomy knows it
		t.Error(said)
	}
	for flags, want := range map[string]string{
		"--taxonomy mine.tsv --label-space coco@2017": "maps no class of dataset images: name one of coco, street,",
		"--rules rules.yaml --dataset street":         "--dataset: the file of --rules says whose it is",
	} {
		if _, err := gleaner(t.Context(), voc+flags); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", flags, err, want)
		}
	}
}

// TestLintClassWithComma has names that a list with commas would tear.
func TestLintClassWithComma(t *testing.T) {
	d := newLintFolder(t)
	d.write("images/a.jpg", d.photo)
	d.write("labels/a.txt", d.labels)
	d.write("classes.txt", strings.Replace(d.read("models/coco.names"), "bowl", "bowl, or plate", 1))
	if err := os.Remove("models/coco.names"); err != nil {
		t.Fatal(err)
	}
	if _, err := gleaner(t.Context(), "lint --images images --labels labels --format yolo --classes classes.txt --min-score 0.01 --out o.jsonl"+lintModel); err != nil {
		t.Fatal(err)
	}
	if out := d.read("o.jsonl"); !strings.Contains(out, `"class":"bowl, or plate"`) {
		t.Errorf("no bowl is doubted: %s", out)
	}
}

// TestLintCommand has odd labels, and what the command says about them.
func TestLintCommand(t *testing.T) {
	const everything = " --min-score 0.001 --out o.jsonl --html o.html"
	lines := strings.Split(strings.TrimSpace(newLintFolder(t).labels), "\n")
	shifted := "45 0.6 0.6 0.3 0.3"
	windows := strings.Join(append(lines, shifted), "\r\n") + "\r\n\r\n"
	annotations := func(crowds string) string {
		return `{"images":[{"id":7,"file_name":"a.jpg"}],"categories":[{"id":3,"name":"bowl"}],"annotations":[` + crowds +
			`{"id":5,"image_id":7,"category_id":3,"bbox":[300,200,100,100],"iscrowd":0}]}`
	}
	const crowd = `{"id":4,"image_id":7,"category_id":3,"bbox":[0,0,640,480],"iscrowd":1},`
	for name, c := range map[string]struct {
		line   string
		files  map[string]string // images are photos
		print  string
		err    string
		places map[string][]int // of labels that are doubted, by image, among others
		class  string           // that is doubted
	}{
		"Unix line ends": {
			line: lintYOLO, files: map[string]string{"images/a.jpg": "", "labels/a.txt": strings.ReplaceAll(windows, "\r", "")},
			print: "1 images, 0 of them without labels; 9 labels;", places: map[string][]int{"a.jpg": {8}}, class: "bowl",
		},
		"Windows line ends": {
			line: lintYOLO, files: map[string]string{"images/a.jpg": "", "labels/a.txt": windows},
			print: "1 images, 0 of them without labels; 9 labels;", places: map[string][]int{"a.jpg": {8}}, class: "bowl",
		},
		"empty lines": {
			line: lintYOLO, files: map[string]string{"images/a.jpg": "", "labels/a.txt": "\n\n" + shifted + "\n\n"},
			print: "1 labels;", places: map[string][]int{"a.jpg": {0}},
		},
		"an image without a label file": {
			line: lintYOLO, files: map[string]string{"images/a.jpg": "", "images/b.jpg": "", "labels/a.txt": shifted},
			print: "2 images, 1 of them without labels; 1 labels;", places: map[string][]int{"a.jpg": {0}},
		},
		"a class that no model knows": {
			line: strings.Replace(lintYOLO, "models/coco.names", "own.names", 1), files: map[string]string{"images/a.jpg": "", "labels/a.txt": "0 .5 .5 .1 .1", "own.names": "ladle\n"},
			print: "no model knows these classes by these names (--taxonomy relates others), whose labels are judged by their boxes alone: ladle",
		},
		"an empty label file": {
			line: lintYOLO, files: map[string]string{"images/a.jpg": "", "labels/a.txt": ""},
			print: "1 images, 0 of them without labels; 0 labels;", class: "bowl",
		},
		"a label of an unknown class": {
			line:  lintYOLO,
			files: map[string]string{"images/a.jpg": "", "images/b.jpg": "", "labels/a.txt": "99 .5 .5 .1 .1", "labels/b.txt": shifted},
			print: `failed: labels of a.jpg in labels/a.txt: line 1: class "99"`, err: "1 of 2 images failed", places: map[string][]int{"b.jpg": {0}},
		},
		"one name in two folders": {
			line:  lintYOLO,
			files: map[string]string{"images/a/x.jpg": "", "images/b/x.jpg": "", "labels/a/x.txt": shifted, "labels/b/x.txt": "0 .1 .1 .1 .1\n" + shifted},
			print: "2 images, 0 of them without labels; 3 labels;", places: map[string][]int{"a/x.jpg": {0}, "b/x.jpg": {1}},
		},
		"COCO": {
			line: "lint --images images --labels c.json --format coco" + lintModel, files: map[string]string{"images/a.jpg": "", "c.json": annotations("")},
			print: "1 labels;", places: map[string][]int{"a.jpg": {0}},
		},
		"COCO with a crowd": {
			line: "lint --images images --labels c.json --format coco" + lintModel, files: map[string]string{"images/a.jpg": "", "c.json": annotations(crowd)},
			print: "1 labels;", places: map[string][]int{"a.jpg": {1}},
		},
		"VOC": {
			line: "lint --images images --labels labels --format voc" + lintModel,
			files: map[string]string{"images/a.jpg": "", "labels/a.xml": "<annotation><object><name>bowl</name><bndbox><xmin>300</xmin><ymin>200</ymin>" +
				"<xmax>400</xmax><ymax>300</ymax></bndbox></object></annotation>"},
			print: "1 labels;", places: map[string][]int{"a.jpg": {0}}, class: "bowl",
		},
		"names that are HTML": {
			line: strings.Replace(lintYOLO, "models/coco.names", "odd.names", 1),
			files: map[string]string{
				`images/<script>alert(1)<` + "\u2215" + `script>.jpg`: "", `labels/<script>alert(1)<` + "\u2215" + `script>.txt`: "0 0.6 0.6 0.3 0.3",
				`images/"'><img src=x onerror=alert(2)>日本.jpg`: "", `labels/"'><img src=x onerror=alert(2)>日本.txt`: "1 0.6 0.6 0.3 0.3",
				"odd.names": "</style><script>alert(3)</script>\n\"'><svg onload=alert(4)> é, 日本",
			},
			print: "2 images, 0 of them without labels; 2 labels;", class: "\"'><svg onload=alert(4)> é, 日本",
			places: map[string][]int{`"'><img src=x onerror=alert(2)>日本.jpg`: {0}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newLintFolder(t)
			for name, text := range c.files {
				if strings.HasSuffix(name, ".jpg") {
					text = d.photo
				}
				d.write(name, text)
			}
			text, err := gleaner(t.Context(), c.line+everything)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("%v, want %q", err, c.err)
			}
			if !strings.Contains(text, c.print) {
				t.Errorf("%s\nwant %s", text, c.print)
			}
			classes, places := map[string]bool{}, map[string][]int{}
			for _, f := range d.findings("o.jsonl") {
				classes[f.Class] = true
				if f.Index != nil {
					places[f.Image] = append(places[f.Image], *f.Index)
				}
			}
			if c.class != "" && !classes[c.class] {
				t.Errorf("no %s among %v", c.class, classes)
			}
			for image, want := range c.places {
				for _, place := range want {
					if !slices.Contains(places[image], place) {
						t.Errorf("doubts of %s are of its labels %v, want %d too", image, places[image], place)
					}
				}
			}
			page := d.read("o.html")
			for _, tag := range []string{"<script", "<img", "<svg onload", "</style><"} {
				if strings.Contains(page, tag) {
					t.Errorf("the page has %s", tag)
				}
			}
			for class := range classes {
				if !strings.Contains(html.UnescapeString(page), class) {
					t.Errorf("the page does not say %s", class)
				}
			}
		})
	}
}

// street is the sample that a.jpg is in the dataset of that name.
var street = schemas.NewSampleID("street", "a.jpg", schemas.Hash{})

// writeScores makes a file as export --scores does, by which run7 argues with a bowl of a.jpg.
func (d lintFolder) writeScores(path, object string) {
	d.t.Helper()
	row := map[string]any{
		"run_id": "run7", "dataset": "street", "sample": street.String(), "object_id": object, "class": "bowl", "kind": "label_error",
		"presentations": uint64(9), "confidence": 0.1, "aum": -3.0, "trend_q": math.NaN(), "class_outlier": 2.0,
	}
	var columns []parquet.Column
	var values []any
	for name, value := range row {
		columns, values = append(columns, parquet.Column{Name: name, Type: reflect.TypeOf(value)}), append(values, value)
	}
	var file bytes.Buffer
	w, err := parquet.NewWriter(&file, columns)
	if err == nil {
		err = errors.Join(w.Write(values), w.Close())
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.write(path, file.String())
}

// TestLintExamples runs the command lines of the help and of README as they are pasted, in a folder that has what they name.
func TestLintExamples(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(realdata.Need(t, "models", "nanodet.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	d := newLintFolder(t)
	for name, text := range map[string]string{
		"photos/a.jpg": d.photo, "labels/a.txt": d.labels,
		"annotations/a.xml": "<annotation><object><name>bowl</name><bndbox><xmin>1</xmin><ymin>190</ymin><xmax>600</xmax><ymax>470</ymax></bndbox></object></annotation>",
		"coco.json":         `{"images":[{"id":1,"file_name":"a.jpg"}],"categories":[],"annotations":[]}`,
		"coco.names":        d.read("models/coco.names"), "yolox_nano.onnx": d.read("models/yolox_nano.onnx"), "best.onnx": d.read("models/yolox_nano.onnx"),
		"nanodet.onnx": string(second), "street.yaml": "dataset: street\nobjects: [{class: bowl}]\n", "mine.tsv": dishes(t),
	} {
		d.write(name, text)
	}
	d.write("street.json", `{"images":[{"id":1,"file_name":"a.jpg","gleaner_sample_id":"`+street.String()+`"}],"categories":[{"id":3,"name":"bowl"}],
		"annotations":[{"id":1,"image_id":1,"category_id":3,"bbox":[1,190,600,280],"gleaner_object_id":"h7"}]}`)
	d.writeScores("scores.parquet", "h7")
	var names strings.Builder
	for name := range strings.Lines(d.read("coco.names")) {
		names.WriteString("- " + name)
	}
	d.write("data.yaml", "names:\n"+names.String())
	run, argued := 0, false
	for line := range strings.Lines((&app{}).lintCommand().Example + "\n" + string(readme)) {
		line, _, _ = strings.Cut(line, " #")
		line, ok := strings.CutPrefix(strings.TrimSpace(line), "gleaner lint")
		if !ok {
			continue
		}
		run++
		out, err := gleaner(t.Context(), "lint"+line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		argued = argued || strings.Contains(out, "run run7 argues with 1 labels, of which 1 are here")
	}
	if run != 11 || !argued || len(d.findings("findings.jsonl")) == 0 || !strings.Contains(d.read("report.html"), "a.jpg") {
		t.Errorf("%d examples were run", run)
	}
}
