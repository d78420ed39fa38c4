package train_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx"
	"gleaner/connectors/onnx/onnxpb"
	"gleaner/deploy/batch"
	"gleaner/deploy/config"
	"gleaner/deploy/train"
	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/trainers/classify"
)

// write puts a file into a folder.
func write(t *testing.T, data []byte, path ...string) {
	t.Helper()
	name := filepath.Join(path...)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, data, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// striped is a picture of noisy stripes of 20 by 16 pixels, which run across or down.
func striped(t *testing.T, down bool, seed uint64) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	img := image.NewRGBA(image.Rect(0, 0, 20, 16))
	shift := r.IntN(4)
	for y := range 16 {
		for x := range 20 {
			at, level := y, uint8(40+r.IntN(120))
			if down {
				at = x
			}
			if (at+shift)%4 < 2 {
				level += 50
			}
			img.Set(x, y, color.RGBA{level, level / 2, level, 255})
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// stripes is a folder of these, half of them across, and of one file that is no image.
func stripes(t *testing.T, count int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "stripes")
	for i := range count {
		write(t, striped(t, i%2 == 1, uint64(i)), dir, []string{"across", "down"}[i%2], fmt.Sprintf("%03d.png", i))
	}
	write(t, []byte("no image"), dir, "down", "none.png")
	return dir
}

func options() train.FolderOptions {
	rule := schemas.SplitRule{Salt: "test", Val: 0.25}
	return train.FolderOptions{Dataset: "stripes", Side: 16, Rule: rule, Limits: pixels.DefaultLimits()}
}

func folder(t *testing.T, dir string, o train.FolderOptions) train.Data {
	t.Helper()
	data, err := train.Folder(t.Context(), dir, o, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestFolder(t *testing.T) {
	dir := stripes(t, 80)
	for i := range 3 { // copies, under other names
		write(t, striped(t, true, 1), dir, "down", fmt.Sprintf("copy%d.png", i))
	}
	if err := os.Symlink("nowhere.png", filepath.Join(dir, "down", "link.png")); err != nil {
		t.Fatal(err)
	}
	data := folder(t, dir, options())
	if len(data.Skipped) != 2 || data.Skipped[0].Name != "down/link.png" || !strings.Contains(data.Skipped[0].Err, "no such file") ||
		data.Skipped[1].Name != "down/none.png" || !strings.Contains(data.Skipped[1].Err, "unsupported") {
		t.Errorf("skipped %+v", data.Skipped)
	}
	n := data.Held.Len()
	if data.Train.Len()+n != 83 || n < 10 || n > 32 || !strings.HasPrefix(data.Version, "stripes@") {
		t.Errorf("%s: %d to train on, %d held out", data.Version, data.Train.Len(), n)
	}
	if err := errors.Join(data.Train.Validate(), data.Held.Validate()); err != nil {
		t.Error(err)
	}
	if again := folder(t, dir, options()); again.Version != data.Version || !bytes.Equal(again.Train.Pixels, data.Train.Pixels) {
		t.Error("the same folder read twice differs")
	}
	held := map[string]bool{}
	size := 3 * 16 * 16
	for i := range n {
		held[string(data.Held.Pixels[i*size:(i+1)*size])] = true
	}
	for i := range data.Train.Len() {
		if held[string(data.Train.Pixels[i*size:(i+1)*size])] {
			t.Error("an image that is trained on is held out under another name")
		}
	}
	want := schemas.NewSampleID("stripes", "across/000.png", schemas.Hash{}) // as it is pushed
	if got := slices.Concat(data.Train.Samples, data.Held.Samples); !slices.Contains(got, want) {
		t.Error("samples have other ids than those that are pushed")
	}
	write(t, striped(t, true, 1000), dir, "down", "more.png")
	if more := folder(t, dir, options()); more.Version == data.Version {
		t.Error("another image does not change the version")
	}

	divided := t.TempDir()
	for i, split := range []string{"train", "train", "val", "test"} {
		write(t, striped(t, false, uint64(i)), divided, split, "across", fmt.Sprintf("%d.png", i))
		write(t, striped(t, true, uint64(i)), divided, split, "down", fmt.Sprintf("%d.png", i))
	}
	if data := folder(t, divided, options()); data.Train.Len() != 4 || data.Held.Len() != 2 || data.Unseen != 2 || data.Majority() != 0.5 {
		t.Errorf("%d to train on, %d held out, %d unseen, majority %g", data.Train.Len(), data.Held.Len(), data.Unseen, data.Majority())
	}
	if _, err := train.Folder(t.Context(), filepath.Join(dir, "absent"), options(), func(int) {}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want that it is not there", err)
	}
	alone := t.TempDir()
	write(t, striped(t, true, 1), alone, "across", "1.png")
	write(t, []byte("?"), alone, "down", "1.png")
	_, err := train.Folder(t.Context(), alone, options(), func(int) {})
	for _, want := range []string{alone, "one class, across, is all there is", "1 images cannot be decoded, such as down/1.png"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	write(t, striped(t, false, 1), alone, "down", "1.png")
	o := options()
	split := func(down bool) schemas.Split {
		digest := sha256.Sum256(striped(t, down, 1))
		return o.Rule.Of(schemas.SampleID(digest[:]))
	}
	for salt := 0; split(true) != schemas.SplitTrain || split(false) != schemas.SplitVal; salt++ {
		o.Rule.Salt = fmt.Sprint(salt)
	}
	if _, err := train.Folder(t.Context(), alone, o, func(int) {}); err == nil || !strings.Contains(err.Error(), "all images of class down are held out") {
		t.Errorf("%v, want that a class is left without images to train on", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := train.Folder(stopped, dir, options(), func(int) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want why it was stopped", err)
	}
}

// sent is a losses topic.
type sent struct {
	rows schemas.Losses
	ends []schemas.Run
}

func (s *sent) Write(_ context.Context, records []schemas.Record) error {
	for _, r := range records {
		if _, end := r.Header(schemas.HeaderEvent); end {
			var run schemas.Run
			if err := json.Unmarshal(r.Value, &run); err != nil {
				return err
			}
			s.ends = append(s.ends, run)
			continue
		}
		table, err := schemas.DecodeLosses(r.Value)
		if err != nil {
			return err
		}
		s.rows.AppendTable(&table)
	}
	return nil
}

// TestRun stops a training, goes on with it as an attempt after those known of elsewhere, and lets the file that comes out serve: it is
// right on as many of the held-out image files as the training says.
func TestRun(t *testing.T) {
	rt, err := onnx.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	dir, out := stripes(t, 60), filepath.Join(t.TempDir(), "stripes.onnx")
	data := folder(t, dir, options())
	cfg := classify.DefaultConfig()
	cfg.Width, cfg.Epochs, cfg.Batch = 8, 12, 8
	if cfg.Run, err = train.RunOf(cfg, data); err != nil {
		t.Fatal(err)
	}
	o := train.Options{Config: cfg, Out: out, Checkpoint: out + ".checkpoint", Resume: true, LastAttempt: 6}
	topic := &sent{}
	open := func(schemas.Run, train.Start) (train.Losses, error) { return &train.Topic{Sink: topic}, nil }

	ctx, stop := context.WithCancel(t.Context())
	o.Epoch = func(e classify.Epoch) {
		if e.Epoch == 3 {
			stop()
		}
	}
	_, err = train.Run(ctx, rt, data, o, open)
	var stopped *train.Stopped
	if !errors.As(err, &stopped) || !errors.Is(err, context.Canceled) || stopped.Step == 0 || len(topic.ends) > 0 {
		t.Fatalf("%v, ends %v", err, topic.ends)
	}
	if topic.rows.Len() != 4*data.Train.Len() || topic.rows.Attempt[0] != 7 {
		t.Errorf("%d rows of attempt %d before the stop", topic.rows.Len(), topic.rows.Attempt[0])
	}
	other := o
	other.Config.Run.RunID = "another"
	if _, err := train.Run(t.Context(), rt, data, other, open); err == nil || !strings.Contains(err.Error(), "it is of run classify/stripes@") {
		t.Errorf("%v, want that the checkpoint is another's", err)
	}
	other = o
	other.Checkpoint = out
	if _, err := train.Run(t.Context(), rt, data, other, open); err == nil || !strings.Contains(err.Error(), "is to be two files") {
		t.Errorf("%v, want that the model would be removed as a checkpoint", err)
	}
	other.Checkpoint, other.Resume = filepath.Join(dir, "down", "none.png"), false
	if _, err := train.Run(t.Context(), rt, data, other, open); err == nil || !strings.Contains(err.Error(), "no checkpoint, and would be lost") {
		t.Errorf("%v, want that a file that is no checkpoint stays", err)
	}
	o.LastAttempt, o.Epoch = 8, nil
	began := 0
	o.Began = func(_ schemas.Run, _ bool, step, _ int) { began = step }
	result, err := train.Run(t.Context(), rt, data, o, open)
	if err != nil {
		t.Fatal(err)
	}
	if began != stopped.Step || result.Run.Attempt != 9 || topic.rows.Len() != 12*data.Train.Len() || len(topic.ends) != 1 || topic.ends[0].RunID != cfg.Run.RunID {
		t.Errorf("from step %d: %+v, %d rows, ends %v", began, result.Run, topic.rows.Len(), topic.ends)
	}
	if _, err := os.Stat(o.Checkpoint); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the checkpoint of a training that is over: %v", err)
	}

	file, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	classes, err := config.ModelClasses(out, file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := wire.OpenModel(file, schemas.Model{ID: "stripes@1", Classes: classes}, config.Default(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got := m.Model(); got.Task != schemas.TaskClassify || got.Decode.Input.Resize != schemas.ResizeArea || got.Decode.Input.Width != 16 {
		t.Errorf("recognized as %+v", got)
	}
	held := map[schemas.SampleID]int{}
	for i, id := range data.Held.Samples {
		held[id] = data.Held.Labels[i]
	}
	right := 0
	for class, name := range classes {
		found, err := batch.List([]string{filepath.Join(dir, name)})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			label, ok := held[schemas.NewSampleID("stripes", name+"/"+filepath.Base(path), schemas.Hash{})]
			if !ok {
				continue
			}
			img, _, _, err := batch.Read(path, pixels.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			objects, err := m.Detect(t.Context(), img, 0)
			if err != nil || len(objects) != 2 || label != class {
				t.Fatalf("%s: %+v, %v", path, objects, err)
			}
			if objects[0].Class == name {
				right++
			}
		}
	}
	if want := result.Run.Metrics["val_accuracy"] * float64(data.Held.Len()); float64(right) != want || want < 0.8*float64(data.Held.Len()) {
		t.Errorf("as a served model it is right on %d of %d held-out images, and on %g as a training", right, data.Held.Len(), want)
	}
}

// TestRunFromFile goes on from a file that was trained here, which is good from the first epoch on.
func TestRunFromFile(t *testing.T) {
	rt, err := onnx.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	data := folder(t, stripes(t, 60), options())
	dir := t.TempDir()
	run := func(cfg classify.Config, out string) classify.Result {
		t.Helper()
		if cfg.Run, err = train.RunOf(cfg, data); err != nil {
			t.Fatal(err)
		}
		o := train.Options{Config: cfg, Out: filepath.Join(dir, out), Checkpoint: filepath.Join(dir, "checkpoint"), Resume: true}
		result, err := train.Run(t.Context(), rt, data, o, func(schemas.Run, train.Start) (train.Losses, error) { return train.Nowhere{}, nil })
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	cfg := classify.DefaultConfig()
	cfg.Width, cfg.Epochs, cfg.Batch = 8, 12, 8
	run(cfg, "first.onnx")
	side, err := train.SetNetwork(rt, &cfg, filepath.Join(dir, "first.onnx"), 0)
	if want := data.Train.Measure(); err != nil || side != 16 || cfg.Normalize == nil || *cfg.Normalize != want || !slices.Equal(cfg.ONNXClasses, data.Train.Classes) {
		t.Fatalf("side %d, normalization %v, want %v, outputs %v; %v", side, cfg.Normalize, want, cfg.ONNXClasses, err)
	}
	need, err := classify.Memory(rt, cfg, side, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Fit(rt, cfg, side, need); err != nil {
		t.Error(err)
	}
	if _, err := train.Fit(rt, cfg, side, need-1); err == nil || !strings.Contains(err.Error(), "at most --batch 7") {
		t.Errorf("%v, want a batch that fits", err)
	}
	if _, err := train.Fit(rt, cfg, side, 1); err == nil || !strings.Contains(err.Error(), "none of --batch, --threads is enough") {
		t.Errorf("%v, want no flag that a file does not have", err)
	}
	file, err := os.ReadFile(filepath.Join(dir, "first.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if file, err = onnx.WithMetadata(file, map[string]string{"gleaner.decode": `{"input":{"channels":"bgr","std":[1,2,3]}}`}); err != nil {
		t.Fatal(err)
	}
	write(t, file, dir, "bgr.onnx")
	bgr, want := cfg, classify.Normalization{Mean: classify.ImageNetNormalization().Mean, Std: [3]float32{1, 2, 3}, BGR: true}
	if _, err := train.SetNetwork(rt, &bgr, filepath.Join(dir, "bgr.onnx"), 0); err != nil || *bgr.Normalize != want {
		t.Errorf("a file that takes BGR: %+v, %v", bgr.Normalize, err)
	}
	cfg.Epochs, cfg.Rate = 1, 1e-4
	if got := run(cfg, "second.onnx"); got.Run.Metrics["train_accuracy"] < 0.8 || got.Run.Model != "classify/onnx" {
		t.Errorf("after a file that was trained: %+v", got.Run)
	}
}

// TestRunOf wants a run to be another one where crops, labels, ids or options are others of the same version, and the same one elsewhere.
func TestRunOf(t *testing.T) {
	data := folder(t, stripes(t, 20), options())
	id := func(change func(cfg *classify.Config, im *classify.Images)) string {
		t.Helper()
		cfg, changed := classify.DefaultConfig(), data
		changed.Train.Labels, changed.Train.Pixels = slices.Clone(data.Train.Labels), slices.Clone(data.Train.Pixels)
		changed.Train.Classes, changed.Train.Objects = slices.Clone(data.Train.Classes), make([]string, data.Train.Len())
		change(&cfg, &changed.Train)
		run, err := train.RunOf(cfg, changed)
		if err != nil || run.DatasetVersion != data.Version {
			t.Fatal(run, err)
		}
		return run.RunID
	}
	same := id(func(*classify.Config, *classify.Images) {})
	if again := id(func(cfg *classify.Config, _ *classify.Images) { cfg.Checkpoint = 7 }); again != same {
		t.Errorf("%s, then %s", same, again)
	}
	for name, change := range map[string]func(cfg *classify.Config, im *classify.Images){
		"label":   func(_ *classify.Config, im *classify.Images) { im.Labels[0] = 1 - im.Labels[0] },
		"pixel":   func(_ *classify.Config, im *classify.Images) { im.Pixels[5]++ },
		"class":   func(_ *classify.Config, im *classify.Images) { im.Classes[1] = "up" },
		"object":  func(_ *classify.Config, im *classify.Images) { im.Objects[3] = "o2" },
		"threads": func(cfg *classify.Config, _ *classify.Images) { cfg.Threads = 5 },
	} {
		if other := id(change); other == same {
			t.Errorf("another %s: still run %s", name, other)
		}
	}
	named := func(outputs ...string) string {
		return id(func(cfg *classify.Config, _ *classify.Images) { cfg.ONNX, cfg.ONNXClasses = []byte("a file"), outputs })
	}
	if named("across", "down") == named("down", "across") || named() == named("across", "down") {
		t.Error("the same run of a file whose outputs are of other classes")
	}
}

// TestRunOver ends a training that was killed after its losses file was made and before its checkpoint went: the file stays.
func TestRunOver(t *testing.T) {
	rt, err := onnx.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	data := folder(t, stripes(t, 20), options())
	dir := t.TempDir()
	cfg := classify.DefaultConfig()
	cfg.Width, cfg.Epochs, cfg.Batch = 8, 2, 8
	if cfg.Run, err = train.RunOf(cfg, data); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "losses.parquet")
	o := train.Options{Config: cfg, Out: filepath.Join(dir, "out.onnx"), Checkpoint: filepath.Join(dir, "checkpoint"), Resume: true}
	var last []byte
	run := func(o train.Options) error {
		_, err := train.Run(t.Context(), rt, data, o, func(run schemas.Run, from train.Start) (train.Losses, error) {
			l, err := train.OpenFile(path, run.RunID, from)
			return kept{l, func() { last, _ = os.ReadFile(o.Checkpoint) }}, err
		})
		return err
	}
	if err := run(o); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, last, o.Checkpoint)
	if err := run(o); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("%d bytes of losses became %d, %v", len(before), len(after), err)
	}
	if _, err := os.Stat(o.Checkpoint); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the checkpoint of a training that is over: %v", err)
	}
}

// kept calls a function before the end.
type kept struct {
	train.Losses
	before func()
}

func (k kept) End(ctx context.Context, run schemas.Run) error {
	k.before()
	return k.Losses.End(ctx, run)
}

// TestRunUnsaved stops a training whose last checkpoint cannot be written: it must not say that it goes on from the step after which it
// stopped.
func TestRunUnsaved(t *testing.T) {
	rt, err := onnx.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	data := folder(t, stripes(t, 40), options())
	dir := t.TempDir()
	cfg := classify.DefaultConfig()
	cfg.Width, cfg.Epochs, cfg.Batch = 8, 3, 8
	if cfg.Run, err = train.RunOf(cfg, data); err != nil {
		t.Fatal(err)
	}
	for _, stop := range []struct {
		after int // the steps of an epoch and
		want  string
	}{{0, "the same command begins anew"}, {1, "the same command goes on from step "}} {
		o := train.Options{Config: cfg, Out: filepath.Join(dir, "out.onnx"), Checkpoint: filepath.Join(dir, "checkpoint")}
		ctx, cancel := context.WithCancel(t.Context())
		failing := &unflushed{}
		o.Progress = func(p classify.Progress) {
			if p.Epoch == stop.after {
				failing.err = errors.New("no space")
				cancel()
			}
		}
		_, err := train.Run(ctx, rt, data, o, func(schemas.Run, train.Start) (train.Losses, error) { return failing, nil })
		cancel()
		var stopped *train.Stopped
		if errors.As(err, &stopped) || !errors.Is(err, context.Canceled) || !errors.Is(err, failing.err) || !strings.Contains(err.Error(), stop.want) {
			t.Errorf("in epoch %d: %v, want %q", stop.after, err, stop.want)
		}
	}
}

// unflushed fails once it has an error.
type unflushed struct {
	train.Nowhere
	err error
}

func (u *unflushed) Flush(context.Context) error { return u.err }

// stuck takes losses until nobody waits for them any more.
type stuck struct{ train.Nowhere }

func (stuck) Flush(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestRunStuck wants a training that is stopped while its losses cannot be written to end, and to say from where it goes on.
func TestRunStuck(t *testing.T) {
	rt, err := onnx.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	data := folder(t, stripes(t, 40), options())
	cfg := classify.DefaultConfig()
	cfg.Width, cfg.Epochs = 8, 3
	if cfg.Run, err = train.RunOf(cfg, data); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	o := train.Options{Config: cfg, Out: filepath.Join(t.TempDir(), "out.onnx"), Checkpoint: filepath.Join(t.TempDir(), "checkpoint")}
	o.Epoch = func(classify.Epoch) { cancel() }
	_, err = train.Run(ctx, rt, data, o, func(schemas.Run, train.Start) (train.Losses, error) { return stuck{}, nil })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the same command begins anew") {
		t.Errorf("%v", err)
	}
}

// TestRunDiverged wants a training that diverged told, with its epoch, at which it ends, its losses written and the model that was there kept:
// by its losses, and where the last step alone made weights, or logits, that are no finite numbers.
func TestRunDiverged(t *testing.T) {
	rt, err := onnx.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	data := folder(t, stripes(t, 40), options())
	for _, c := range []struct {
		rate          float64
		epochs, batch int
	}{{1e30, 3, 8}, {1e38, 1, 64}, {1e300, 1, 64}} {
		dir := t.TempDir()
		cfg := classify.DefaultConfig()
		cfg.Width, cfg.Epochs, cfg.Batch, cfg.Optimizer, cfg.Rate = 8, c.epochs, c.batch, "adamw", c.rate
		if cfg.Run, err = train.RunOf(cfg, data); err != nil {
			t.Fatal(err)
		}
		o := train.Options{Config: cfg, Out: filepath.Join(dir, "out.onnx"), Checkpoint: filepath.Join(dir, "checkpoint"), Resume: true}
		if err := os.WriteFile(o.Out, []byte("a good model"), 0o600); err != nil {
			t.Fatal(err)
		}
		topic := &sent{}
		result, err := train.Run(t.Context(), rt, data, o, func(schemas.Run, train.Start) (train.Losses, error) { return &train.Topic{Sink: topic}, nil })
		var diverged *train.Diverged
		if !errors.As(err, &diverged) || diverged.Epoch != 1 || !strings.Contains(err.Error(), "diverged in epoch 1") || !strings.Contains(err.Error(), fmt.Sprint(c.rate)) {
			t.Errorf("rate %g, %d epochs: %v, want that it diverged", c.rate, c.epochs, err)
		}
		if _, ok := result.Run.Metrics["train_loss"]; ok != (c.epochs == 1) || result.Run.Metrics["classes"] != 2 || len(topic.ends) != 1 {
			t.Errorf("rate %g: metrics %v, ends %v", c.rate, result.Run.Metrics, topic.ends)
		}
		if kept, err := os.ReadFile(o.Out); err != nil || string(kept) != "a good model" || result.Run.Epochs != 1 {
			t.Errorf("rate %g: %d epochs, and the model that was there is %d bytes (%v)", c.rate, result.Run.Epochs, len(kept), err)
		}
		if _, err := os.Stat(o.Checkpoint); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("rate %g: a checkpoint to go on from is left (%v)", c.rate, err)
		}
	}
}

// TestDetectorRefused wants a model of several outputs, or of boxes, told for what it is, and one of another side for that.
func TestDetectorRefused(t *testing.T) {
	rt, err := onnx.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	float := func(name string, dims ...int64) *onnxpb.ValueInfoProto {
		shape := &onnxpb.TensorShapeProto{}
		for _, d := range dims {
			shape.Dim = append(shape.Dim, &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}})
		}
		return &onnxpb.ValueInfoProto{Name: proto.String(name), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
			TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)), Shape: shape},
		}}}
	}
	for name, outputs := range map[string][]*onnxpb.ValueInfoProto{
		"rank 3": {float("boxes", 1, 3, 256)}, "two": {float("scores", 1, 768), float("boxes", 1, 3, 256)},
	} {
		g := &onnxpb.GraphProto{Name: proto.String("detector"), Input: []*onnxpb.ValueInfoProto{float("images", 1, 3, 16, 16)}, Output: outputs}
		for output, to := range map[string][]int64{"boxes": {1, 3, 256}, "scores": {1, 768}} {
			shape := &onnxpb.TensorProto{Name: proto.String(output + ".shape"), DataType: proto.Int32(int32(onnxpb.TensorProto_INT64)), Dims: []int64{int64(len(to))}, Int64Data: to}
			g.Initializer = append(g.Initializer, shape)
			g.Node = append(g.Node, &onnxpb.NodeProto{OpType: proto.String("Reshape"), Input: []string{"images", shape.GetName()}, Output: []string{output}})
		}
		file, err := proto.Marshal(&onnxpb.ModelProto{
			IrVersion: proto.Int64(8), Graph: g, OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(17)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "detector.onnx")
		write(t, file, path)
		cfg := classify.DefaultConfig()
		for side, want := range map[int]string{0: "looks like a detector", 32: "it takes images of 16 pixels a side: leave --side 32 out"} {
			if _, err := train.SetNetwork(rt, &cfg, path, side); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, side %d: %v, want %q", name, side, err, want)
			}
		}
	}
}

