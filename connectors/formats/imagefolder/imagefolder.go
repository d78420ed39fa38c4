// Package imagefolder reads images that lie in a folder for each class, as torchvision.datasets.ImageFolder has them, on disk or
// in tar archives.
package imagefolder

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"

	"gleaner/connectors/formats"
)

// File is an image file, still encoded.
type File struct {
	Name string // its path below the root, with slashes: "train/cat/1.jpg"
	Data []byte
}

// archives are the endings of what is read as a tar archive; whether it is compressed is told by its content.
var archives = []string{".tar.gz", ".tgz", ".tar"}

// Files yields the image files at path: below a folder, in the order of their names, or of a tar archive, in its order. A folder may
// hold train, val and test as archives. Images are told by their extension; what is hidden, by a dot before the name of it or of a
// folder, is passed over. Of each file no more than limit+1 bytes are read, so that a file that is too large can be told. The sequence
// ends at its first error.
func Files(root string, limit int64) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		err := files(root, limit, func(f File) bool { return yield(f, nil) })
		if err != nil && !errors.Is(err, errEnough) {
			yield(File{}, err)
		}
	}
}

// errEnough says that whoever reads has had enough.
var errEnough = errors.New("enough")

func files(root string, limit int64, yield func(File) bool) error {
	info, err := os.Stat(root)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return archive(root, "", limit, yield)
	}
	names, err := formats.Images(root)
	if err != nil {
		return err
	}
	for _, name := range names {
		if hidden(name) {
			continue
		}
		data, err := readFile(filepath.Join(root, filepath.FromSlash(name)), limit)
		if err != nil {
			return err
		}
		if !yield(File{name, data}) {
			return errEnough
		}
	}
	for _, split := range splits {
		for _, ext := range archives {
			file := filepath.Join(root, split.folder+ext)
			if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, split.folder)); err == nil {
				break // unpacked beside it
			}
			if err := archive(file, split.folder, limit, yield); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// archive yields the images of a tar archive, under a folder of their own where that is not theirs already.
func archive(file, folder string, limit int64, yield func(File) bool) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	err = untar(f, limit, func(f File) bool {
		if folder != "" && !strings.HasPrefix(f.Name, folder+"/") {
			f.Name = folder + "/" + f.Name
		}
		return yield(f)
	})
	if err != nil && !errors.Is(err, errEnough) {
		return fmt.Errorf("%s: %w", file, err)
	}
	return err
}

func untar(r io.Reader, limit int64, yield func(File) bool) error {
	buffered := bufio.NewReader(r)
	r = buffered
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		if r, err = gzip.NewReader(buffered); err != nil {
			return fmt.Errorf("not gzip: %w", err)
		}
	}
	entries := tar.NewReader(r)
	for {
		h, err := entries.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("no tar archive, or a damaged one: %w", err)
		}
		name := strings.TrimLeft(path.Clean(h.Name), "/")
		if h.Typeflag != tar.TypeReg || !formats.IsImage(name) || hidden(name) {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(entries, limit+1))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !yield(File{name, data}) {
			return errEnough
		}
	}
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") || strings.Contains(name, "/.") }
