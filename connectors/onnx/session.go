package onnx

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"gleaner/schemas"
)

// Config sets how a session uses the processor.
type Config struct {
	Threads int `yaml:"threads"` // of one Run; 1 is fastest over all when as many workers as cores call Run
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

// ErrClosed is returned by Run once the session is closed.
var ErrClosed = errors.New("onnx session is closed")

// Session is a loaded model of float32 tensors with fixed shapes. Run may be called by any number of goroutines at once;
// each call in flight has its own tensors, which are kept for later calls.
type Session struct {
	name    string
	hash    schemas.Hash
	inputs  []schemas.TensorSpec
	outputs []schemas.TensorSpec
	runtime *Runtime
	session *ort.DynamicAdvancedSession

	running sync.RWMutex // read-locked by every Run, so that Close waits for them
	closed  bool

	mu   sync.Mutex
	free []*buffers
}

// buffers are the tensors of one Run. They own the memory that the runtime reads and writes, so they are kept alive
// until it has returned.
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

// LoadBytes makes a session of a model in memory; name is for errors. It runs the model once on zeros, which shows that it
// can run at all and how large its outputs are. A first dimension that the graph leaves open is a batch and becomes 1.
func (r *Runtime) LoadBytes(name string, data []byte, cfg Config) (*Session, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("onnx model %s: %w", name, err)
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("onnx model %s: the file is empty", name)
	}
	held, err := r.another()
	if err != nil {
		return nil, err
	}
	s := &Session{name: name, hash: sha256.Sum256(data), runtime: held}
	if err := s.load(data, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("onnx model %s: %w", name, err), s.Close())
	}
	return s, nil
}

func (s *Session) load(data []byte, cfg Config) (err error) {
	ins, outs, err := ort.GetInputOutputInfoWithONNXData(data)
	if err != nil {
		return fmt.Errorf("not a model that this runtime can load (corrupt, or a newer operator set): %w", err)
	}
	s.inputs, s.outputs = specs(ins), specs(outs)
	if err := s.usable(ins, outs); err != nil {
		return err
	}
	options, err := sessionOptions(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, options.Destroy()) }()
	s.session, err = ort.NewDynamicAdvancedSessionWithONNXData(data, names(s.inputs), names(s.outputs), options)
	if err != nil {
		return err
	}
	return s.measure()
}

// usable refuses what Run cannot feed and resolves an open batch dimension to 1.
func (s *Session) usable(ins, outs []ort.InputOutputInfo) error {
	seen := fmt.Sprintf("inputs seen: %s; outputs seen: %s", list(s.inputs), list(s.outputs))
	if len(ins) == 0 || len(outs) == 0 {
		return fmt.Errorf("a model needs at least one input and one output; %s", seen)
	}
	for _, info := range append(append([]ort.InputOutputInfo{}, ins...), outs...) {
		if info.OrtValueType != ort.ONNXTypeTensor || info.DataType != ort.TensorElementDataTypeFloat {
			return fmt.Errorf("%q is not a float32 tensor; %s", info.Name, seen)
		}
	}
	for _, in := range s.inputs {
		if len(in.Shape) > 0 && in.Shape[0] < 0 {
			in.Shape[0] = 1
		}
		for _, d := range in.Shape {
			if d < 1 {
				return fmt.Errorf("input %q has a shape that is not known before it runs: export the model with a fixed size; %s", in.Name, seen)
			}
		}
	}
	return nil
}

// measure runs the model on zeros and takes the shapes of the outputs that come.
func (s *Session) measure() (err error) {
	b, err := s.newBuffers()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.destroy()) }()
	outs := make([]ort.Value, len(s.outputs))
	err = s.session.Run(b.inputs, outs)
	runtime.KeepAlive(b)
	for i, v := range outs {
		if v != nil {
			s.outputs[i].Shape = v.GetShape()
			err = errors.Join(err, v.Destroy())
		}
	}
	if err != nil {
		return fmt.Errorf("trial run on zeros: %w", err)
	}
	return nil
}

// SHA256 is the digest of the model file.
func (s *Session) SHA256() schemas.Hash { return s.hash }

// Inputs describes the input tensors, with all dimensions known.
func (s *Session) Inputs() []schemas.TensorSpec { return s.inputs }

// Outputs describes the output tensors, with all dimensions known.
func (s *Session) Outputs() []schemas.TensorSpec { return s.outputs }

// Run lets fill write the input tensors (row-major, in the order of Inputs, holding what an earlier call left), runs the
// model, and lets use read the outputs. The slices are good until the function that got them returns. An error of fill
// or use is returned as it is. A run that has begun does not stop for ctx.
func (s *Session) Run(ctx context.Context, fill, use func(tensors [][]float32) error) error {
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
	defer s.give(b)
	if err := fill(b.inData); err != nil {
		return err
	}
	err = s.session.Run(b.inputs, b.outputs)
	runtime.KeepAlive(b)
	if err != nil {
		return fmt.Errorf("onnx model %s: %w", s.name, err)
	}
	return use(b.outData)
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
	b, err := s.newBuffers()
	if err != nil {
		return nil, err
	}
	for _, out := range s.outputs {
		if err := b.add(out, &b.outputs, &b.outData); err != nil {
			return nil, errors.Join(err, b.destroy())
		}
	}
	return b, nil
}

func (s *Session) give(b *buffers) {
	s.mu.Lock()
	s.free = append(s.free, b)
	s.mu.Unlock()
}

// newBuffers has input tensors only.
func (s *Session) newBuffers() (*buffers, error) {
	b := &buffers{}
	for _, in := range s.inputs {
		if err := b.add(in, &b.inputs, &b.inData); err != nil {
			return nil, errors.Join(err, b.destroy())
		}
	}
	return b, nil
}

func (b *buffers) add(spec schemas.TensorSpec, values *[]ort.Value, data *[][]float32) error {
	t, err := ort.NewEmptyTensor[float32](ort.NewShape(spec.Shape...))
	if err != nil {
		return fmt.Errorf("tensor %s: %w", spec, err)
	}
	*values = append(*values, t)
	*data = append(*data, t.GetData())
	return nil
}

func (b *buffers) destroy() error {
	var err error
	for _, v := range append(b.inputs, b.outputs...) {
		err = errors.Join(err, v.Destroy())
	}
	return err
}

// sessionOptions: spinning threads would take the cores that other workers need; the arena keeps memory between runs,
// which is a third of the speed.
func sessionOptions(cfg Config) (*ort.SessionOptions, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		o.SetIntraOpNumThreads(cfg.Threads),
		o.SetInterOpNumThreads(1),
		o.SetExecutionMode(ort.ExecutionModeSequential),
		o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
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
		typ := strings.ToLower(strings.TrimPrefix(info.DataType.String(), "ONNX_TENSOR_ELEMENT_DATA_TYPE_"))
		if info.DataType == ort.TensorElementDataTypeFloat {
			typ = "float32"
		}
		out[i] = schemas.TensorSpec{Name: info.Name, Type: typ, Shape: info.Dimensions.Clone()}
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
