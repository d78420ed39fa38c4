package classify

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/onnx"
	"gleaner/connectors/onnx/onnxpb"
	"gleaner/schemas"
)

// TestExport compares logits of the training graph with those of the exported file on the same inputs. Batch normalizations standardize
// a training batch by itself: with running averages of the last batch alone the file does the same. All samples count for the
// averages, so one pass is compared.
func TestExport(t *testing.T) {
	rt := open(t)
	train := stripes(48, 16, 1)
	for _, name := range Networks() {
		t.Run(name, func(t *testing.T) {
			cfg := small(name)
			cfg.Running, cfg.Epochs = 0, 1
			tr := newTrainer(t, rt, cfg, train, Images{})
			run(t, tr, 0)
			served := serves(t, rt, tr)
			b := tr.prepare(0, order(1, 0, train.Len()), prepared{inputs: make([]float32, tr.slots()*3*16*16), index: make([]int, tr.slots())})
			var rows schemas.Losses
			if _, err := tr.present(b, 0, &rows); err != nil {
				t.Fatal(err)
			}
			logits := slices.Clone(tr.model.Output(tr.logits))
			for i, v := range served(b.inputs) {
				if d := math.Abs(float64(v - logits[i])); !(d <= 1e-5*max(1, math.Abs(float64(v)))) {
					t.Fatalf("logit %d: served %g, in training %g", i, v, logits[i])
				}
			}
		})
	}
}

