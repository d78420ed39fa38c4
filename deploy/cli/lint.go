package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/connectors/formats"
	"gleaner/connectors/formats/yolo"
	"gleaner/deploy/batch"
	"gleaner/deploy/config"
	"gleaner/deploy/label"
	"gleaner/deploy/lint"
	"gleaner/schemas"
	"gleaner/stages/prelabel"
	"gleaner/stages/taxonomy"
)

// lintFlags are what the command line says.
type lintFlags struct {
	images, labels, format, classes string
	scores, out, html               string
	rules, taxonomy, labelSpace     string
	dataset                         string
	models                          []string
	minScore                        float32
	jobs, tiles                     int
	closer                          bool
}

// reportedFindings is how many findings the page shows.
const reportedFindings = 300

func (a *app) lintCommand() *cobra.Command {
	var l lintFlags
	c := &cobra.Command{
		Use:   "lint --images DIR --labels DIR|FILE --model M",
		Short: "Doubt the labels of image files: is everything labeled, and are the boxes right?",
		Long: `Doubt every label of a folder of images, by the code of the lint step, and write one line of JSON for each finding:
{image, type, box: [x1, y1, x2, y2], box_index, class, score, why, fix}, in pixels of the upright image. It needs no running
system, but for models that are named by the registry's name@version.

box_index is the label's place among all that the label file has of the image, in its order and from 0: lines of YOLO that are not
empty, objects of VOC, annotations of COCO with this image_id, crowd regions counted although they are not judged; nothing of their class is missing in them.

Types are missing (box_index is null), spurious, loose, tight, shift, edge, swap, duplicate, degenerate, twin: a near-duplicate
image of the folder is labeled differently, or has a label that is missing here (box_index is null), and, with --scores, loss: a
training run argued with the label's class, and with --rules rule. The score is the chance that a
reviewer would change the label, [0,1]; findings below --min-score are left out. A single twin scores below .5:
it is one label against another. Of several findings about one label the best is to be settled first: it may settle the others. A fix is {box}, {class}, both for what is
missing, or {remove: true}, and null where the models are too unsure of one. With --html the most doubtful are shown as pictures, in one file that needs nothing beside it.

Images that cannot be linted are named at the end and make the command fail; the findings of the others are written all the same.
When the command is interrupted or none can be linted, nothing is written, and files that were there stay as they were; when it is interrupted while
it makes the pictures of --html, the findings are written and the page is not.

An image has the labels at its own path, photos/a/x.jpg those of labels/a/x.txt, or else those whose path ends like its own, such as
labels/x.txt; when these could be of several images, nothing is linted. Images without a label file (of COCO: which the file does not
name) are passed over: nobody labeled them.

--scores are those of a training run, as ` + "`gleaner export --scores`" + ` writes them: a file of Parquet, Arrow or CSV with its columns. They count
where their class is still the label's. Labels that ` + "`gleaner export`" + ` wrote as COCO know which sample and object they are; else an image is the
sample that was pushed by its path below --images, or by its content alone, and o1, o2, … are its labels in the order of the file, which
then must be as it was. How many of the labels that the run doubts are among these is printed at the end.

--rules is a file of the dataset's rules, as gleaner dataset apply reads it: findings of type rule say which labels break them, and about
the image as a whole have its box and box_index null; nothing is missing that they do not want.

Nothing is missing of classes that the labels cannot have: those that are not among YOLO's class names or COCO's categories, or that no label of VOC has. What the
models see of such is named at the end. The objects of --rules say otherwise what is wanted, in the names that labels have. Demands of the rules for attributes that a format has no place for are
not checked: YOLO has none, VOC none but truncated. Nor are predicates about what a label does not have; labels of files have no score and no source.

Class names are compared as they are written, unless the rules name a taxonomy, or --taxonomy does: then those of labels mean what it says
of the dataset of the rules or of --dataset, and what is offered has the labels' names. What a model does not know the names
of is judged by its box alone, and is missing where something without a label resembles the labels that an image has of it.

--classes are the names of YOLO's classes (default: of the YAML file beside the labels) and of those of models that have none within
and no *.names beside them: a text file, one a line, or YAML with the key names.`,
		Example: `  gleaner lint --images photos/ --labels labels/ --format yolo --classes coco.names --model yolox_nano.onnx --out findings.jsonl
  gleaner lint --images photos/ --labels annotations/ --format voc --model yolox_nano.onnx,nanodet.onnx --out findings.jsonl --html report.html
  gleaner lint --images photos/ --labels coco.json --format coco --model yolox_nano.onnx --min-score 0.2 --closer --out findings.jsonl
  gleaner lint --images photos/ --labels street.json --format coco --model yolox_nano.onnx --scores scores.parquet --out findings.jsonl
  gleaner lint --images photos/ --labels labels/ --format yolo --model yolox_nano.onnx --rules street.yaml --out findings.jsonl
  gleaner lint --images photos/ --labels labels/ --format yolo --model yolox_nano.onnx --taxonomy mine.tsv --dataset street --label-space coco@2017 --out findings.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, log, err := a.load()
			if err != nil {
				return err
			}
			cfg.Prelabel.Model, cfg.Prelabel.Embeddings.Enabled = "", false // --model says it, and nobody asks for features
			cfg.Lint.Rules.MinScore, cfg.Lint.Datasets = l.minScore, nil
			if c.Flags().Changed("tiles") {
				cfg.Prelabel.Tiles = l.tiles
				forAll(cfg.Prelabel.Datasets, func(d *prelabel.Dataset) { d.Tiles = 0 })
			}
			cfg.Prelabel.Closer = l.closer
			for i, m := range l.models {
				l.models[i] = strings.TrimSpace(m)
			}
			if err := l.check(cfg); err != nil {
				return usageError{fmt.Errorf("lint: %w", err)}
			}
			if err := a.lint(c.Context(), c.OutOrStdout(), l, cfg, log); err != nil {
				return fmt.Errorf("lint: %w", err)
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&l.images, "images", "", "folder of images (required)")
	f.StringVar(&l.labels, "labels", "", "folder of label files or, for COCO, the file (required)")
	f.StringVar(&l.format, "format", "", strings.Join(formats.Formats(), ", ")+" (required)")
	f.StringVar(&l.classes, "classes", "", "file with class names")
	f.StringVar(&l.scores, "scores", "", "file with the scores of a training run, as export --scores writes it")
	f.StringVar(&l.rules, "rules", "", "YAML file of the dataset's rules (gleaner dataset apply --help)")
	f.StringVar(&l.dataset, "dataset", "", "dataset that the labels are of: whose prelabel.datasets.tiles count, and whose class names the taxonomy maps")
	f.StringVar(&l.taxonomy, "taxonomy", "", "taxonomy that relates classes: FILE.tsv, coco, or the registry's name or name@version (default: the one that the rules name)")
	f.StringVar(&l.labelSpace, "label-space", "", "dataset@version whose class names the models use, where the registry does not say it, such as coco@2017")
	f.StringSliceVarP(&l.models, "model", "m", nil, "ONNX file, or name@version of the registry; several look together (required)")
	f.IntVar(&l.tiles, "tiles", 0, "models look at N by N tiles of each image, too: labels of small objects are judged better, for N*N more runs (default: the configuration's prelabel.tiles)")
	f.BoolVar(&l.closer, "closer", false, "models look closer at each label, too, and at the surest things without one: boxes are judged more exactly, and what is missing is told better, for up to four more runs a label of each model, at most 512 an image, and up to 16 an image for things without one: some three to forty times as long, by how many labels images have")
	f.Float32Var(&l.minScore, "min-score", 0.5, "findings score at least this, (0,1]")
	f.StringVarP(&l.out, "out", "o", "", "file to write (required)")
	f.StringVar(&l.html, "html", "", "also write a page with pictures of the most doubtful")
	f.IntVarP(&l.jobs, "jobs", "j", runtime.GOMAXPROCS(0), "images at a time")
	a.jsonFlag(c)
	return c
}

func (l *lintFlags) check(cfg config.Config) error {
	switch {
	case l.images == "":
		return errors.New("--images is required")
	case l.labels == "":
		return errors.New("--labels is required")
	case !slices.Contains(formats.Formats(), l.format):
		return fmt.Errorf("--format %q: want %s", l.format, strings.Join(formats.Formats(), ", "))
	case len(l.models) == 0:
		return errors.New("--model is required")
	case slices.Contains(l.models, ""):
		return fmt.Errorf("--model %q: a name is missing beside a comma", strings.Join(l.models, ","))
	case l.out == "":
		return errors.New("--out is required")
	case batch.Same(l.out, l.html):
		return fmt.Errorf("--out and --html are both %s", l.html)
	case !(l.minScore > 0 && l.minScore <= 1):
		return fmt.Errorf("--min-score %g: must be above 0 and at most 1", l.minScore)
	case l.rules != "" && l.dataset != "":
		return errors.New("--dataset: the file of --rules says whose it is")
	case l.tiles < 0 || l.tiles > prelabel.MaxTiles:
		return fmt.Errorf("--tiles %d: want 0 to %d", l.tiles, prelabel.MaxTiles)
	case l.jobs < 1:
		return fmt.Errorf("--jobs %d: want at least 1", l.jobs)
	}
	return cfg.Lint.Validate()
}

func (a *app) lint(ctx context.Context, out io.Writer, l lintFlags, cfg config.Config, log *slog.Logger) (err error) {
	images, err := formats.Images(l.images)
	if err != nil {
		return fmt.Errorf("--images: %w", err)
	}
	if len(images) == 0 {
		return fmt.Errorf("--images: no images in %s", l.images)
	}
	var names []string
	if l.classes != "" {
		if names, err = lintClasses(l.classes); err != nil {
			return usageError{fmt.Errorf("--classes: %w", err)}
		}
	}
	o := lint.Options{Images: l.images, Prelabel: cfg.Prelabel, Lint: cfg.Lint, Limits: cfg.Pixels.Limits, Twins: cfg.Ingest.Thresholds, Jobs: l.jobs, Version: a.version}
	if o.Labels, err = formats.OpenAs(l.format, l.labels, images, names); errors.Is(err, formats.ErrNoNames) {
		return fmt.Errorf("--labels: %w, or give a file of them by --classes", err)
	} else if err != nil {
		return fmt.Errorf("--labels: %w", err)
	}
	if l.scores != "" {
		if o.Losses, err = lint.ReadLosses(ctx, l.scores); err != nil {
			return fmt.Errorf("--scores: %w", err)
		}
	}
	known := batch.FilesOf(l.reads(images, o.Labels, a.configFile))
	for _, path := range []string{l.out, l.html} {
		if file := known.Name(path); file != "" {
			return fmt.Errorf("%s would be overwritten", file)
		}
	}
	wishes, err := a.wishes(ctx, prelabelFlags{rules: l.rules, taxonomy: l.taxonomy, Options: label.Options{Dataset: l.dataset}})
	if err == nil && l.labelSpace != "" && wishes.Taxonomy == nil {
		return usageError{errors.New("--label-space says where a taxonomy is to look the models' classes up: name one by --taxonomy, or in the file of --rules")}
	}
	var unsaid []string
	if err == nil {
		wishes.Rules, unsaid = lint.Sayable(l.format, wishes.Rules)
		o.Wishes = wishes
		_, err = wishes.Terms() // which the rules may be no good for
	}
	if err != nil {
		return err
	}
	models, err := a.openModels(ctx, prelabelFlags{models: l.models, names: names, labelSpace: l.labelSpace}, cfg, log) // names are of those without any
	for _, m := range models {
		defer m.Close()
		o.Models = append(o.Models, m)
	}
	if err != nil {
		return err
	}
	if wishes.Taxonomy != nil {
		if _, _, err := wishes.Deps(o.Models, log); err != nil { // it cannot translate them
			return err
		}
	}
	sum := lintSummary{Images: len(images), Spare: len(o.Labels.Spare), Findings: map[string]int{}, None: map[string]int{}, Out: l.out, Unsaid: unsaid, spare: few(o.Labels.Spare), names: " by these names (--taxonomy relates others)"}
	for _, rule := range wishes.Rules.Objects {
		sum.wanted = append(sum.wanted, rule.Class)
	}
	if wishes.Taxonomy == nil {
		sum.met = slices.Clone(o.Labels.Names)
		for _, m := range o.Models {
			sum.met = append(sum.met, m.Model().Classes...)
		}
	} else {
		sum.names = " by taxonomy " + wishes.Taxonomy.ID
		tree, err := taxonomy.Build(*wishes.Taxonomy)
		if err != nil {
			return err
		}
		for _, m := range o.Models {
			of := taxonomy.ModelOf(m.Model())
			sum.Unlike = union(sum.Unlike, tree.Unmapped(of.Space, of.Classes))
		}
	}
	if o.Losses != nil {
		sum.Argued = &argued{Run: o.Losses.Run, Labels: o.Losses.Labels}
	}
	page := lint.NewReport(l.images, cfg.Pixels.Limits, reportedFindings)
	findings := func(w io.Writer) error {
		lines := bufio.NewWriter(w)
		encode := json.NewEncoder(lines)
		b := bar(int64(len(images)), "lint")
		var failed error
		ran := lint.Run(ctx, images, o, func(r lint.Result) {
			b.Add(1)
			page.Add(r)
			sum.add(r)
			for _, f := range r.Findings {
				failed = cmp.Or(failed, encode.Encode(f))
			}
		})
		b.End()
		if ran != nil {
			return fmt.Errorf("nothing is written, what was there stays: %w", ran)
		}
		return cmp.Or(failed, lines.Flush(), sum.none())
	}
	written := false
	if l.html == "" {
		err = batch.Write(l.out, findings)
	} else {
		err = batch.Write(l.html, func(w io.Writer) error { // begun first: a page that cannot be written is known before the work
			if err := batch.Write(l.out, findings); err != nil {
				return err
			}
			written = true
			b := bar(int64(page.Images()), "pictures")
			defer b.End()
			return page.Write(ctx, w, func() { b.Add(1) })
		})
	}
	if err != nil && !written {
		return err
	}
	printed := sum.print(out, a.asJSON)
	if err != nil {
		return fmt.Errorf("%s is written, %s is not: %w", l.out, l.html, err)
	}
	return printed
}

// reads are the files that a run reads.
func (l *lintFlags) reads(images []string, labels *formats.Beside, config string) []string {
	files := slices.Concat(labels.Files, l.models, []string{l.classes, l.scores, l.rules, l.taxonomy, config})
	for _, name := range images {
		files = append(files, filepath.Join(l.images, filepath.FromSlash(name)))
	}
	for _, model := range l.models {
		if classes, err := prelabel.ClassesBeside(model); err == nil {
			files = append(files, classes)
		}
	}
	return files
}

// lintClasses reads a file of class names: YAML by its extension, else one a line.
func lintClasses(path string) ([]string, error) {
	if ext := strings.ToLower(filepath.Ext(path)); ext != ".yaml" && ext != ".yml" {
		return prelabel.ReadClasses(path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	names, err := yolo.ReadNames(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return names, nil
}

// lintSummary is what is printed at the end.
type lintSummary struct {
	Images    int            `json:"images"`
	Unlabeled int            `json:"unlabeled"`            // images that no label file is about
	Spare     int            `json:"labels_without_image"` // files, or images of COCO
	Labels    int            `json:"labels"`
	Unknown   []string       `json:"unknown_classes,omitempty"`        // of labels, that no model knows
	Beyond    []string       `json:"beyond_classes,omitempty"`         // that the models see and labels cannot have
	Unsaid    []string       `json:"unsaid_attributes,omitempty"`      // that the rules want and labels of the format cannot have
	Unasked   []string       `json:"unevaluated_predicates,omitempty"` // of the rules, which ask for what labels of files do not have
	Unlike    []string       `json:"unmapped_model_classes,omitempty"` // of models, by their label space
	Unmet     []string       `json:"unmet_rule_classes,omitempty"`     // of the rules, that neither labels nor models have
	None      map[string]int `json:"missing_unlabeled,omitempty"`      // missing things of classes that no label has
	Findings  map[string]int `json:"findings"`                         // by type
	Argued    *argued        `json:"argued,omitempty"`                 // nil: no run was asked
	Failed    []string       `json:"failed,omitempty"`
	Out       string         `json:"out"`
	spare     string
	names     string   // how class names were compared
	classes   []string // of labels
	wanted    []string // classes of the rules, which say what is missing
	met       []string // classes that labels can have and that models know; none: the taxonomy has checked what is wanted
}

// argued is how many labels a training run argues with.
type argued struct {
	Run    string `json:"run"`
	Labels int    `json:"labels"`
	Here   int    `json:"here"` // of them, those among the labels that were linted
}

func (s *lintSummary) add(r lint.Result) {
	switch {
	case r.Err != nil:
		s.Failed = append(s.Failed, r.Err.Error())
	case !r.Labeled:
		s.Unlabeled++
	}
	s.Labels += r.Labels
	s.classes = union(s.classes, r.Classes)
	s.Unknown, s.Beyond, s.Unasked = union(s.Unknown, r.Unknown), union(s.Beyond, r.Beyond), union(s.Unasked, r.Unasked)
	if s.Argued != nil {
		s.Argued.Here += r.Argued
	}
	for _, f := range r.Findings {
		s.Findings[string(f.Type)]++
		if f.Type == schemas.FindingMissing {
			s.None[f.Class]++
		}
	}
}

// union adds the classes that are not there yet.
func union(to, classes []string) []string {
	for _, class := range classes {
		if !slices.Contains(to, class) {
			to = append(to, class)
		}
	}
	return to
}

// none is why the findings are no word about anything: every image with labels failed.
func (s *lintSummary) none() error {
	if n := len(s.Failed); n > 0 && n+s.Unlabeled == s.Images {
		return fmt.Errorf("none of %d images could be linted, the first since %s", n, s.Failed[0])
	}
	return nil
}

func (s *lintSummary) print(out io.Writer, asJSON bool) error {
	maps.DeleteFunc(s.None, func(class string, _ int) bool { return slices.Contains(s.classes, class) })
	if len(s.met) > 0 {
		s.Unmet = slices.DeleteFunc(slices.Clone(s.wanted), func(class string) bool { return slices.Contains(s.met, class) || slices.Contains(s.classes, class) })
	}
	if asJSON {
		if err := printJSON(out, s); err != nil {
			return err
		}
	} else {
		var parts []string
		total := 0
		for t, n := range s.Findings {
			parts, total = append(parts, fmt.Sprintf("%s %d", t, n)), total+n
		}
		slices.Sort(parts)
		fmt.Fprintf(out, "%d images, %d of them without labels; %d labels; %d findings in %s\n", s.Images, s.Unlabeled, s.Labels, total, s.Out)
		if total > 0 {
			fmt.Fprintln(out, strings.Join(parts, ", "))
		}
		if s.Spare > 0 {
			fmt.Fprintf(out, "%d with labels have no image: %s\n", s.Spare, s.spare)
		}
		if len(s.Unknown) > 0 {
			fmt.Fprintf(out, "no model knows these classes%s, whose labels are judged by their boxes alone: %s\n", s.names, few(s.Unknown))
		}
		if len(s.None) > 0 && len(s.wanted) == 0 {
			var none []string
			for _, class := range slices.Sorted(maps.Keys(s.None)) {
				none = append(none, fmt.Sprintf("%s %d", class, s.None[class]))
			}
			fmt.Fprintf(out, "missing are things of classes that no label has (--rules or fewer class names leave them out): %s\n", few(none))
		}
		if len(s.Beyond) > 0 {
			fmt.Fprintf(out, "the labels cannot have these classes that are seen, so nothing is missing of them (--rules says what is wanted): %s\n", few(s.Beyond))
		}
		if len(s.Unsaid) > 0 {
			fmt.Fprintf(out, "labels of this format cannot have these attributes, so the rules about them are not checked: %s\n", few(s.Unsaid))
		}
		if len(s.Unasked) > 0 {
			fmt.Fprintf(out, "these predicates of the rules ask for what some labels do not have, and are not checked there: %s\n", few(s.Unasked))
		}
		if len(s.Unlike) > 0 {
			fmt.Fprintf(out, "the models' label space does not have these of their classes, which therefore count for nothing: %s\n", few(s.Unlike))
		}
		if len(s.Unmet) > 0 {
			fmt.Fprintf(out, "the rules want these classes, which no label has and no model knows%s: %s\n", s.names, few(s.Unmet))
		}
		if a := s.Argued; a != nil {
			fmt.Fprintf(out, "run %s argues with %d labels, of which %d are here\n", a.Run, a.Labels, a.Here)
		}
		for _, f := range s.Failed {
			fmt.Fprintln(out, "failed:", f)
		}
	}
	if len(s.Failed) > 0 {
		return fmt.Errorf("%d of %d images failed", len(s.Failed), s.Images)
	}
	return nil
}
