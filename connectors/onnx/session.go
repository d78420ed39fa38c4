package onnx

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	ort "github.com/yalue/onnxruntime_go"

	"gleaner/schemas"
)

// Config sets how a session uses the processor, and the size of images where a graph leaves it open.
type Config struct {
	Threads int `yaml:"threads"` // of one Run; 1 is fastest over all when as many workers as cores call Run
	Width   int `yaml:"-"`       // pixels; it belongs to the model, see schemas.DecodeInput
	Height  int `yaml:"-"`
}

// DefaultConfig returns one thread a Run.
func DefaultConfig() Config { return Config{Threads: 1} }

// Validate refuses a number of threads below one.
func (c Config) Validate() error {
	if c.Threads < 1 {
		return fmt.Errorf("threads: %d: must be at least 1", c.Threads)
	}
	return nil
}

// Session is a loaded model. Its callers see float32 whatever the graph's types are. Run may be called by any number of
// goroutines at once; each call in flight has its own tensors, which are kept for later calls.
type Session struct {
	name    string
	hash    schemas.Hash
	inputs  []schemas.TensorSpec
	outputs []schemas.TensorSpec
	open    []bool // of each output: the runtime allocates it at every Run, since its size depends on the image
	runtime *Runtime
	session *ort.DynamicAdvancedSession

	running sync.RWMutex // read-locked by every Run, so that Close waits for them
	closed  bool

	mu   sync.Mutex
	free []*buffers
}

// buffers are the tensors of one Run, and their numbers. They own the memory that the runtime reads and writes, so they are
// kept alive until it has returned. Between runs an open output is nil.
type buffers struct {
	inputs, outputs []ort.Value
	inData, outData [][]float32
}

// Load reads a model from one file; weights in further files are not supported, since the digest must name them all.
func (r *Runtime) Load(path string, cfg Config) (*Session, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("onnx model: %w", err)
	}
	return r.LoadBytes(path, data, cfg)
}

// LoadBytes makes a session of a model in memory; name is for errors. Too little memory, here or in Run, is
// schemas.ErrOutOfMemory; other errors are the model's own. It runs the model on zeros, which shows that it can
// run at all and how large its outputs are. A first dimension that the graph leaves open is a batch and becomes 1; open
// sides of an image become those of cfg.
func (r *Runtime) LoadBytes(name string, data []byte, cfg Config) (*Session, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("onnx model %s: the file is empty", name)
	}
	settled, err := settle(data, cfg)
	if err != nil {
		return nil, fmt.Errorf("onnx model %s: %w", name, err)
	}
	return r.session(name, settled, sha256.Sum256(data), cfg)
}

// session makes a session of a model that is settled; hash is of the file that it comes of.
func (r *Runtime) session(name string, settled []byte, hash schemas.Hash, cfg Config) (*Session, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("onnx model %s: %w", name, err)
	}
	held, err := r.another()
	if err != nil {
		return nil, err
	}
	s := &Session{name: name, hash: hash, runtime: held}
	if err := s.load(settled, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("onnx model %s: %w", name, err), s.Close())
	}
	return s, nil
}

func (s *Session) load(data []byte, cfg Config) (err error) {
	ins, outs, err := ort.GetInputOutputInfoWithONNXData(data)
	if err != nil {
		return fmt.Errorf("not a model that this runtime can load (corrupt, or a newer operator set): %w", starved(err))
	}
	s.inputs, s.outputs = specs(ins), specs(outs)
	if err := s.usable(ins, outs); err != nil {
		return err
	}
	options, err := sessionOptions(cfg, ort.GraphOptimizationLevelEnableAll)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, options.Destroy()) }()
	s.session, err = ort.NewDynamicAdvancedSessionWithONNXData(data, names(s.inputs), names(s.outputs), options)
	if err != nil {
		return starved(err)
	}
	return s.measure()
}

// usable refuses what Run cannot feed or read.
func (s *Session) usable(ins, outs []ort.InputOutputInfo) error {
	seen := fmt.Sprintf("inputs seen: %s; outputs seen: %s", list(s.inputs), list(s.outputs))
	if len(ins) == 0 || len(outs) == 0 {
		return fmt.Errorf("a model needs at least one input and one output; %s", seen)
	}
	for _, info := range append(append([]ort.InputOutputInfo{}, ins...), outs...) {
		if _, ok := types[info.DataType]; !ok || info.OrtValueType != ort.ONNXTypeTensor {
			return fmt.Errorf("%q is no tensor of numbers; %s", info.Name, seen)
		}
	}
	for _, in := range s.inputs {
		for _, d := range in.Shape {
			if d < 1 {
				return fmt.Errorf("input %q has no fixed size: give the width and height of its images (input of a decode spec), or export the model with them; %s", in.Name, seen)
			}
		}
	}
	return nil
}

