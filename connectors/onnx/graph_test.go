package onnx

import (
	"os"
	"slices"
	"testing"
)

func TestParseGraph(t *testing.T) {
	data, err := os.ReadFile("testdata/detector.onnx")
	if err != nil {
		t.Fatal(err)
	}
	g, err := parseGraph(data)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(g.inputs, []string{"x"}) || !slices.Equal(g.outputs, []string{"y"}) || len(g.nodes) != 15 || len(g.initializers) != 8 {
		t.Errorf("%d nodes, %d initializers, inputs %v, outputs %v", len(g.nodes), len(g.initializers), g.inputs, g.outputs)
	}
	n := g.nodes[2]
	if n.operator != "Conv" || !slices.Equal(n.inputs, []string{"c3", "w_c5_linear"}) || !slices.Equal(n.outputs, []string{"c5_linear"}) {
		t.Errorf("third node %+v", n)
	}
	if read := g.read(); !read["c5"] || !read["stem_p5"] || read["head_p5"] || read["rows_c3"] {
		t.Errorf("read by layers with weights: %v", read)
	}
}

// FuzzParseGraph wants no panic, and that a graph with further outputs is the same graph with these.
func FuzzParseGraph(f *testing.F) {
	for _, name := range []string{"affine", "detector", "rows"} {
		data, err := os.ReadFile("testdata/" + name + ".onnx")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "c5")
	}
	f.Fuzz(func(t *testing.T, data []byte, tensor string) {
		g, err := parseGraph(data)
		if err != nil {
			return
		}
		g.fromImage()
		g.read()
		more, err := parseGraph(withOutputs(data, tensor, "other"))
		if err != nil {
			t.Fatal(err)
		}
		if want := append(slices.Clone(g.outputs), tensor, "other"); !slices.Equal(more.outputs, want) || len(more.nodes) != len(g.nodes) {
			t.Errorf("outputs %q, want %q", more.outputs, want)
		}
	})
}
