package onnx_test

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"testing"

	"gleaner/connectors/onnx"
)

func TestMetadata(t *testing.T) {
	data, err := os.ReadFile("testdata/affine.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := onnx.Metadata(data); err != nil || len(got) > 0 {
		t.Fatalf("%v, %v, want none", got, err)
	}
	first, err := onnx.WithMetadata(data, map[string]string{"a": "1", "b": "2"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := onnx.WithMetadata(first, map[string]string{"b": "3", "c": ""})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := onnx.Metadata(second); err != nil || !maps.Equal(got, map[string]string{"a": "1", "b": "3", "c": ""}) {
		t.Errorf("%v, %v", got, err)
	}
	if !bytes.HasPrefix(second, data) {
		t.Error("something else changed")
	}
	rt := open(t)
	s, err := rt.LoadBytes("affine", second, onnx.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	for _, none := range [][]byte{nil, data[:len(data)-1], []byte("# Readme\n")} {
		if _, err := onnx.Metadata(none); err == nil {
			t.Errorf("%d bytes that are no model were read", len(none))
		}
	}
}

// FuzzMetadata wants no panic, and that what is put into a file that can be read is there afterwards.
func FuzzMetadata(f *testing.F) {
	for _, name := range []string{"affine", "rows"} {
		data, err := os.ReadFile("testdata/" + name + ".onnx")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "key", "value")
	}
	f.Fuzz(func(t *testing.T, data []byte, key, value string) {
		before, err := onnx.Metadata(data)
		if err != nil {
			return
		}
		more, err := onnx.WithMetadata(data, map[string]string{key: value})
		if err != nil {
			return // text that is no UTF-8
		}
		before[key] = value
		if after, err := onnx.Metadata(more); err != nil || !maps.Equal(before, after) {
			t.Errorf("%v, %v, want %v", after, err, before)
		}
	})
}

// TestWithBatch serves several samples at once by a file that leaves their number open.
func TestWithBatch(t *testing.T) {
	rt, err := onnx.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	file, err := onnx.WithBatch(graph(t, []int64{0, 2}, []string{"x"}, []string{"y"}, nil, "Neg: x > y"), 3)
	if err != nil {
		t.Fatal(err)
	}
	s, err := rt.LoadBytes("m", file, onnx.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, spec := range slices.Concat(s.Inputs(), s.Outputs()) {
		if !slices.Equal(spec.Shape, []int64{3, 2}) {
			t.Errorf("%s, want [3 2]", spec)
		}
	}
	if _, err := onnx.WithBatch([]byte("<html>"), 3); err == nil {
		t.Error("what is no model was given a batch")
	}
}
