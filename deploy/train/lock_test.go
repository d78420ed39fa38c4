package train_test

import (
	"os"
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

// TestLockKeeps keeps files that only have the name of a lock: what the training itself wrote there, and what was there before.
func TestLockKeeps(t *testing.T) {
	dir := t.TempDir()
	out, checkpoint := filepath.Join(dir, "model.lock"), filepath.Join(dir, "model")
	unlock, err := train.Lock(out, checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	write(t, []byte("a model"), dir, "new")
	if err := os.Rename(filepath.Join(dir, "new"), out); err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if _, err := train.Lock(checkpoint); err == nil || !strings.Contains(err.Error(), out+" is no lock") {
		t.Errorf("%v, want that the model is no lock", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || !slices.Equal(left, []string{out}) {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestCheckPaths refuses two names of one file, also through a link.
func TestCheckPaths(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(".", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	if err := train.CheckPaths(out, "", "", out+".checkpoint"); err != nil {
		t.Error(err)
	}
	if err := train.CheckPaths(out, "", filepath.Join(dir, "link", "out")); err == nil || !strings.Contains(err.Error(), "link/out is to be two files") {
		t.Errorf("%v, want that these are one file", err)
	}
}