// TestMemory refuses what does not fit, and says what would.
func TestMemory(t *testing.T) {
	rt, err := onnx.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	cfg := classify.DefaultConfig()
	if _, err := train.Fit(rt, cfg, 32, 8<<30); err != nil {
		t.Error(err)
	}
	cfg.Width = 4096
	_, err = train.Fit(rt, cfg, 32, 8<<30)
	var width int
	if _, text, ok := strings.Cut(fmt.Sprint(err), "--width "); !ok {
		t.Fatalf("%v, want a width that fits", err)
	} else if _, err := fmt.Sscan(text, &width); err != nil {
		t.Fatal(err)
	}
	for w, fits := range map[int]bool{width: true, width + 1: false} {
		cfg.Width = w
		if _, err := train.Fit(rt, cfg, 32, 8<<30); (err == nil) != fits {
			t.Errorf("width %d: %v", w, err)
		}
	}
	whole := classify.DefaultConfig()
	whole.Batch = math.MaxInt
	if room, err := train.Fit(rt, whole, 32, 8<<30); err != nil || room.Take() != nil {
		t.Errorf("a batch of all images, however many: %v, %v", err, room.Take())
	}
	recipe, err := classify.Recipe("convnet3")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = train.Fit(rt, recipe, 224, 4<<30); err == nil || !strings.Contains(err.Error(), "--width ") {
		t.Errorf("%v, want a width that fits in place of the network's usual", err)
	}
	if _, err = train.Fit(rt, recipe, 224, 1<<20); err == nil || !strings.Contains(err.Error(), "none of --width, --side, --batch, --threads is enough") {
		t.Errorf("%v, want several lowered", err)
	}
	o := options()
	if o.Room, err = train.Fit(rt, classify.DefaultConfig(), 16, 8<<30); err != nil {
		t.Fatal(err)
	}
	dir := stripes(t, 20)
	folder(t, dir, o)
	need, err := classify.Memory(rt, classify.DefaultConfig(), 16, 2)
	if err != nil {
		t.Fatal(err)
	}
	if o.Room, err = train.Fit(rt, classify.DefaultConfig(), 16, need+10*2*3*16*16); err != nil {
		t.Fatal(err)
	}
	if _, err := train.Folder(t.Context(), dir, o, func(int) {}); err == nil || !strings.Contains(err.Error(), "10 images of 16 pixels a side take") {
		t.Errorf("%v, want that there is no memory for more images", err)
	}
}