// serves returns what runs the exported file on batches, loaded when it is called.
func serves(t *testing.T, rt *onnx.Runtime, tr *Trainer) func(inputs []float32) []float32 {
	return func(inputs []float32) []float32 {
		t.Helper()
		file, err := tr.Export()
		if err != nil {
			t.Fatal(err)
		}
		size := 3 * tr.train.Side * tr.train.Side
		s, err := rt.LoadBytes("exported", file, onnx.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if out := s.Outputs(); len(out) != 1 || !slices.Equal(out[0].Shape, []int64{1, int64(len(tr.train.Classes))}) {
			t.Errorf("outputs %v, want logits alone", out)
		}
		var logits []float32
		for i := 0; i < len(inputs); i += size {
			err := s.Run(t.Context(), func(in [][]float32) error { copy(in[0], inputs[i:i+size]); return nil }, func(out [][]float32) error {
				logits = append(logits, out[0]...)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return logits
	}
}

// TestMetadata reads from the file how it is served and what it was trained by.
func TestMetadata(t *testing.T) {
	rt := open(t)
	cfg := small("convnet3")
	cfg.Run.Dataset, cfg.Epochs = "stripes", 1
	cfg.Normalize = &Normalization{Mean: [3]float32{1, 2, 3}, Std: [3]float32{4, 5, 6}}
	tr := newTrainer(t, rt, cfg, stripes(32, 16, 1), stripes(16, 16, 2))
	properties, err := onnx.Metadata(run(t, tr, 0).file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := schemas.ParseModelMetadata(properties)
	if err != nil {
		t.Fatal(err)
	}
	in := m.Decode.Input
	if !slices.Equal(m.Classes, []string{"across", "down", "diagonal"}) || m.Decode.Decoder != "classifier" || in.Width != 16 || in.Mean[1] != 2 || in.Std[2] != 6 {
		t.Errorf("%+v", m)
	}
	if m.Run == nil || m.Run.Dataset != "stripes" || m.Run.Epochs != 1 || m.Run.Rows != 32 || !(m.Run.Metrics["val_accuracy"] > 0) {
		t.Errorf("run %+v", m.Run)
	}
}

// TestImported goes on from an exported classifier: as it is with as many classes, and with another last layer for more.
func TestImported(t *testing.T) {
	rt := open(t)
	train := stripes(60, 16, 1)
	cfg := small("resnet9")
	first := newTrainer(t, rt, cfg, train, Images{})
	file := run(t, first, 0).file
	logits, err := first.Logits(t.Context(), train, Views{})
	if err != nil {
		t.Fatal(err)
	}
	cfg.ONNX, cfg.ONNXClasses, cfg.Normalize = file, train.Classes, &first.normal
	again := newTrainer(t, rt, cfg, train, Images{})
	same, err := again.Logits(t.Context(), train, Views{})
	if err != nil || !slices.Equal(logits, same) {
		t.Errorf("an imported classifier gives other logits: %v", err)
	}
	more := train
	more.Classes = append(slices.Clone(train.Classes), "dots", "plain")
	more.Labels = slices.Clone(train.Labels)
	more.Labels[7] = 4
	r := run(t, newTrainer(t, rt, cfg, more, Images{}), 0)
	last := r.result.Epochs[len(r.result.Epochs)-1]
	if last.Accuracy < 0.8 || r.rows.EmbNorm[0] <= 0 {
		t.Errorf("five classes: %+v, embedding norm %g", last, r.rows.EmbNorm[0])
	}
	if served := serves(t, rt, newTrainer(t, rt, cfg, more, Images{}))(make([]float32, 3*16*16)); len(served) != 5 {
		t.Errorf("%d logits", len(served))
	}
	for _, row := range [][]int64{nil, {1, -1}, {1, 64}} {
		cfg.ONNX = ofOne(t, file, nil, row...)
		one := newTrainer(t, rt, cfg, train, Images{})
		same, err = one.Logits(t.Context(), train, Views{})
		if err != nil || !slices.Equal(logits, same) {
			t.Errorf("a classifier that was exported for one image, reshaped to %v, gives other logits: %v", row, err)
		}
		exported, err := one.Export()
		if err != nil {
			t.Fatal(err)
		}
		var m onnxpb.ModelProto
		if err := proto.Unmarshal(exported, &m); err != nil || len(m.GetGraph().GetValueInfo()) > 0 {
			t.Errorf("the exported file still says shapes of one image: %v, %v", m.GetGraph().GetValueInfo(), err)
		}
	}
	for _, alone := range [][]byte{ofOne(t, file, nil, 2, -1), ofOne(t, file, integer("allowzero", 1), 1, 64)} {
		cfg.ONNX = alone
		if _, err := New(rt, cfg, train, Images{}); err == nil || !strings.Contains(err.Error(), "images [16 3 16 16]") || !strings.Contains(err.Error(), "open batch") {
			t.Errorf("a classifier that takes one image alone: %v", err)
		}
	}
	cfg.Batch = 1 // as it says, where a 0 is a size and so keeps nothing
	if _, err := newTrainer(t, rt, cfg, train, Images{}).Logits(t.Context(), train, Views{}); err != nil {
		t.Errorf("a classifier that takes one image alone does not take one: %v", err)
	}
	cfg.ONNX = file[:len(file)/2]
	if _, err := New(rt, cfg, train, Images{}); err == nil {
		t.Error("half a file was imported")
	}
}

// TestImportedClasses wants the logits of a class that the file names to stay what they were, wherever the class comes to stand, and those
// of any other, or of a file that does not name its outputs, to be drawn anew. What names the classes that were goes.
func TestImportedClasses(t *testing.T) {
	rt := open(t)
	train := stripes(30, 16, 1)
	cfg := small("resnet9")
	first := newTrainer(t, rt, cfg, train, Images{})
	file := run(t, first, 0).file
	before, err := first.Logits(t.Context(), train, Views{})
	if err != nil {
		t.Fatal(err)
	}
	if file, err = onnx.WithMetadata(file, map[string]string{"names": "{0: 'x'}", "author": "somebody"}); err != nil {
		t.Fatal(err)
	}
	cfg.Normalize = &first.normal
	for kind, file := range map[string][]byte{"Gemm": file, "MatMul": asProduct(t, file)} {
		for _, classes := range [][]string{{"diagonal", "across", "down"}, {"plain", "down"}, {"down", "across", "dots", "diagonal"}} {
			for _, known := range [][]string{train.Classes, nil} {
				im := train
				im.Classes, im.Labels = classes, make([]int, train.Len())
				cfg.ONNX, cfg.ONNXClasses = file, known
				tr := newTrainer(t, rt, cfg, im, Images{})
				after, err := tr.Logits(t.Context(), train, Views{})
				if err != nil {
					t.Fatal(err)
				}
				for c, class := range classes {
					was, same := slices.Index(train.Classes, class), true
					for i := range train.Len() {
						same = same && was >= 0 && math.Abs(float64(after[i*len(classes)+c]-before[i*3+was])) < 1e-4
					}
					if want := slices.Contains(cfg.KeptClasses(classes), class); same != want || want != slices.Contains(known, class) {
						t.Errorf("%s, outputs known as %v: logits of %s among %v as before: %t", kind, known, class, classes, same)
					}
				}
				exported, err := tr.Export()
				if err != nil {
					t.Fatal(err)
				}
				if has, err := onnx.Metadata(exported); err != nil || has["names"] != "" || has["author"] != "somebody" {
					t.Errorf("metadata %v, %v", has, err)
				}
			}
		}
	}
	cfg.ONNX, cfg.ONNXClasses = file, []string{"across", "down"}
	if _, err := New(rt, cfg, train, Images{}); err == nil || !strings.Contains(err.Error(), "2 outputs are named, and its last layer has 3") {
		t.Errorf("two names for three outputs: %v", err)
	}
}

// asProduct is a file whose last layer is a MatMul and an Add in place of a Gemm.
func asProduct(t *testing.T, file []byte) []byte {
	t.Helper()
	var m onnxpb.ModelProto
	if err := proto.Unmarshal(file, &m); err != nil {
		t.Fatal(err)
	}
	g := importedGraph{m.GetGraph()}
	gemm := g.maker(logitsName)
	weight := g.initializer(gemm.GetInput()[1])
	x, rows, columns := floatsOf(weight), int(weight.GetDims()[0]), int(weight.GetDims()[1])
	turned := make([]float32, len(x))
	for i, v := range x {
		turned[i%columns*rows+i/columns] = v
	}
	become(weight, floats(weight.GetName(), turned, columns, rows))
	g.Node = append(g.Node, &onnxpb.NodeProto{OpType: proto.String("Add"), Input: []string{gemm.GetInput()[2], "product"}, Output: []string{logitsName}})
	become(gemm, &onnxpb.NodeProto{OpType: proto.String("MatMul"), Input: gemm.GetInput()[:2], Output: []string{"product"}})
	data, err := proto.Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// ofOne is a ResNet-9 as it is exported for one image: every shape says so, and it makes a row of the pooled maps by what the graph sees
// of the batch, as PyTorch writes x.view(x.size(0), -1), or by a constant, of a reshape that may have an attribute.
func ofOne(t *testing.T, file []byte, attribute *onnxpb.AttributeProto, constant ...int64) []byte {
	t.Helper()
	var m onnxpb.ModelProto
	if err := proto.Unmarshal(file, &m); err != nil {
		t.Fatal(err)
	}
	g := m.GetGraph()
	at := slices.IndexFunc(g.GetNode(), func(n *onnxpb.NodeProto) bool { return n.GetOpType() == "Flatten" })
	pooled, row := g.Node[at].Input[0], g.Node[at].Output[0]
	node := func(operator, output string, inputs ...string) *onnxpb.NodeProto {
		return &onnxpb.NodeProto{OpType: proto.String(operator), Output: []string{output}, Input: inputs}
	}
	concat := node("Concat", "to", "samples", "rest")
	concat.Attribute = []*onnxpb.AttributeProto{integer("axis", 0)}
	view := []*onnxpb.NodeProto{node("Shape", "shape", pooled), node("Gather", "samples", "shape", "first"), concat, node("Reshape", row, pooled, "to")}
	if constant != nil {
		view = []*onnxpb.NodeProto{node("Reshape", row, pooled, "row")}
	}
	if attribute != nil {
		view[0].Attribute = []*onnxpb.AttributeProto{attribute}
	}
	g.Node = slices.Replace(g.Node, at, at+1, view...)
	for name, x := range map[string][]int64{"first": {0}, "rest": {-1}, "row": constant} {
		g.Initializer = append(g.Initializer, &onnxpb.TensorProto{
			Name: proto.String(name), DataType: proto.Int32(int32(onnxpb.TensorProto_INT64)), Dims: []int64{int64(len(x))}, Int64Data: x,
		})
	}
	g.ValueInfo = append(g.ValueInfo, declared(pooled, 64, 1, 1))
	for _, v := range slices.Concat(g.GetInput(), g.GetOutput(), g.GetValueInfo()) {
		v.GetType().GetTensorType().GetShape().Dim[0].Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: 1}
	}
	data, err := proto.Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestBGR shows a network that takes blue, green and red what it knows as red, green and blue, by images whose channels are exchanged: its
// inputs are the same, and the file says the order.
func TestBGR(t *testing.T) {
	rt := open(t)
	train := stripes(32, 16, 1)
	cfg := small("airbench")
	cfg.Epochs, cfg.Augment = 1, Augment{Flip: "none"}
	normal := train.Measure()
	cfg.Normalize = &normal
	want := run(t, newTrainer(t, rt, cfg, train, Images{}), 0)
	exchanged := train
	exchanged.Pixels = slices.Clone(train.Pixels)
	const plane = 16 * 16
	for i := range train.Len() {
		copy(exchanged.image(i)[:plane], train.image(i)[2*plane:])
		copy(exchanged.image(i)[2*plane:], train.image(i)[:plane])
	}
	bgr := normal
	bgr.BGR = true
	cfg.Normalize = &bgr
	got := run(t, newTrainer(t, rt, cfg, exchanged, Images{}), 0)
	if !slices.Equal(got.rows.Loss, want.rows.Loss) {
		t.Error("a network that takes BGR sees other inputs")
	}
	properties, err := onnx.Metadata(got.file)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := schemas.ParseModelMetadata(properties); err != nil || m.Decode.Input.Channels != schemas.ChannelsBGR {
		t.Errorf("channels %q, %v", m.Decode.Input.Channels, err)
	}
}

// TestPatience stops when held-out accuracy does not rise any more, and ends with the best weights.
func TestPatience(t *testing.T) {
	rt := open(t)
	cfg := small("convnet3")
	cfg.Epochs, cfg.Patience = 50, 2
	held := stripes(30, 16, 2)
	tr := newTrainer(t, rt, cfg, stripes(60, 16, 1), held)
	r := run(t, tr, 0).result
	if done := len(r.Epochs); !r.Stopped || done >= 50 || r.Best != done-3 || r.Run.Metrics["val_accuracy"] != r.Epochs[r.Best].Held || r.Run.Metrics["train_loss"] != r.Epochs[r.Best].Loss {
		t.Errorf("%+v", r)
	}
	if now, err := tr.Evaluate(context.Background(), held, Views{}); err != nil || now != r.Epochs[r.Best].Held {
		t.Errorf("accuracy of the best weights %g, %v", now, err)
	}
}

// TestDiverged wants a loss that is no finite number left out of what is written, and told of unless patience kept weights from before;
// a checkpoint knows of it too.
func TestDiverged(t *testing.T) {
	rt := open(t)
	cfg := small("convnet3")
	cfg.Patience = 2
	train, held := stripes(32, 16, 1), stripes(16, 16, 2)
	tr := newTrainer(t, rt, cfg, train, held)
	run(t, tr, 0)
	tr.best.Loss, tr.best.Accuracy = math.Inf(1), 0.5
	for diverged, want := range map[int]int{0: 0, tr.bestAt + 1: tr.bestAt + 1, tr.bestAt + 2: 0} {
		tr.diverged = diverged
		r, err := tr.end(t.Context(), Result{})
		if _, ok := r.Run.Metrics["train_loss"]; err != nil || ok || r.Run.Metrics["train_accuracy"] != 0.5 || r.Diverged != want {
			t.Errorf("diverged in epoch %d, the best is %d: %+v, %v", diverged, r.Best+1, r, err)
		}
	}
	tr.diverged = 2
	checkpoint, err := tr.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	again := newTrainer(t, rt, cfg, train, held)
	if err := again.Restore(checkpoint); err != nil || again.diverged != 2 || again.best != tr.best {
		t.Errorf("diverged in epoch %d after a checkpoint, the best %+v, %v", again.diverged, again.best, err)
	}
}

// hostile are files of two nodes, a last layer and what passes its output on, that are not what they say.
func hostile() map[string][]byte {
	made := func(in string, dims ...int64) []byte {
		weight := floats("w", make([]float32, 6))
		weight.Dims = dims
		m := &onnxpb.ModelProto{Graph: &onnxpb.GraphProto{
			Input:  []*onnxpb.ValueInfoProto{declared("x", 3, 8, 8)},
			Output: []*onnxpb.ValueInfoProto{declared("y", 3)},
			Node: []*onnxpb.NodeProto{
				{OpType: proto.String("MatMul"), Input: []string{"x", "w"}, Output: []string{"h"}},
				{OpType: proto.String("Softmax"), Input: []string{in}, Output: []string{"y"}},
			},
			Initializer: []*onnxpb.TensorProto{weight},
		}}
		data, _ := proto.Marshal(m) // which nothing in it can fail
		return data
	}
	return map[string][]byte{
		"negative": made("h", -2, -3), "huge": made("h", 1<<40, 3), "wrapped": made("h", 1<<62, 4), "none": made("h", 0, 6), "loop": made("y", 2, 3),
	}
}

// TestAdoptRefuses wants files refused whose last layer is of other sizes than its numbers, or is never reached.
func TestAdoptRefuses(t *testing.T) {
	for name, file := range hostile() {
		want := "the weights"
		if name == "loop" {
			want = "its own output"
		}
		if _, _, err := adopt(file, nil, 8, make([]string, 5), 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// FuzzAdopt wants no panic, and a last layer of so many classes where there is no error.
func FuzzAdopt(f *testing.F) {
	n, err := networkNamed("resnet9")
	if err != nil {
		f.Fatal(err)
	}
	im := stripes(3, 8, 1)
	file, err := n.write(Config{Width: 1}, im, im.Measure())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file, 3)
	f.Add(file, 5)
	for _, file := range hostile() {
		f.Add(file, 5)
	}
	f.Fuzz(func(t *testing.T, data []byte, classes int) {
		classes = max(min(classes, 10), 2)
		out, e, err := adopt(data, nil, 8, make([]string, classes), 1)
		if err != nil {
			return
		}
		if again, e2, err := adopt(out, nil, 8, make([]string, classes), 1); err != nil || e != e2 || !slices.Equal(out, again) {
			t.Errorf("what was adopted is adopted as another: %+v, %+v, %v", e, e2, err)
		}
	})
}
