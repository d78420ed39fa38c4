package batch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"
)

func create(path string, data []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// TestFailedWrite leaves what was there.
func TestFailedWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	if err := create(path, []byte("before")); err != nil {
		t.Fatal(err)
	}
	why := errors.New("half way")
	err := Write(path, func(w io.Writer) error {
		fmt.Fprint(w, "af")
		return why
	})
	data, read := os.ReadFile(path)
	if !errors.Is(err, why) || read != nil || string(data) != "before" {
		t.Errorf("%v; the file holds %q, %v", err, data, read)
	}
	if got := listing(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("files %v, want one", got)
	}
	t.Chdir(filepath.Dir(path))
	for _, bad := range []string{filepath.Join(path, "in-a-file"), "x.json/in-a-file", "none/x.json"} {
		if err := create(bad, nil); err == nil || !strings.Contains(err.Error(), bad+":") {
			t.Errorf("%v, want an error with the name that was given", err)
		}
	}
	err = Write(filepath.Dir(path), func(io.Writer) error {
		t.Error("work was done for a folder")
		return nil
	})
	if err == nil {
		t.Error("a folder was written to")
	}
}

func listing(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// TestWriteLeavesWhatIsThere: a link stays one, to what was written, and what is no regular file is written to and not replaced.
func TestWriteLeavesWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	file, link, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(file, []byte("old"), 0o600), os.Symlink("file", link), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := create(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "new" {
		t.Errorf("behind the link is %q, %v", text, err)
	}
	read := make(chan string)
	go func() {
		text, err := os.ReadFile(pipe)
		if err != nil {
			text = []byte(err.Error())
		}
		read <- string(text)
	}()
	if err := create(pipe, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if text := <-read; text != "new" {
		t.Errorf("out of the pipe came %q", text)
	}
	if info, err := os.Stat(pipe); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the pipe is %v, %v", info.Mode(), err)
	}
}

// TestWriteNoTerminal: what other programs take for the terminal does not become a file of that name.
func TestWriteNoTerminal(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := create("-", []byte("new")); err == nil || !strings.Contains(err.Error(), "/dev/stdout") {
		t.Errorf("%v", err)
	}
	if files, err := os.ReadDir("."); err != nil || len(files) > 0 {
		t.Errorf("%v, %v", files, err)
	}
	if err := create("./-", []byte("new")); err != nil {
		t.Error(err)
	}
}

// TestConcurrentWriters lets many write one file, as several processes do.
func TestConcurrentWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.png")
	var group errgroup.Group
	for i := range 16 {
		group.Go(func() error {
			for range 20 {
				data := bytes.Repeat([]byte{byte(i)}, 1<<16+i)
				if err := create(path, data); err != nil {
					return err
				}
				got, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				if n := len(got) - 1<<16; n < 0 || bytes.Count(got, []byte{byte(n)}) != len(got) {
					return fmt.Errorf("the file has %d bytes of several writers", len(got))
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o644 {
		t.Errorf("%v, %v, want what others can read", info, err)
	}
	if err := create(filepath.Dir(path), nil); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if got := listing(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("files %v, want one", got)
	}
}