// TestMemoryOfData counts what only the images tell: their classes, which the last layer grows with, and how many are in a batch.
func TestMemoryOfData(t *testing.T) {
	rt, err := onnx.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	const side, images = 64, 1000
	for name, c := range map[string]struct {
		classes, batch int
		want           string
	}{"few": {2, 128, ""}, "many classes": {1000, 128, "--side"}, "one batch": {2, math.MaxInt, "--batch"}} {
		cfg := classify.DefaultConfig()
		cfg.Batch = c.batch
		need, err := classify.Memory(rt, cfg, side, 2)
		if err != nil {
			t.Fatal(err)
		}
		data := train.Data{Train: classify.Images{Side: side, Labels: make([]int, images), Classes: make([]string, c.classes)}}
		free := need + 3*side*side*(images+2*4*200)
		if _, err := train.Fit(rt, cfg, side, free); err != nil {
			t.Error(err)
		}
		if err := train.FitData(rt, cfg, data, free); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestNetworksAndAugment(t *testing.T) {
	rt, err := onnx.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	cfg := classify.DefaultConfig()
	if side, err := train.SetNetwork(rt, &cfg, "resnet9", 0); err != nil || side != 32 || cfg.Network != "resnet9" {
		t.Errorf("%d, %v", side, err)
	}
	if _, err := train.SetNetwork(rt, &cfg, "resnet", 0); err == nil || !strings.Contains(err.Error(), "neither a file nor a network that is known: convnet3") {
		t.Error(err)
	}
	none := filepath.Join(t.TempDir(), "none.onnx")
	write(t, []byte("no model"), none)
	if _, err := train.SetNetwork(rt, &cfg, none, 0); err == nil || !strings.Contains(err.Error(), none) {
		t.Error(err)
	}
	a := classify.DefaultAugment()
	if got, err := train.ParseAugment("crop=4,flip=random,cutout=8", a); err != nil || got != (classify.Augment{Crop: 4, Pad: a.Pad, Flip: "random", Cutout: 8}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := train.ParseAugment("none", a); err != nil || got.Crop != 0 || got.Flip != "none" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "crop", "crop=x", "zoom=2", "crop=4,,", "crop=2,crop=3"} {
		if _, err := train.ParseAugment(bad, a); err == nil {
			t.Errorf("%q was understood", bad)
		}
	}
}
