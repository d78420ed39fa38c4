package onnx_test

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx"
	"gleaner/connectors/onnx/onnxpb"
)

// graph writes a model of nodes "operator: inputs > output" on float32 tensors of one shape, and constants of one element.
func graph(t *testing.T, dims []int64, inputs, outputs []string, constants map[string]float32, nodes ...string) []byte {
	t.Helper()
	declare := func(name string) *onnxpb.ValueInfoProto {
		shape := &onnxpb.TensorShapeProto{}
		for _, d := range dims {
			shape.Dim = append(shape.Dim, &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}})
		}
		return &onnxpb.ValueInfoProto{Name: proto.String(name), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
			TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(1), Shape: shape},
		}}}
	}
	g := &onnxpb.GraphProto{Name: proto.String("g")}
	for _, name := range inputs {
		g.Input = append(g.Input, declare(name))
	}
	for _, name := range outputs {
		g.Output = append(g.Output, declare(name))
	}
	for name, x := range constants {
		g.Initializer = append(g.Initializer, &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(1), Dims: []int64{1}, FloatData: []float32{x}})
	}
	for _, n := range nodes {
		operator, rest, _ := strings.Cut(n, ": ")
		in, out, _ := strings.Cut(rest, " > ")
		g.Node = append(g.Node, &onnxpb.NodeProto{OpType: proto.String(operator), Input: strings.Fields(in), Output: []string{out}})
	}
	data, err := proto.Marshal(&onnxpb.ModelProto{
		IrVersion: proto.Int64(8), Graph: g, OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func floats(t *testing.T, l *onnx.Loop, name string) []float32 {
	t.Helper()
	x, err := onnx.LoopData[float32](l, name)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func loop(t *testing.T, graphs ...onnx.LoopGraph) *onnx.Loop {
	t.Helper()
	l, err := open(t).LoadLoop(onnx.DefaultConfig(), graphs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// TestLoop counts with two graphs that share tensors: one adds a step to a sum, the other the sum to a total.
func TestLoop(t *testing.T) {
	dims := []int64{3}
	add := onnx.LoopGraph{
		Name: "add", Carry: map[string]string{"sum_next": "sum"},
		Model: graph(t, dims, []string{"sum", "step"}, []string{"sum_next", "twice"}, nil, "Add: sum step > sum_next", "Add: sum sum > twice"),
	}
	use := onnx.LoopGraph{
		Name: "use", Carry: map[string]string{"total_next": "total"},
		Model: graph(t, dims, []string{"total", "sum"}, []string{"total_next"}, nil, "Add: total sum > total_next"),
	}
	l := loop(t, add, use)
	copy(floats(t, l, "step"), []float32{1, 10, 100})
	sum, total := float32(0), float32(0)
	for i := range 20 {
		if err := l.Run(0); err != nil {
			t.Fatal(err)
		}
		if twice := floats(t, l, "twice")[0]; twice != 2*sum {
			t.Fatalf("run %d: twice the sum is %g, want %g", i, twice, 2*sum)
		}
		sum++
		if i%3 == 0 {
			if err := l.Run(1); err != nil {
				t.Fatal(err)
			}
			total += sum
		}
		if got := floats(t, l, "sum"); !slices.Equal(got, []float32{sum, 10 * sum, 100 * sum}) {
			t.Fatalf("run %d: sum %v, want %g", i, got, sum)
		}
		if got := floats(t, l, "total")[2]; got != 100*total {
			t.Fatalf("run %d: total %g, want %g", i, got, 100*total)
		}
	}
	if _, err := onnx.LoopData[int64](l, "sum"); err == nil {
		t.Error("float32 read as int64")
	}
	if _, err := onnx.LoopData[float32](l, "none"); err == nil {
		t.Error("a tensor that is not there was read")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Run(0); !errors.Is(err, onnx.ErrClosed) {
		t.Errorf("%v after Close", err)
	}
}

// TestLoopUnderCollection keeps the collector running, and its memory in use, while the runtime writes to the tensors.
func TestLoopUnderCollection(t *testing.T) {
	const n, runs = 1 << 16, 300
	l := loop(t, onnx.LoopGraph{
		Name: "count", Carry: map[string]string{"next": "x"},
		Model: graph(t, []int64{n}, []string{"x"}, []string{"next"}, map[string]float32{"one": 1}, "Add: x one > next"),
	})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var held [][]float32
		for {
			select {
			case <-stop:
				return
			default:
				garbage := make([]float32, n) // where a tensor that was freed would be
				for i := range garbage {
					garbage[i] = -1
				}
				held = append(held, garbage)
				if len(held) > 8 {
					held = nil
				}
				runtime.GC()
			}
		}
	}()
	for range runs {
		if err := l.Run(0); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	<-done
	for i, x := range floats(t, l, "x") {
		if x != runs {
			t.Fatalf("%g at %d after %d runs", x, i, runs)
		}
	}
}

func TestLoopRefusals(t *testing.T) {
	inputs, outputs := []string{"x"}, []string{"y"}
	relu := graph(t, []int64{2}, inputs, outputs, nil, "Relu: x > y")
	for name, c := range map[string]struct {
		graphs []onnx.LoopGraph
		want   string
	}{
		"corrupt":        {[]onnx.LoopGraph{{Name: "g", Model: []byte("<html>")}}, "graph g"},
		"no such input":  {[]onnx.LoopGraph{{Name: "g", Model: relu, Carry: map[string]string{"y": "z"}}}, "cannot be carried to z"},
		"carried twice":  {[]onnx.LoopGraph{{Name: "g", Model: relu, Carry: map[string]string{"y": "x"}}, {Name: "h", Model: relu, Carry: map[string]string{"y": "x"}}}, "carried to twice"},
		"other shape":    {[]onnx.LoopGraph{{Name: "g", Model: relu}, {Name: "h", Model: graph(t, []int64{3}, inputs, outputs, nil, "Relu: x > y")}}, "in another graph"},
		"no dimension":   {[]onnx.LoopGraph{{Name: "g", Model: graph(t, nil, inputs, outputs, nil, "Relu: x > y")}}, "no fixed shape"},
		"open dimension": {[]onnx.LoopGraph{{Name: "g", Model: graph(t, []int64{-1}, inputs, outputs, nil, "Relu: x > y")}}, "no fixed shape"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := open(t).LoadLoop(onnx.DefaultConfig(), c.graphs...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestTrace describes tensors without a dimension too, and those whose numbers are not asked for.
func TestTrace(t *testing.T) {
	var m onnxpb.ModelProto
	model := graph(t, []int64{2, 3}, []string{"x"}, []string{"y"}, map[string]float32{"one": 1}, "Add: x one > y", "ReduceSum: y > total", "Shape: y > shape")
	if err := proto.Unmarshal(model, &m); err != nil {
		t.Fatal(err)
	}
	m.Graph.Node[1].Attribute = []*onnxpb.AttributeProto{{Name: proto.String("keepdims"), Type: onnxpb.AttributeProto_INT.Enum(), I: proto.Int64(0)}}
	traced, err := open(t).Trace(&m, []string{"y", "total", "shape"}, func(name string) bool { return name != "y" })
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []*onnxpb.TensorProto{
		{Name: proto.String("y"), DataType: proto.Int32(1), Dims: []int64{2, 3}},
		{Name: proto.String("total"), DataType: proto.Int32(1), RawData: []byte{0, 0, 0xc0, 0x40}},
		{Name: proto.String("shape"), DataType: proto.Int32(7), Dims: []int64{2}, RawData: []byte{2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0}},
	} {
		if !proto.Equal(traced[i], want) {
			t.Errorf("%v, want %v", traced[i], want)
		}
	}
}
