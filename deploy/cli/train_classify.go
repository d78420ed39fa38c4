package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/connectors/onnx"
	"gleaner/deploy/config"
	"gleaner/deploy/train"
	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/trainers/classify"
)

// classifyFlags are what the command line says.
type classifyFlags struct {
	train.Options
	folder, dataset, name  string
	model, augment, losses string
	settings               classify.Config // of which those count that changed tells of; the network's recipe has the rest
	changed                func(flag string) bool
	side                   int
	held                   float64
	quiet                  bool // of results: they are printed as JSON
}

func (a *app) trainClassify() *cobra.Command {
	f := classifyFlags{settings: classify.DefaultConfig()}
	c := &cobra.Command{
		Use:   "classify",
		Short: "Train an image classifier on a folder, or on the objects of a dataset's labels",
		Long: `Train a classifier and write it as an ONNX file that knows its classes and how images become its input: gleaner prelabel and
gleaner model add take it as it is, and so does any ONNX Runtime.

--data DIR alone are images in a folder for each class: DIR/CLASS/*.jpg, DIR/train/CLASS with DIR/test or DIR/val beside it, or
.tar and .tar.gz archives of the same. Without test or val, --held of the images are held out, by their content. --dataset NAME
are the objects in the labels of a running system as they stand, cut out, with the splits of the dataset's version; --data is then the
data folder of that system, as for every other command. What cannot be decoded is named and skipped. All images are in memory, 3 bytes
a pixel; what memory there is not enough for is refused.

The network is convnet3, resnet9 or airbench, or an ONNX classifier to go on from; normalization and order of channels stay those that
the file says. Its last layer, a Gemm or a MatMul, keeps what it knows of each class that the file names too, in its metadata
(gleaner.classes, or the names of YOLO's exporters), whatever the order and number, and is drawn anew for the others: of a file that
does not name its outputs, for all. Each network has settings that are meant for tens of thousands of images of about 32 pixels; fewer
images want more epochs, and those whose mirror image means something else --augment flip=none.

A loss for every image and epoch goes to the Parquet file that --losses names, else to the losses topic of the system that runs, else
nowhere. Where --data are the images, that system is found by --config alone: on the data_dir, or at the servers, of that configuration,
by default on the folder "data". Rows name an image by the sample_id that gleaner push gives the same file in the same dataset (--name).

A run is named after the images, their labels and every option that changes its weights. --threads is one of these, but changes their
rounding alone: batch normalizations see the same images with any number. There may be more of them than processors, to train as
another machine would.

After each epoch a checkpoint is written. A training that was stopped, by Ctrl-C or by a crash, is gone on with by the same command, to
the same weights bit for bit, as the next attempt of the same run. --resume=false begins anew. While it runs, no other training writes
the same files: their locks, beside them, end with the process.`,
		Example: `  gleaner train classify --data photos/ --out birds.onnx
  gleaner train classify --data cifar10/train.tar.gz --model resnet9 --epochs 20 --losses losses.parquet
  gleaner train classify --data photos/ --model resnet18.onnx --rate 0.01 --patience 3 --augment crop=8,flip=random
  gleaner train classify --dataset street --out street.onnx`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%q is no flag: name the images by --data %s", args[0], args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			if f.dataset == "" {
				f.folder, a.dataDir = a.dataDir, ""
			}
			f.changed = c.Flags().Changed
			if err := f.check(); err != nil {
				return usageError{fmt.Errorf("train classify: %w", err)}
			}
			f.quiet = a.asJSON
			if err := a.trainClassifier(c.Context(), c.OutOrStdout(), f); err != nil {
				return fmt.Errorf("train classify: %w", err)
			}
			return nil
		},
	}
	flags := c.Flags()
	flags.StringVar(&a.dataDir, "data", "", "folder or archive of images by class; with --dataset, the data folder of the running system")
	flags.StringVarP(&f.dataset, "dataset", "d", "", "dataset whose labeled objects to train on")
	flags.StringVar(&f.name, "name", "", "dataset that the images of --data are of (default: the folder's name)")
	flags.StringVarP(&f.model, "model", "m", f.settings.Network, strings.Join(classify.Networks(), ", ")+", or an ONNX classifier to go on from")
	flags.IntVar(&f.side, "side", 0, "pixels a side to which images are resized, up to 2048 (default: 32, or what the ONNX file takes)")
	flags.Float64Var(&f.held, "held", 0.1, "share of the images of --data that is held out, where its folders do not say which")
	flags.StringVarP(&f.Out, "out", "o", "", "ONNX file to write (default: DATASET-MODEL.onnx)")
	flags.StringVar(&f.losses, "losses", "", "Parquet file for the losses (default: they go to the system that runs)")
	flags.StringVar(&f.Checkpoint, "checkpoint", "", "file that a stopped training is gone on with from (default: that of --out and .checkpoint)")
	flags.IntVar(&f.settings.Checkpoint, "checkpoint-steps", 0, "steps between checkpoints (default: one after each epoch)")
	flags.BoolVar(&f.Resume, "resume", true, "go on from the checkpoint, if there is one")
	flags.IntVar(&f.settings.Epochs, "epochs", 0, "epochs at most (default: the network's)")
	flags.IntVar(&f.settings.Batch, "batch", 0, "images a step, all if there are fewer (default: the network's)")
	flags.StringVar(&f.settings.Optimizer, "optimizer", "", "sgd, adamw or muon (default: the network's)")
	flags.Float64Var(&f.settings.Rate, "rate", 0, "highest learning rate (default: the network's)")
	flags.IntVar(&f.settings.Width, "width", 0, "channels of the first block, up to 4096; an ONNX file has its own (default: the network's)")
	flags.StringVar(&f.augment, "augment", "", "none, or changes of the network's: crop=PIXELS, pad=reflect|zero, flip=none|random|alternating, cutout=PIXELS, with commas between; crop at most half a side")
	flags.IntVar(&f.settings.Patience, "patience", 0, "epochs without a better held-out accuracy after which training ends, with the best weights (default: none)")
	flags.Int64Var(&f.settings.Seed, "seed", 0, "seed of weights, order and augmentation")
	flags.IntVarP(&f.settings.Threads, "threads", "j", min(runtime.GOMAXPROCS(0), classify.MaxThreads), "threads of a step, up to 256; another number rounds otherwise, and is another run")
	offer(c, "optimizer", "sgd", "adamw", "muon")
	a.jsonFlag(c)
	return c
}

