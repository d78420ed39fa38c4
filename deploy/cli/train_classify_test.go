package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/deploy/config"
	"gleaner/trainers/classify"
)

// TestClassifySettings wants the recipe of a network, but for what the flags say.
func TestClassifySettings(t *testing.T) {
	want, err := classify.Recipe("airbench")
	if err != nil {
		t.Fatal(err)
	}
	want.Epochs, want.Patience, want.Seed, want.Threads, want.Augment.Flip = 3, 2, 7, 1, "none"
	f := classifyFlags{model: "airbench", folder: "photos", augment: "flip=none", settings: classify.Config{Epochs: 3, Batch: 1, Patience: 2, Seed: 7, Threads: 1}}
	f.changed = func(flag string) bool { return flag == "epochs" || flag == "patience" }
	if err := f.check(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, f.Config); diff != "" {
		t.Error(diff)
	}
	if f.name != "photos" {
		t.Errorf("the folder's images are of dataset %q", f.name)
	}
}

// TestClassifySays wants told which system was looked for, and which classes an imported file knows.
func TestClassifySays(t *testing.T) {
	f := classifyFlags{model: "x.onnx"}
	cfg := config.Default()
	if said := f.lossesGo(cfg, false); !strings.Contains(said, "no system runs on "+cfg.DataDir) || !strings.Contains(said, "--config") {
		t.Error(said)
	}
	for want, outputs := range map[string][]string{
		"last layer: drawn anew, since x.onnx does not give each of its outputs a name of its own": nil,
		"last layer: drawn anew, since x.onnx names none of the classes":                           {"a", "b"},
		"last layer: kept for all 2 classes, by the names in x.onnx":                               {"dog", "owl", "cat"},
		"last layer: kept for 1 of 2 classes, by the names in x.onnx, and drawn anew for 1: dog":   {"owl", "cat"},
	} {
		f.Config.ONNXClasses = outputs
		if said := f.lastLayer([]string{"cat", "dog"}); said != want {
			t.Errorf("outputs %v: %s, want %s", outputs, said, want)
		}
	}
}

func TestBadClassifyFlags(t *testing.T) {
	for flags, want := range map[string]string{
		"":                                    "--data or --dataset is required",
		"--dataset d --name n":                "--name is for images of --data",
		"--data photos --side -1":             "--side -1",
		"--data photos --side 100000":         "--side 100000: must be 1 to 2048",
		"--data photos --side 4":              "--side 4: network convnet3 needs images of at least 8 pixels a side",
		"--dataset d --held 0.2":              "--held is for images of --data",
		"photos":                              `train classify: "photos" is no flag: name the images by --data photos`,
		"--data photos --held 1":              "--held 1",
		"--data photos --name a@b":            `--name: "a@b": want the name of a dataset, without @`,
		"--data pho@tos":                      "--data pho@tos: its name is none for a dataset, so say by --name",
		"--dataset a@b":                       `--dataset: "a@b": want the name`,
		"--data photos --augment zoom=2":      "--augment",
		"--data photos --augment flip=up":     "--augment flip=up: must be one of",
		"--data photos --augment crop=100":    "--augment crop=100: must be at most half of the images' side of 32 pixels",
		"--data photos --augment cutout=99":   "--augment cutout=99: must be at most",
		"--data photos --epochs 0":            "--epochs 0: must be",
		"--data photos --batch 0":             "--batch 0: must be at least 1",
		"--data photos --threads 1000":        "--threads 1000: must be 1 to 256",
		"--data photos --checkpoint-steps -1": "--checkpoint-steps -1: must be",
		"--data photos -m resnt9 --width 8":   "resnt9 is none of these, and a file has a width of its own",
		"--data photos --out no/x.onnx":       "no/x.onnx cannot be written: stat no",
		"--data photos -o x --losses ./x":     "./x is to be two files",
		"--data photos --model none":          "neither a file nor a network",
		"--data photos":                       "photos: no such file",
		"--data photos --dataset street":      "leave --dataset out",
		"--dataset street --losses x --nix":   "unknown flag",
	} {
		root := newRoot("test")
		root.SetArgs(append([]string{"train", "classify"}, strings.Fields(flags)...))
		if err := root.Execute(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", flags, err, want)
		}
	}
}
