package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
