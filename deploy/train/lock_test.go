package train_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/deploy/train"
)

// TestLock refuses a second training of a file until the first one lets go.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.onnx")
	unlock, err := train.Lock(path, "", path+".checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Lock("", path+".checkpoint"); err == nil || !strings.Contains(err.Error(), path+".checkpoint is being written by another training") {
		t.Errorf("%v, want that another training writes it", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if unlock, err = train.Lock(path); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(path + "*"); err != nil || !slices.Equal(left, []string{path + ".lock"}) {
		t.Errorf("beside the file: %v, %v", left, err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}
