package batch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Files finds a file by any of its names. What is one file has one size and one time, by which few others are compared.
type Files map[stamp][]file

type stamp struct{ size, modified int64 }

type file struct {
	name string
	info os.FileInfo
}

func stampOf(info os.FileInfo) stamp { return stamp{info.Size(), info.ModTime().UnixNano()} }

// FilesOf are the files of some names that there are.
func FilesOf(names []string) Files {
	fs := Files{}
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			at := stampOf(info)
			fs[at] = append(fs[at], file{name, info})
		}
	}
	return fs
}

// Name is what the file is called here that a path leads to, through links too; empty when it is none of these.
func (fs Files) Name(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	for _, f := range fs[stampOf(info)] {
		if os.SameFile(f.info, info) {
			return f.name
		}
	}
	return ""
}

// Writable refuses a path to write to where a folder is, and one that other programs take for the terminal.
func Writable(path string) error {
	if path == "-" {
		return errors.New("- is no name of a file: /dev/stdout is what writes to the terminal or a pipe, ./- a file of that name")
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: name a file", path)
	}
	return nil
}

// pathNamed is err with path in place of the name that the file had while it was written.
func pathNamed(err error, path string) error {
	var link *os.LinkError
	if errors.As(err, &link) {
		return &fs.PathError{Op: "write", Path: path, Err: link.Err}
	}
	var at *fs.PathError
	if errors.As(err, &at) && strings.HasPrefix(filepath.Base(at.Path), "."+filepath.Base(path)+".") {
		at.Path = path
	}
	return err
}

// Write puts what fill writes into a file, under a name of its own first, so that the file is whole as soon as it is there. When
// fill fails, whatever was there before stays. A link stays one, to what is written; a device or a pipe is written to as it is. Nothing
// is begun where path is not Writable. Errors name path.
func Write(path string, fill func(io.Writer) error) error {
	if err := Writable(path); err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(fill(f), f.Close())
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return pathNamed(err, path)
	}
	err = fill(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the error that led here says more
		err = pathNamed(err, path)
	}
	return err
}