// measure runs the model on zeros, and where dimensions of outputs are open on noise too, and takes the shapes that come. A
// leading 1 is the batch. One more open dimension stays so, as it is the number of detections of models that suppress doubles
// themselves; of several, those that are the same both times, and not 0, count as fixed.
func (s *Session) measure() (err error) {
	s.open = make([]bool, len(s.outputs))
	for i, out := range s.outputs {
		s.open[i] = len(out.Shape) == 0 || slices.Min(out.Shape) < 0
		if s.open[i] && out.Type == "float16" { // the binding copies half of what the runtime allocates of this type
			return fmt.Errorf("output %s: float16 with an open dimension: export it with a fixed size or as float32", out)
		}
	}
	b, err := s.take()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.destroy()) }()
	if err := s.run(b); err != nil {
		return fmt.Errorf("trial run on zeros: %w", err)
	}
	if !slices.Contains(s.open, true) {
		return nil
	}
	zeros := b.shapes()
	noise := rand.New(rand.NewPCG(1, 2))
	for _, in := range b.inData {
		for i := range in {
			in[i] = noise.Float32()
		}
	}
	if err := errors.Join(s.release(b), s.run(b)); err != nil {
		return fmt.Errorf("trial run on noise: %w", err)
	}
	for i, seen := range b.shapes() {
		if !s.open[i] {
			continue
		}
		out := &s.outputs[i]
		if len(seen) != len(zeros[i]) {
			return fmt.Errorf("output %s: came as %v and as %v", out, zeros[i], seen)
		}
		out.Shape = agreed(out.Shape, zeros[i], seen)
	}
	err = s.release(b)
	for i, out := range s.outputs {
		s.open[i] = slices.Contains(out.Shape, -1)
	}
	return err
}

// agreed is the shape of an output declared with open dimensions, of which two runs gave a and b.
func agreed(declared, a, b []int64) []int64 {
	out := slices.Clone(a)
	open := 0
	for i := range a {
		known := len(declared) == len(a) && declared[i] >= 0
		batch := i == 0 && len(a) > 1 && a[i] == 1 && b[i] == 1
		if !known && !batch {
			out[i] = -1
			open++
		}
	}
	if open > 1 {
		for i := range a {
			if a[i] == b[i] && a[i] > 0 {
				out[i] = a[i]
			}
		}
	}
	return out
}

// SHA256 is the digest of the model file.
func (s *Session) SHA256() schemas.Hash { return s.hash }

// Inputs describes the input tensors, with all dimensions known. The types are the graph's own.
func (s *Session) Inputs() []schemas.TensorSpec { return s.inputs }

// Outputs describes the output tensors. A dimension of -1 varies from run to run.
func (s *Session) Outputs() []schemas.TensorSpec { return s.outputs }

// Run lets fill write the input tensors (row-major, in the order of Inputs, holding what an earlier call left), runs the
// model, and lets use read the outputs. Other types than float32 are converted; integer inputs are rounded and clamped. The
// slices are good until the function that got them returns. An error of fill or use is returned as it is. A run that has
// begun does not stop for ctx.
func (s *Session) Run(ctx context.Context, fill, use func(tensors [][]float32) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.running.RLock()
	defer s.running.RUnlock()
	if s.closed {
		return fmt.Errorf("onnx model %s: %w", s.name, ErrClosed)
	}
	b, err := s.take()
	if err != nil {
		return fmt.Errorf("onnx model %s: %w", s.name, err)
	}
	defer func() {
		if e := s.give(b); err == nil {
			err = e
		}
	}()
	if err := fill(b.inData); err != nil {
		return err
	}
	start := time.Now()
	err = s.run(b)
	if spent, ok := ctx.Value(clock{}).(*atomic.Int64); ok {
		spent.Add(int64(time.Since(start)))
	}
	if err != nil {
		return fmt.Errorf("onnx model %s: %w", s.name, err)
	}
	return use(b.outData)
}

// clock is the key of what Clocked says.
type clock struct{}

// Clocked returns a context with which every Run adds to spent how many nanoseconds it took but for fill and use.
func Clocked(ctx context.Context, spent *atomic.Int64) context.Context {
	return context.WithValue(ctx, clock{}, spent)
}

