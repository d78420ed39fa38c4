package onnx_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/native"
	"gleaner/connectors/onnx"
	"gleaner/connectors/onnx/onnxpb"
	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
)

func open(t *testing.T) *onnx.Runtime {
	t.Helper()
	rt, err := onnx.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
	})
	return rt
}

func load(t *testing.T, path string) *onnx.Session {
	t.Helper()
	s, err := open(t).Load(path, onnx.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestRun checks y = 2x + 1 (testdata/models.py) over an open batch dimension.
func TestRun(t *testing.T) {
	s := load(t, "testdata/affine.onnx")
	if got := s.Inputs()[0].String(); got != "x float32[1,3]" {
		t.Errorf("input %s", got)
	}
	if got := s.Outputs()[0].String(); got != "y float32[1,3]" {
		t.Errorf("output %s", got)
	}
	var got []float32
	err := s.Run(t.Context(),
		func(in [][]float32) error { copy(in[0], []float32{1, -2, 0.5}); return nil },
		func(out [][]float32) error { got = slices.Clone(out[0]); return nil })
	if err != nil || !slices.Equal(got, []float32{3, -3, 2}) {
		t.Errorf("%v, %v", got, err)
	}
}

// TestTypes hands numbers through a tensor of every type.
func TestTypes(t *testing.T) {
	s := load(t, "testdata/types.onnx")
	want := map[string][]float32{
		"f32": {0.1, -1e30, 3, 300}, "f64": {0.1, -1e30, 3, 300}, "f16": {0.099975586, -65504, 3, 300},
		"i64": {0, -1 << 40, 4, 300}, "i32": {0, -1 << 31, 4, 300}, "u8": {0, 0, 4, 255}, "b": {1, 1, 1, 0},
	}
	given := map[string][]float32{"f16": {0.1, -65504, 3, 300}, "i64": {0.1, -1 << 40, 3.5, 300}, "i32": {0.1, -1e30, 3.5, 300}, "u8": {0.1, -1e30, 3.5, 300}, "b": {0.1, -1, 3, 0}}
	for range 2 { // the second time with the first one's tensors
		err := s.Run(t.Context(), func(in [][]float32) error {
			for i, spec := range s.Inputs() {
				if g, ok := given[spec.Name]; ok {
					copy(in[i], g)
				} else {
					copy(in[i], want[spec.Name])
				}
			}
			return nil
		}, func(out [][]float32) error {
			for i, spec := range s.Outputs() {
				if name := strings.TrimPrefix(spec.Name, "same_"); !slices.Equal(out[i], want[name]) {
					t.Errorf("%s: %v, want %v", spec, out[i], want[name])
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestOutputsThatVary runs a model that gives as many rows as it finds.
func TestOutputsThatVary(t *testing.T) {
	s := load(t, "testdata/rows.onnx")
	if kept, index := s.Outputs()[0].String(), s.Outputs()[1].String(); kept != "kept float32[?,2]" || index != "index int64[1,?]" {
		t.Errorf("%s, %s", kept, index)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for rows := range 5 {
				var want, index []float32
				err := s.Run(t.Context(), func(in [][]float32) error {
					clear(in[0])
					for i := range rows {
						in[0][2*i], in[0][2*i+1] = 1, float32(i)
						want, index = append(want, 1, float32(i)), append(index, float32(i))
					}
					return nil
				}, func(out [][]float32) error {
					if !slices.Equal(out[0], want) || !slices.Equal(out[1], index) {
						t.Errorf("%v and %v, want %v and %v", out[0], out[1], want, index)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// TestSizeOfOpenImages gives the sides of an image that the graph leaves open.
func TestSizeOfOpenImages(t *testing.T) {
	rt := open(t)
	_, err := rt.Load("testdata/image.onnx", onnx.DefaultConfig())
	wants(t, "no size", err, "no fixed size", "x float32[1,3,?,?]")
	cfg := onnx.DefaultConfig()
	cfg.Width, cfg.Height = 5, 4
	s, err := rt.Load("testdata/image.onnx", cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if in, out := s.Inputs()[0].String(), s.Outputs()[0].String(); in != "x float32[1,3,4,5]" || out != "y float32[1,3,4,5]" {
		t.Errorf("%s, %s", in, out)
	}
}

func TestRunReturnsErrorsOfItsFunctions(t *testing.T) {
	s := load(t, "testdata/affine.onnx")
	mine, nop := errors.New("mine"), func([][]float32) error { return nil }
	fail := func([][]float32) error { return mine }
	if err := s.Run(t.Context(), fail, nop); !errors.Is(err, mine) {
		t.Errorf("fill: %v", err)
	}
	if err := s.Run(t.Context(), nop, fail); !errors.Is(err, mine) {
		t.Errorf("use: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx, nop, nop); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// TestSharedUnderCollection runs one session from many goroutines while the collector works without pause: memory that
// the runtime writes to must not be freed meanwhile.
func TestSharedUnderCollection(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	s := load(t, "testdata/affine.onnx")
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 300 {
				x := float32(w*1000 + i)
				err := s.Run(t.Context(),
					func(in [][]float32) error { in[0][0], in[0][1], in[0][2] = x, x+1, x+2; return nil },
					func(out [][]float32) error {
						if !slices.Equal(out[0], []float32{2*x + 1, 2*x + 3, 2*x + 5}) {
							t.Errorf("x %g: %v", x, out[0])
						}
						return nil
					})
				if err != nil {
					t.Error(err)
					return
				}
				if i%100 == 0 {
					runtime.GC()
				}
			}
		})
	}
	wg.Wait()
}

func TestCloseWaitsAndRefuses(t *testing.T) {
	s, err := open(t).Load("testdata/affine.onnx", onnx.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	inside, leave := make(chan struct{}), make(chan struct{})
	nop := func([][]float32) error { return nil }
	done := make(chan error, 2)
	go func() {
		done <- s.Run(context.Background(), nop, func([][]float32) error { close(inside); <-leave; return nil })
	}()
	<-inside
	go func() { done <- s.Close() }()
	close(leave)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := s.Run(t.Context(), nop, nop); !errors.Is(err, onnx.ErrClosed) {
		t.Errorf("run after close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// TestRuntimeIsCounted closes the runtime under a session, and opens it again after the last user left.
func TestRuntimeIsCounted(t *testing.T) {
	for range 3 {
		rt, err := onnx.Open()
		if err != nil {
			t.Fatal(err)
		}
		s, err := rt.Load("testdata/affine.onnx", onnx.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(rt.Close(), rt.Close()); err != nil {
			t.Fatal(err)
		}
		nop := func([][]float32) error { return nil }
		if err := s.Run(t.Context(), nop, nop); err != nil {
			t.Errorf("session after its runtime's close: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := rt.Load("testdata/affine.onnx", onnx.DefaultConfig()); err == nil {
			t.Error("a closed runtime loaded a model")
		}
	}
}

// TestOutOfMemory loads a model that needs more memory than there is, and then one that does not.
func TestOutOfMemory(t *testing.T) {
	rt := open(t)
	if _, err := rt.Load("testdata/huge.onnx", onnx.DefaultConfig()); !errors.Is(err, schemas.ErrOutOfMemory) {
		t.Errorf("%v, want that memory is short", err)
	}
	load(t, "testdata/affine.onnx")
	if _, err := rt.LoadBytes("noise", []byte("no model"), onnx.DefaultConfig()); err == nil || errors.Is(err, schemas.ErrOutOfMemory) {
		t.Errorf("of noise: %v", err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	rt := open(t)
	whole, err := os.ReadFile("testdata/affine.onnx")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, c := range map[string]struct {
		data []byte
		want []string
	}{
		"empty":     {[]byte{}, []string{"empty.onnx", "the file is empty"}},
		"text":      {[]byte("this is no model"), []string{"text.onnx", "not a model that this runtime can load"}},
		"truncated": {whole[:len(whole)/2], []string{"truncated.onnx", "not a model that this runtime can load"}},
	} {
		path := filepath.Join(dir, name+".onnx")
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := rt.Load(path, onnx.DefaultConfig())
		wants(t, name, err, c.want...)
	}
	_, err = rt.Load(filepath.Join(dir, "absent.onnx"), onnx.DefaultConfig())
	wants(t, "absent", err, "absent.onnx", "no such file")
	_, err = rt.Load("testdata/open.onnx", onnx.DefaultConfig())
	wants(t, "open", err, "no fixed size", "give the width and height", "x float32[1,3,?]", "y float32[1,3,?]")
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(whole, m); err != nil {
		t.Fatal(err)
	}
	m.Graph.Initializer[0].DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
	apart, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	_, err = rt.LoadBytes("apart", apart, onnx.DefaultConfig())
	wants(t, "further files", err, `its weights, such as "a", are in further files: save it as one file`)
	_, err = rt.Load("testdata/text.onnx", onnx.DefaultConfig())
	wants(t, "text", err, "no tensor of numbers", "x string[3]")
	_, err = rt.Load("testdata/affine.onnx", onnx.Config{})
	wants(t, "threads", err, "threads: 0")
}

func TestMissingLibrary(t *testing.T) {
	t.Setenv(native.ONNXRuntime.Env, filepath.Join(t.TempDir(), "absent.so"))
	_, err := onnx.Open()
	wants(t, "absent file", err, "absent.so", native.ONNXRuntime.Env)
	broken := filepath.Join(t.TempDir(), "broken.so")
	if err := os.WriteFile(broken, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(native.ONNXRuntime.Env, broken)
	_, err = onnx.Open()
	wants(t, "broken", err, "broken.so", "make setup")
}

func TestRealModels(t *testing.T) {
	for _, c := range []struct{ file, input, output, digest string }{
		{"yolox_nano.onnx", "[1,3,416,416]", "[1,3549,85]", "695e750a5d5754bb"},
		{"FastestDet.onnx", "[1,3,352,352]", "[1,85,22,22]", "31cb14c017fce347"},
	} {
		s := load(t, realdata.Need(t, "models", c.file))
		if in, out := s.Inputs()[0].String(), s.Outputs()[0].String(); !strings.HasSuffix(in, c.input) || !strings.HasSuffix(out, c.output) {
			t.Errorf("%s: %s to %s", c.file, in, out)
		}
		if !strings.HasPrefix(s.SHA256().String(), c.digest) {
			t.Errorf("%s: digest %s", c.file, s.SHA256())
		}
	}
}

func wants(t *testing.T, name string, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", name)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%s: %q lacks %q", name, err, p)
		}
	}
}