func (f *classifyFlags) check() error {
	switch {
	case f.dataset == "" && f.folder == "":
		return errors.New("--data or --dataset is required")
	case f.dataset != "" && f.name != "":
		return errors.New("--name is for images of --data; those of --dataset are of that")
	case f.dataset != "" && f.changed("held"):
		return errors.New("--held is for images of --data; those of --dataset are held out as its version says")
	case f.changed("side") && (f.side < 1 || f.side > classify.MaxSide):
		return fmt.Errorf("--side %d: must be 1 to %d pixels", f.side, classify.MaxSide)
	case !(f.held >= 0 && f.held < 1):
		return fmt.Errorf("--held %g: want a share from 0 to below 1", f.held)
	}
	if err := f.checkName(); err != nil {
		return err
	}
	if f.Out == "" {
		f.Out = fmt.Sprintf("%s-%s.onnx", filepath.Base(cmp.Or(f.dataset, f.name)), strings.TrimSuffix(filepath.Base(f.model), ".onnx"))
	}
	f.Checkpoint = cmp.Or(f.Checkpoint, f.Out+".checkpoint")
	if err := train.CheckPaths(f.Out, f.Checkpoint, f.losses); err != nil {
		return err
	}
	return f.configure()
}

// checkName checks the name of the dataset, and takes it from the folder where no flag says it.
func (f *classifyFlags) checkName() error {
	switch {
	case f.dataset != "":
		if err := schemas.CheckDataset(f.dataset); err != nil {
			return fmt.Errorf("--dataset: %w", err)
		}
	case f.name != "":
		if err := schemas.CheckDataset(f.name); err != nil {
			return fmt.Errorf("--name: %w", err)
		}
	default:
		f.name = datasetName(strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(f.folder, ".gz"), ".tar"), ".tgz"))
		if err := schemas.CheckDataset(f.name); err != nil {
			return fmt.Errorf("--data %s: its name is none for a dataset, so say by --name of which dataset the images are: %w", f.folder, err)
		}
	}
	return nil
}

// configure changes the recipe of the network by what the flags say.
func (f *classifyFlags) configure() (err error) {
	if f.Config, err = classify.Recipe(f.model); err != nil {
		if f.changed("width") {
			return fmt.Errorf("--width is for networks, %s: %s is none of these, and a file has a width of its own", strings.Join(classify.Networks(), ", "), f.model)
		}
		f.Config = classify.DefaultConfig()
	}
	from, to := &f.settings, &f.Config
	for flag, change := range map[string]func(){
		"checkpoint-steps": func() { to.Checkpoint = from.Checkpoint },
		"epochs":           func() { to.Epochs = from.Epochs },
		"patience":         func() { to.Patience = from.Patience },
		"batch":            func() { to.Batch = from.Batch },
		"optimizer":        func() { to.Optimizer = from.Optimizer },
		"rate":             func() { to.Rate = from.Rate },
		"width":            func() { to.Width = from.Width },
	} {
		if f.changed(flag) {
			change()
		}
	}
	to.Seed, to.Threads = from.Seed, from.Threads
	if f.augment != "" {
		if to.Augment, err = train.ParseAugment(f.augment, to.Augment); err != nil {
			return fmt.Errorf("--augment: %w", err)
		}
	}
	return byFlag(to.Validate())
}