// run brings the inputs into the graph's types, runs, and reads the outputs.
func (s *Session) run(b *buffers) error {
	for i, v := range b.inputs {
		write(v, b.inData[i])
	}
	err := s.session.Run(b.inputs, b.outputs)
	runtime.KeepAlive(b)
	if err != nil {
		return starved(err)
	}
	for i, v := range b.outputs {
		if b.outData[i], err = read(v, b.outData[i]); err != nil {
			return fmt.Errorf("output %s: %w", s.outputs[i], err)
		}
		same := func(n, want int64) bool { return want < 0 || n == want }
		if want := s.outputs[i].Shape; s.open[i] && len(want) > 0 && !slices.EqualFunc(v.GetShape(), want, same) {
			return fmt.Errorf("output %s came as %v", s.outputs[i], v.GetShape())
		}
	}
	return nil
}

// Close waits for the calls in flight and frees the model. Further calls do nothing.
func (s *Session) Close() error {
	s.running.Lock()
	defer s.running.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	for _, b := range s.free {
		err = errors.Join(err, b.destroy())
	}
	s.free = nil
	if s.session != nil {
		err = errors.Join(err, s.session.Destroy())
	}
	return errors.Join(err, s.runtime.Close())
}

func (s *Session) take() (*buffers, error) {
	s.mu.Lock()
	if n := len(s.free); n > 0 {
		b := s.free[n-1]
		s.free = s.free[:n-1]
		s.mu.Unlock()
		return b, nil
	}
	s.mu.Unlock()
	b := &buffers{outputs: make([]ort.Value, len(s.outputs)), outData: make([][]float32, len(s.outputs))}
	for _, in := range s.inputs {
		v, err := newTensor(in)
		if err != nil {
			return nil, errors.Join(err, b.destroy())
		}
		b.inputs = append(b.inputs, v)
		data, err := read(v, nil)
		if err != nil {
			return nil, errors.Join(err, b.destroy())
		}
		b.inData = append(b.inData, data)
	}
	for i, out := range s.outputs {
		if s.open[i] {
			continue
		}
		v, err := newTensor(out)
		if err != nil {
			return nil, errors.Join(err, b.destroy())
		}
		b.outputs[i] = v
	}
	return b, nil
}

func (s *Session) give(b *buffers) error {
	err := s.release(b)
	s.mu.Lock()
	s.free = append(s.free, b)
	s.mu.Unlock()
	return err
}

// release frees what the runtime allocated for one run.
func (s *Session) release(b *buffers) error {
	var err error
	for i, v := range b.outputs {
		if s.open[i] && v != nil {
			err = errors.Join(err, v.Destroy())
			b.outputs[i] = nil
		}
	}
	return err
}

// shapes are those of the outputs of the last run.
func (b *buffers) shapes() [][]int64 {
	out := make([][]int64, len(b.outputs))
	for i, v := range b.outputs {
		out[i] = v.GetShape()
	}
	return out
}

func (b *buffers) destroy() error {
	var err error
	for _, v := range append(b.inputs, b.outputs...) {
		if v != nil {
			err = errors.Join(err, v.Destroy())
		}
	}
	return err
}

// sessionOptions: spinning threads would take the cores that other workers need; the arena keeps memory between runs,
// which is a third of the speed.
func sessionOptions(cfg Config, level ort.GraphOptimizationLevel) (*ort.SessionOptions, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		o.SetIntraOpNumThreads(cfg.Threads),
		o.SetInterOpNumThreads(1),
		o.SetExecutionMode(ort.ExecutionModeSequential),
		o.SetGraphOptimizationLevel(level),
		o.SetCpuMemArena(true),
		o.SetMemPattern(true),
		o.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
		o.AddSessionConfigEntry("session.inter_op.allow_spinning", "0"),
	)
	if err != nil {
		return nil, errors.Join(err, o.Destroy())
	}
	return o, nil
}

func specs(infos []ort.InputOutputInfo) []schemas.TensorSpec {
	out := make([]schemas.TensorSpec, len(infos))
	for i, info := range infos {
		out[i] = schemas.TensorSpec{Name: info.Name, Type: typeName(info.DataType), Shape: info.Dimensions.Clone()}
	}
	return out
}

func names(specs []schemas.TensorSpec) []string {
	out := make([]string, len(specs))
	for i, s := range specs {
		out[i] = s.Name
	}
	return out
}

func list(specs []schemas.TensorSpec) string {
	out := make([]string, len(specs))
	for i, s := range specs {
		out[i] = s.String()
	}
	return strings.Join(out, ", ")
}
