package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/connectors/formats/coco"
	"gleaner/deploy/batch"
	"gleaner/deploy/config"
	"gleaner/deploy/label"
	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/stages/prelabel"
	"gleaner/stages/rules"
)

// prelabelFlags are what the command line says.
type prelabelFlags struct {
	label.Options
	out, images, annotations    string
	models, wanted              []string
	names                       []string // of the classes of models that have none within or beside them; nil: none
	classes, decode, labelSpace string
	taxonomy, rules             string
	low, accept                 float32
	tiles                       int
	verbose                     bool
}

func (a *app) prelabelCommand() *cobra.Command {
	var p prelabelFlags
	c := &cobra.Command{
		Use:   "prelabel IMAGE|DIR…",
		Short: "Let models label image files and write COCO results",
		Long: `Let one model or several label image files, or every image below a folder, by the code of the prelabel step, and write what
they find as COCO results: a list of {image_id, category_id, bbox: [x, y, width, height], score}, in pixels of the upright image.
It needs no running system, but for models and taxonomies that are named by the registry's name@version. Of several models, each
class has the first that knows it: a running system fuses them once people's corrections have taught it how, which does not
count here.

Ids are those of the COCO file that --annotations names, which has an image by its path or the end of that. Without it images
count from 1 in their order, and categories from 1 in that of --wanted, or of the classes; --images writes both as a COCO file.
Results say file_name, gleaner_source (the model) and gleaner_refine too, which other readers ignore.

What is written is what the step accepts: of a score of --accept or more, and of overlapping boxes of a class the best. With
--proposals it is all that lint looks at, of a score of --low or more. To measure average precision, let both be 0.01.

A dataset wants what --wanted or --rules says. With --taxonomy the models' classes become those that the dataset wants, or the
super-class of one, to be refined by people (gleaner taxonomy --help); models from files need --label-space.

At most --jobs images are decoded at a time. Files that cannot be labeled are named at the end and make the command fail; the
others are labeled all the same. An interrupted command leaves the results of the images that were done. Times are by the clock,
of one image among those that are labeled at the same time: --jobs 1 leaves each the whole machine.`,
		Example: `  gleaner prelabel photos/ --model yolox_nano.onnx --out results.json
  gleaner prelabel photos/ --model yolox_nano.onnx,nanodet.onnx --classes coco.names --annotations coco.json --low 0.01 --accept 0.01 --out results.json
  gleaner prelabel photos/ --model street@2 --proposals --out results.json --images images.json
  gleaner prelabel raccoons/ --model yolox_nano.onnx --label-space coco@darknet --taxonomy mine.tsv --wanted raccoon --out results.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, log, err := a.load()
			if err != nil {
				return err
			}
			cfg.Prelabel.Model, cfg.Prelabel.Embeddings.Enabled, cfg.Prelabel.Dense.Max = "", false, 0 // --model says it, and nobody asks for the rest
			p.Limits, p.Prelabel = cfg.Pixels.Limits, cfg.Prelabel
			if c.Flags().Changed("low") {
				p.Prelabel.Low = p.low
			}
			if c.Flags().Changed("accept") {
				p.Prelabel.Accept = p.accept
				forAll(p.Prelabel.Datasets, func(d *prelabel.Dataset) { d.Accept = 0 })
			}
			if c.Flags().Changed("tiles") {
				p.Prelabel.Tiles = p.tiles
				forAll(p.Prelabel.Datasets, func(d *prelabel.Dataset) { d.Tiles = 0 })
			}
			if err := p.check(); err != nil {
				return usageError{fmt.Errorf("prelabel: %w", err)}
			}
			if err := a.prelabel(c.Context(), c.OutOrStdout(), args, p, cfg, log); err != nil {
				return fmt.Errorf("prelabel: %w", err)
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVarP(&p.out, "out", "o", "", "file to write (required)")
	f.StringVar(&p.images, "images", "", "also write the images and categories that the ids mean, as a COCO file without annotations")
	f.StringVar(&p.annotations, "annotations", "", "COCO file whose ids of images and categories are meant")
	f.StringSliceVarP(&p.models, "model", "m", nil, "ONNX file, or name@version or name of the registry; of several each class has the first that knows it (required)")
	f.StringVar(&p.classes, "classes", "", "the models' classes: a file, one a line, or a,b,c (default: those within each model, or the one *.names beside it)")
	f.StringVar(&p.decode, "decode", "", "YAML file that says how images become the models' input and what their outputs mean (default: recognized)")
	f.StringVar(&p.labelSpace, "label-space", "", "dataset@version whose class names the models use, where the registry does not say it, such as coco@2017")
	f.StringVar(&p.taxonomy, "taxonomy", "", "taxonomy that translates classes: FILE.tsv, coco, or the registry's name or name@version")
	f.StringVar(&p.Dataset, "dataset", "", "dataset that the images are of, whose settings count")
	f.StringSliceVar(&p.wanted, "wanted", nil, "classes that the dataset wants (default: all)")
	f.StringVar(&p.rules, "rules", "", "YAML file of the dataset's rules (gleaner dataset apply --help)")
	f.Float32Var(&p.low, "low", 0, "proposals score at least this (default: the configuration's prelabel.low)")
	f.Float32Var(&p.accept, "accept", 0, "objects score at least this (default: the configuration's prelabel.accept)")
	f.IntVar(&p.tiles, "tiles", 0, "models look at N by N tiles of each image, too: smaller objects, for N*N more runs (default: the configuration's prelabel.tiles)")
	f.BoolVar(&p.Proposals, "proposals", false, "write proposals rather than objects")
	f.IntVarP(&p.Jobs, "jobs", "j", runtime.GOMAXPROCS(0), "images at a time")
	f.BoolVarP(&p.verbose, "verbose", "v", false, "print a line for each image")
	f.BoolVar(&a.asJSON, "json", false, "print a line of JSON for each image and one for all")
	return c
}

// forAll takes back what datasets have differently from what a flag says.
func forAll(datasets map[string]prelabel.Dataset, change func(*prelabel.Dataset)) {
	for name, d := range datasets {
		change(&d)
		datasets[name] = d
	}
}

func (p *prelabelFlags) check() error {
	switch {
	case p.tiles < 0 || p.tiles > prelabel.MaxTiles:
		return fmt.Errorf("--tiles %d: want 0 to %d", p.tiles, prelabel.MaxTiles)
	case p.out == "":
		return errors.New("--out is required")
	case batch.Same(p.out, p.images):
		return fmt.Errorf("--out and --images are both %s", p.out)
	case len(p.models) == 0:
		return errors.New("--model is required")
	case p.rules != "" && len(p.wanted) > 0:
		return errors.New("--wanted: the file of --rules says what is wanted")
	case p.rules != "" && p.Dataset != "":
		return errors.New("--dataset: the file of --rules says whose it is")
	case p.accept == 0 && p.low > p.Prelabel.Accept:
		return fmt.Errorf("--low %g is above %g, the score that the configuration's prelabel.accept asks of objects: say --accept too", p.low, p.Prelabel.Accept)
	case p.Jobs < 1:
		return fmt.Errorf("--jobs %d: want at least 1", p.Jobs)
	}
	return p.Prelabel.Validate()
}

func (a *app) prelabel(ctx context.Context, out io.Writer, paths []string, p prelabelFlags, cfg config.Config, log *slog.Logger) error {
	images, err := batch.List(paths)
	if err != nil {
		return err
	}
	if len(images) == 0 {
		return fmt.Errorf("no images in %s", strings.Join(paths, ", "))
	}
	read := slices.Concat(images, p.models, []string{p.annotations, p.classes, p.decode, p.taxonomy, p.rules, a.configFile})
	known := batch.FilesOf(read)
	for _, path := range []string{p.out, p.images} {
		if err := batch.Writable(path); err != nil {
			return err
		}
		if file := known.Name(path); file != "" {
			return fmt.Errorf("%s would be overwritten", file)
		}
	}
	var of *coco.File
	if p.annotations != "" {
		if of, err = readCOCO(p.annotations); err != nil {
			return err
		}
	}
	jobs, err := label.Plan(images, of)
	if err != nil {
		return fmt.Errorf("%s: %w", p.annotations, err)
	}
	wishes, err := a.wishes(ctx, p)
	if err != nil {
		return err
	}
	p.Dataset = wishes.Rules.Dataset
	models, err := a.openModels(ctx, p, cfg, log)
	var detectors []prelabel.Detector
	for _, m := range models {
		defer m.Close()
		detectors = append(detectors, m)
	}
	if err != nil {
		return err
	}
	with, classes, err := wishes.Deps(detectors, log)
	if err != nil {
		return err
	}
	if wishes.Taxonomy == nil {
		if err := checkKnown(wishes.Rules, p.rules, detectors); err != nil {
			return err
		}
	}
	with.Version = a.version
	categories, err := label.Categories(classes, of)
	if err != nil {
		return fmt.Errorf("%s: %w", p.annotations, err)
	}
	report := prelabelReport{out: out, asJSON: a.asJSON, verbose: p.verbose, models: p.models}
	var ran error
	err = batch.Write(p.out, func(w io.Writer) (err error) {
		results := label.NewResults(w, categories)
		b := bar(int64(len(jobs)), "prelabel")
		ran = label.Run(ctx, jobs, with, p.Options, func(r label.Result) {
			b.Add(1)
			report.add(r)
			if r.Err == nil {
				results.Add(r)
			}
		})
		b.End()
		if report.results, err = results.End(); err == nil && p.images != "" {
			err = batch.Write(p.images, results.WriteImages)
		}
		report.unknown = results.Unknown
		return err
	})
	if err != nil {
		return err
	}
	return cmp.Or(ran, report.end(len(jobs), p.out))
}

func readCOCO(path string) (*coco.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file, err := coco.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// checkKnown refuses wanted classes that no model has. Of those in a file of rules, which other models may serve too, one will do:
// of the rest people are told.
func checkKnown(wanted schemas.DatasetRules, rulesFile string, models []prelabel.Detector) error {
	var missing []string
	for _, o := range wanted.Objects {
		if !slices.ContainsFunc(models, func(m prelabel.Detector) bool { return slices.Contains(m.Model().Classes, o.Class) }) {
			missing = append(missing, o.Class)
		}
	}
	err := fmt.Errorf("%s: no model knows %s", cmp.Or(rulesFile, "--wanted"), strings.Join(missing, ", "))
	switch {
	case len(missing) == 0:
		return nil
	case rulesFile == "" || len(missing) == len(wanted.Objects):
		return usageError{err}
	}
	fmt.Fprintln(os.Stderr, err)
	return nil
}

// wishes are what the flags say of the dataset.
func (a *app) wishes(ctx context.Context, p prelabelFlags) (w label.Wishes, err error) {
	w.Rules = schemas.DatasetRules{Dataset: cmp.Or(p.Dataset, "images")}
	for _, class := range p.wanted {
		w.Rules.Objects = append(w.Rules.Objects, schemas.ObjectRule{Class: class})
	}
	var set *rules.Set
	if p.rules != "" {
		if set, err = readRulesFile(p.rules); err != nil {
			return w, fmt.Errorf("%s: %w", p.rules, err)
		}
		w.Rules = set.Rules()
	}
	if source := cmp.Or(p.taxonomy, w.Rules.Taxonomy); source != "" {
		t, err := a.findTaxonomy(ctx, source)
		if err != nil {
			return w, err
		}
		w.Taxonomy = &t
	}
	return w, nil
}

// openModels opens the models that the flags name. Those that are returned are open even with an error.
func (a *app) openModels(ctx context.Context, p prelabelFlags, cfg config.Config, log *slog.Logger) ([]prelabel.Loaded, error) {
	if !slices.ContainsFunc(p.models, func(name string) bool { return !registered(name) }) {
		flag := ""
		switch {
		case p.classes != "":
			flag = "--classes"
		case p.decode != "":
			flag = "--decode"
		}
		if flag != "" {
			return nil, usageError{fmt.Errorf("%s: it is of models from files, and of %s the registry says it", flag, strings.Join(p.models, ", "))}
		}
	}
	var decode schemas.Decode
	var err error
	if p.decode != "" {
		if decode, err = config.ReadDecode(p.decode); err != nil {
			return nil, err
		}
	}
	var models []prelabel.Loaded
	for _, name := range p.models {
		var m prelabel.Loaded
		if registered(name) {
			err = a.connected(ctx, func(ctx context.Context, conn *wire.Connections) (err error) {
				m, err = conn.OpenRegistered(ctx, name, p.labelSpace)
				return err
			})
			if err != nil {
				err = fmt.Errorf("--model %s, which is no path of a .onnx file and so a model of the registry: %w", name, err)
			}
		} else {
			m, err = openModelFile(name, decode, p, cfg, log)
		}
		if err != nil {
			return models, err
		}
		models = append(models, m)
		if slices.ContainsFunc(models[:len(models)-1], func(o prelabel.Loaded) bool { return o.Model().ID == m.Model().ID }) {
			return models, fmt.Errorf("two of the models are called %s, as their files are: rename one", m.Model().ID)
		}
	}
	return models, nil
}

// registered tells whether a model is the registry's: its name is no file's, and could be that of one there.
func registered(model string) bool {
	if _, err := os.Stat(model); !errors.Is(err, os.ErrNotExist) {
		return false
	}
	_, _, err := schemas.ParseModelID(model)
	return err == nil || filepath.Base(model) == model && filepath.Ext(model) == ""
}

func openModelFile(path string, decode schemas.Decode, p prelabelFlags, cfg config.Config, log *slog.Logger) (prelabel.Loaded, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	id := prelabel.Config{Model: path, Version: cfg.Prelabel.Version}.ModelID()
	if _, _, err := schemas.ParseModelID(id); err != nil {
		return nil, err
	}
	classes, err := namedClasses(path, data, p.classes)
	switch {
	case err != nil && p.names != nil:
		classes = p.names
	case err != nil:
		return nil, err
	}
	m, err := wire.OpenModel(data, schemas.Model{ID: id, Classes: classes, Decode: decode, LabelSpace: p.labelSpace}, cfg, log)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := prelabel.CheckDecode(decode, m.Model().Decode); err != nil {
		return nil, fmt.Errorf("%s: %w", path, errors.Join(err, m.Close()))
	}
	return m, nil
}

// namedClasses reads --classes where it is said; else the classes are those of the model.
func namedClasses(model string, data []byte, classes string) ([]string, error) {
	if classes == "" {
		found, err := config.ModelClasses(model, data)
		if err != nil {
			return nil, usageError{fmt.Errorf("--classes: %w", err)}
		}
		return found, nil
	}
	return readClasses(classes)
}

// readClasses reads a list of classes: a file of names, or the names themselves.
func readClasses(classes string) ([]string, error) {
	if _, err := os.Stat(classes); err != nil && strings.Contains(classes, ",") {
		names := strings.Split(classes, ",")
		for i := range names {
			names[i] = strings.TrimSpace(names[i])
		}
		if err := schemas.CheckClasses(names); err != nil {
			return nil, usageError{fmt.Errorf("--classes: %w", err)}
		}
		return names, nil
	}
	return prelabel.ReadClasses(classes)
}