// byFlag names the flag in place of the field that a configuration has wrong.
func byFlag(err error) error {
	var invalid *classify.Invalid
	if !errors.As(err, &invalid) {
		return err
	}
	flag := invalid.Field
	if flag == "checkpoint" { // --checkpoint is the file
		flag = "checkpoint-steps"
	}
	return fmt.Errorf("--%s %v: %s", flag, invalid.Value, invalid.Want)
}

// trainClassifier trains with a system where one is needed, or runs and is to have the losses.
func (a *app) trainClassifier(ctx context.Context, out io.Writer, f classifyFlags) error {
	cfg, _, err := a.load()
	if err != nil {
		return err
	}
	_, found := wire.Find(cfg)
	if f.dataset == "" && (f.losses != "" || errors.Is(found, wire.ErrNotRunning)) {
		return f.run(ctx, out, cfg, nil)
	}
	if f.dataset != "" && errors.Is(found, wire.ErrNotRunning) {
		if _, err := os.Stat(filepath.Join(cfg.DataDir, "kafka")); errors.Is(err, fs.ErrNotExist) && a.dataDir != "" {
			return usageError{fmt.Errorf("%w: if --data are images to train on, leave --dataset out: --name says of which dataset they are", found)}
		}
	}
	return a.connected(ctx, func(ctx context.Context, conn *wire.Connections) error { return f.run(ctx, out, conn.Config, conn) })
}

// run trains; conn is nil without a system.
func (f classifyFlags) run(ctx context.Context, out io.Writer, cfg config.Config, conn *wire.Connections) (err error) {
	unlock, err := train.Lock(f.Out, f.Checkpoint, f.losses)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	rt, err := onnx.Open()
	if err != nil {
		return err
	}
	defer rt.Close()
	free := train.Free()
	room, err := f.network(rt, free)
	if err != nil {
		return usageError{err}
	}
	data, err := f.data(ctx, cfg, conn, room)
	if err != nil {
		return err
	}
	if err := train.FitData(rt, f.Config, data, free); err != nil {
		return usageError{err}
	}
	if f.Config.Run, err = train.RunOf(f.Config, data); err != nil {
		return err
	}
	if conn != nil {
		if f.LastAttempt, err = conn.DB.LastAttempt(ctx, f.Config.Run.RunID); err != nil {
			return err
		}
	}
	f.describe(data, cfg, conn != nil)
	var b *progress
	began := 0 // the steps of earlier attempts, which would make the time that is left look shorter
	f.Began = func(run schemas.Run, resumed bool, step, steps int) {
		if resumed {
			fmt.Fprintf(os.Stderr, "going on from step %d of %d, as attempt %d\n", step, steps, run.Attempt)
		}
		b, began = bar(int64(steps-step), "steps"), step
	}
	f.Progress = func(p classify.Progress) { b.Set(p.Step - began) }
	f.Epoch = func(e classify.Epoch) { b.Say(epochText(e, f.Config.Epochs)) }
	result, err := train.Run(ctx, rt, data, f.Options, func(run schemas.Run, from train.Start) (train.Losses, error) {
		switch {
		case f.losses != "":
			return train.OpenFile(f.losses, run.RunID, from)
		case conn != nil:
			return conn.LossTopic(), nil
		}
		return train.Nowhere{}, nil
	})
	if b != nil {
		b.End()
	}
	if err != nil {
		return byFlag(err)
	}
	if f.quiet {
		return printJSON(out, struct {
			schemas.Run
			Model   string          `json:"file"`
			Skipped []train.Skipped `json:"skipped,omitempty"`
		}{result.Run, f.Out, data.Skipped})
	}
	printRun(out, result.Run)
	if result.Best+1 < int(result.Run.Epochs) {
		fmt.Fprintf(out, "No epoch after %d was better on held-out images: weights and figures are that one's.\n", result.Best+1)
	}
	fmt.Fprintf(out, "%s serves: gleaner model add %s, or gleaner prelabel DIR --model %s --out results.json\n", f.Out, f.Out, f.Out)
	return nil
}

// network reads --model, completes the side, and returns the memory that is left of the free bytes for the images.
func (f *classifyFlags) network(rt *onnx.Runtime, free int64) (*train.Room, error) {
	var err error
	if f.side, err = train.SetNetwork(rt, &f.Config, f.model, f.side); err != nil {
		return nil, fmt.Errorf("--model: %w", err)
	}
	if err := f.Config.CheckSide(f.side); err != nil {
		return nil, byFlag(err)
	}
	return train.Fit(rt, f.Config, f.side, free)
}

