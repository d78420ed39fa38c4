package cli

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gleaner/schemas"
)

// TestModelAddHelp: the help names each field of a decode spec.
func TestModelAddHelp(t *testing.T) {
	add, _, err := newRoot("test").Find([]string{"model", "add"})
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []reflect.Type{reflect.TypeFor[schemas.Decode](), reflect.TypeFor[schemas.DecodeInput](), reflect.TypeFor[schemas.DecodeOutputs]()} {
		for _, f := range reflect.VisibleFields(of) {
			if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != "why" && !strings.Contains(add.Long, name) {
				t.Errorf("%s is not there", name)
			}
		}
	}
}

func TestModelCommandLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{`--serve: "a@1": want the name of a dataset`, []string{"add", file, "--serve=a@1"}},
		{`--classes: "a" is there twice`, []string{"add", file, "--classes", "a,a"}},
		{"--metric ap50=high: want name=number", []string{"add", file, "--metric", "ap50=high"}},
		{"--label-space coco: want dataset@version", []string{"add", file, "--label-space", "coco"}},
	} {
		root := newRoot("test")
		root.SetArgs(append([]string{"model"}, c.args...))
		err := root.ExecuteContext(t.Context())
		if usage := (usageError{}); !errors.As(err, &usage) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
	}
}
