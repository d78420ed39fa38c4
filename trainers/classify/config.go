package classify

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/trainers/autograd"
)

// Config says how a classifier is trained.
type Config struct {
	Network string `yaml:"network"` // of Networks; ignored where ONNX is given
	ONNX    []byte `yaml:"-"`       // a classifier to go on from
	Width   int    `yaml:"width"`   // channels of the first block; 0 for the network's usual

	// The classes that the outputs of ONNX are known as, in their order, of which those that are trained keep what the last layer knows of
	// them; none: its last layer is drawn anew.
	ONNXClasses []string `json:"-" yaml:"-"`

	Epochs    int       `yaml:"epochs"`
	Batch     int       `yaml:"batch"`        // images a step
	Pass      int       `yaml:"pass"`         // images at most that go through the network at once; batch normalizations see these
	Optimizer string    `yaml:"optimizer"`    // sgd (Nesterov), adamw or muon
	Rate      float64   `yaml:"rate"`         // the highest learning rate
	Warmup    float64   `yaml:"warmup"`       // share of the steps in which the rate rises to it from a fifth
	Final     float64   `yaml:"final_rate"`   // share of it that the rate falls to, linearly
	Momentum  float64   `yaml:"momentum"`     // in [0, 1); of sgd and muon
	Decay     float64   `yaml:"weight_decay"` // of weights, not of gains and biases, times the rate
	BiasRate  float64   `yaml:"bias_rate"`    // by which the rate of biases of normalizations is multiplied; 0 for 1
	HeadRate  float64   `yaml:"head_rate"`    // by which that of the last layer is multiplied; 0 for 1
	Clip      float64   `yaml:"clip"`         // largest norm of the gradients; 0 for no limit
	Smoothing float64   `yaml:"smoothing"`    // share of each label that is spread over all classes; losses are reported without
	Average   float64   `yaml:"average"`      // how much stays of a moving average of the weights each step, which is then what is tested and exported; 0 for none
	Running   float64   `yaml:"running"`      // how much stays of the running averages of batch normalizations each step
	Lookahead Lookahead `yaml:"lookahead"`

	Augment   Augment        `yaml:"augment"`
	Normalize *Normalization `yaml:"normalize"` // nil: measured on the training images, or ImageNet's where ONNX is given

	Seed       int64 `yaml:"seed"`
	Threads    int   `yaml:"threads"`    // the same number gives the same weights, bit for bit; another one rounds otherwise
	Patience   int   `yaml:"patience"`   // epochs without a better held-out accuracy after which training ends; 0 for none
	Checkpoint int   `yaml:"checkpoint"` // steps between checkpoints; 0: at the end of each epoch alone

	Run schemas.Run `yaml:"-"` // RunID, Attempt, Model, Dataset and DatasetVersion, for loss rows and metadata
}

// Lookahead moves slow weights towards the fast ones every so many steps (Zhang et al. 2019).
type Lookahead struct {
	Steps int     `yaml:"steps"` // 0: none
	Rate  float64 `yaml:"rate"`  // in (0, 1]
}

// DefaultConfig trains a ConvNet-3 of width 64 for ten epochs.
func DefaultConfig() Config {
	return Config{
		Network: "convnet3", Width: 64, Epochs: 10, Batch: 128, Pass: 64, Optimizer: "sgd", Rate: 0.05, Warmup: 0.2, Momentum: 0.9, Decay: 5e-4, Running: 0.9,
		Augment: DefaultAugment(), Threads: 1, Run: schemas.Run{RunID: "run", Attempt: 1},
	}
}

// Invalid is a field of a configuration whose value cannot train.
type Invalid struct {
	Field string // as in a configuration file
	Value any
	Want  string
}

func (e *Invalid) Error() string { return fmt.Sprintf("%s: %v: %s", e.Field, e.Value, e.Want) }

// MaxThreads is how many threads a step may have, on any machine: what a number of threads gives, it gives on all of them.
const MaxThreads = 256