func (f classifyFlags) data(ctx context.Context, cfg config.Config, conn *wire.Connections, room *train.Room) (train.Data, error) {
	b := bar(-1, "images")
	defer b.End()
	if f.dataset != "" {
		return conn.Crops(ctx, f.dataset, f.side, room, b.Set)
	}
	rule := schemas.DefaultSplitRule()
	rule.Val, rule.Test = f.held, 0
	data, err := train.Folder(ctx, f.folder, train.FolderOptions{Dataset: f.name, Side: f.side, Rule: rule, Limits: cfg.Pixels.Limits, Room: room}, b.Set)
	if errors.Is(err, fs.ErrNotExist) {
		err = usageError{fmt.Errorf("--data: %w", err)}
	}
	return data, err
}

// describe says what is trained on, what was left out, and where the losses go.
func (f classifyFlags) describe(data train.Data, cfg config.Config, system bool) {
	w := os.Stderr
	fmt.Fprintf(w, "%s: %d images of %d classes to train on, %d held out", data.Version, data.Train.Len(), len(data.Train.Classes), data.Held.Len())
	if data.Held.Len() > 0 {
		fmt.Fprintf(w, ", of which always naming the commonest class would be right on %.1f %%", 100*data.Majority())
	}
	if data.Unseen > 0 {
		fmt.Fprintf(w, "; %d kept unseen for testing", data.Unseen)
	}
	fmt.Fprintf(w, "\nclasses: %s\n", perClass(data.Train))
	for i, s := range data.Skipped {
		if i == 5 {
			fmt.Fprintf(w, "skipped: %d more\n", len(data.Skipped)-i)
			break
		}
		fmt.Fprintf(w, "skipped: %s: %s\n", s.Name, s.Err)
	}
	if n := data.Train.Len(); n < f.Config.Batch {
		fmt.Fprintf(w, "each step takes all %d images, which are fewer than a batch of %d\n", n, f.Config.Batch)
	}
	if steps := f.Config.Epochs * ((data.Train.Len() + f.Config.Batch - 1) / f.Config.Batch); steps < fewSteps {
		fmt.Fprintf(w, "%d steps in all are few: normalizations settle and the rate fits in some hundreds, so more --epochs are likely better\n", steps)
	}
	if len(f.Config.ONNX) > 0 {
		fmt.Fprintln(w, f.lastLayer(data.Train.Classes))
	}
	fmt.Fprintln(w, f.lossesGo(cfg, system))
}

// fewSteps is how many are hardly enough for any network here.
const fewSteps = 150

// perClass tells how many images the classes have.
func perClass(im classify.Images) string {
	counts := make([]int, len(im.Classes))
	for _, class := range im.Labels {
		counts[class]++
	}
	texts := make([]string, len(counts))
	for i, n := range counts {
		texts[i] = fmt.Sprintf("%s (%d)", im.Classes[i], n)
	}
	return few(texts)
}

// lossesGo says where.
func (f classifyFlags) lossesGo(cfg config.Config, system bool) string {
	switch {
	case f.losses != "":
		return "losses go to " + f.losses
	case system:
		return "losses go to the running system, as run " + f.Config.Run.RunID
	}
	return fmt.Sprintf("losses go nowhere: no system runs on %s, and neither --losses names a file nor --config the configuration of another system (a file with data_dir: ITS-FOLDER)", cfg.DataDir)
}

// lastLayer says of which classes an imported classifier knows something already.
func (f classifyFlags) lastLayer(classes []string) string {
	kept := f.Config.KeptClasses(classes)
	anew := slices.DeleteFunc(slices.Clone(classes), func(class string) bool { return slices.Contains(kept, class) })
	switch {
	case len(f.Config.ONNXClasses) == 0:
		return fmt.Sprintf("last layer: drawn anew, since %s does not give each of its outputs a name of its own", f.model)
	case len(kept) == 0:
		return fmt.Sprintf("last layer: drawn anew, since %s names none of the classes", f.model)
	case len(anew) == 0:
		return fmt.Sprintf("last layer: kept for all %d classes, by the names in %s", len(kept), f.model)
	}
	return fmt.Sprintf("last layer: kept for %d of %d classes, by the names in %s, and drawn anew for %d: %s", len(kept), len(classes), f.model, len(anew), few(anew))
}

// few lists names, but not too many.
func few(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

func epochText(e classify.Epoch, epochs int) string {
	text := fmt.Sprintf("epoch %d of %d: loss %.3f, %.1f %% right as presented", e.Epoch+1, epochs, e.Loss, 100*e.Accuracy)
	if !math.IsNaN(e.Held) {
		text += fmt.Sprintf(", %.1f %% of held-out images", 100*e.Held)
	}
	return text + fmt.Sprintf(", %.1f s", e.Time.Seconds())
}