// Validate refuses what could not train, by an Invalid for each field.
func (c Config) Validate() error {
	var errs []error
	refuse := func(bad bool, field string, value any, want string) {
		if bad {
			errs = append(errs, &Invalid{field, value, want})
		}
	}
	if len(c.ONNX) == 0 {
		_, err := networkNamed(c.Network)
		errs = append(errs, err)
	}
	refuse(c.Width < 0 || c.Width > 4096, "width", c.Width, "must be 1 to 4096, or 0 for the network's usual")
	refuse(c.Epochs < 1 || c.Epochs > 100_000, "epochs", c.Epochs, "must be 1 to 100000")
	refuse(c.Batch < 1, "batch", c.Batch, "must be at least 1")
	refuse(c.Pass < 1, "pass", c.Pass, "must be at least 1")
	refuse(!slices.Contains(optimizers, c.Optimizer), "optimizer", c.Optimizer, fmt.Sprintf("must be one of %v", optimizers))
	refuse(!(c.Rate > 0) || math.IsInf(c.Rate, 0), "rate", c.Rate, "must be above 0")
	for name, x := range map[string]float64{"warmup": c.Warmup, "momentum": c.Momentum, "smoothing": c.Smoothing, "average": c.Average, "running": c.Running} {
		refuse(!(x >= 0 && x < 1), name, x, "must be at least 0 and below 1")
	}
	refuse(!(c.Final >= 0 && c.Final <= 1), "final_rate", c.Final, "must be 0 to 1")
	for name, x := range map[string]float64{"weight_decay": c.Decay, "bias_rate": c.BiasRate, "head_rate": c.HeadRate, "clip": c.Clip} {
		refuse(!(x >= 0) || math.IsInf(x, 0), name, x, "must be at least 0")
	}
	refuse(c.Lookahead.Steps < 0, "lookahead.steps", c.Lookahead.Steps, "must be at least 0")
	refuse(c.Lookahead.Steps > 0 && !(c.Lookahead.Rate > 0 && c.Lookahead.Rate <= 1), "lookahead.rate", c.Lookahead.Rate, "must be above 0 and at most 1")
	refuse(c.Threads < 1 || c.Threads > MaxThreads, "threads", c.Threads, fmt.Sprintf("must be 1 to %d", MaxThreads))
	refuse(c.Patience < 0, "patience", c.Patience, "must be at least 0")
	refuse(c.Checkpoint < 0, "checkpoint", c.Checkpoint, "must be at least 0")
	refuse(c.Run.RunID == "", "run.run_id", `""`, "must not be empty")
	refuse(c.Run.Attempt < 1, "run.attempt", c.Run.Attempt, "must be at least 1")
	if c.Normalize != nil {
		errs = append(errs, c.Normalize.Validate())
	}
	errs = append(errs, c.Augment.Validate())
	return errors.Join(errs...)
}

var optimizers = []string{"sgd", "adamw", "muon"}

// Channels of the first block are Width, or the network's usual; 0 of one that is not known.
func (c Config) Channels() int {
	n, _ := networkNamed(c.Network)
	return cmp.Or(c.Width, n.width)
}

// optimizer is the rule of the weights.
func (c Config) optimizer() autograd.Optimizer {
	switch c.Optimizer {
	case "adamw":
		return autograd.DefaultAdamW()
	case "muon":
		return autograd.Muon{Momentum: c.Momentum, Nesterov: true, Steps: 3, Unit: len(c.ONNX) == 0, Others: autograd.SGD{Momentum: 0.85, Nesterov: true}}
	}
	return autograd.SGD{Momentum: c.Momentum, Nesterov: true}
}

// schedule is the rate of each step.
func (c Config) schedule(steps int) autograd.Schedule {
	return autograd.Triangle(c.Rate, 0.2, c.Warmup, c.Final, steps)
}

// passes divides a batch, by Pass alone, so that with any number of threads batch normalizations see the same images: into as few
// passes of size images as there can be, of which the last slots may be one or some too many. Parts of them run at the same time, in so
// many calls.
func (c Config) passes(batch int) (parts, calls, size int) {
	passes := (batch-1)/c.Pass + 1 // rounded up, of a batch of any size
	parts = min(c.Threads, passes)
	for passes%parts > 0 {
		parts--
	}
	return parts, passes / parts, (batch-1)/passes + 1
}

// KeptClasses are those of the classes that the outputs of ONNX are known as too: training begins with what its last layer knows of them.
func (c Config) KeptClasses(classes []string) []string {
	var kept []string
	for class, output := range keptOutputs(c.ONNXClasses, classes) {
		if output >= 0 {
			kept = append(kept, classes[class])
		}
	}
	return kept
}

// training is the configuration of the steps.
func (c Config) training(batch int) autograd.Config {
	a := autograd.DefaultConfig()
	a.Parts, a.Accumulate, _ = c.passes(batch)
	a.Threads = c.Threads / a.Parts
	a.Optimizer, a.Decay, a.Clip, a.Average = c.optimizer(), c.Decay, c.Clip, c.Average
	running := math.Pow(c.Running, 1/float64(a.Accumulate))
	a.Running = &running
	a.Lookahead = autograd.Lookahead{Steps: c.Lookahead.Steps, Rate: c.Lookahead.Rate}
	a.Groups = []autograd.Group{{Match: `^whiten\.weight$`, Frozen: true}}
	if len(c.ONNX) == 0 && c.Network == "airbench" {
		a.Groups = append(a.Groups, autograd.Group{Match: `norm\d\.weight$`, Frozen: true})
	}
	if head := (autograd.Group{Match: `^head\.`, Rate: c.HeadRate}); len(c.ONNX) == 0 {
		if c.Optimizer == "muon" {
			head.Optimizer = autograd.SGD{Momentum: 0.85, Nesterov: true}
		}
		a.Groups = append(a.Groups, head)
	}
	if c.BiasRate > 0 {
		a.Groups = append(a.Groups, autograd.Group{Match: `norm.*\.bias$`, Rate: c.BiasRate})
	}
	return a
}
