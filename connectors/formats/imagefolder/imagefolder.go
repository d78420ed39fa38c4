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
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/connectors/formats"
)

// File is an image file, still encoded.
type File struct {
	Name string // its path below the root, with slashes: "train/cat/1.jpg"
	Data []byte
	Err  error // why a file of a folder cannot be read
}

// archives are the endings of what is read as a tar archive; whether it is compressed is told by its content.
var archives = []string{".tar.gz", ".tgz", ".tar"}

// Files yields the image files at path: below a folder, in the order of their names, or of a tar archive, in its order. A folder may
// hold train, val and test as archives. Images are told by their extension; what is hidden, by a dot before the name of it or of a
// folder, is passed over. Links in an archive are what they lead to, and come last. Of each file no more than limit+1 bytes are read, so that a file that is too large can be told. The sequence
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
		if !yield(File{name, data, err}) {
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
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: the archive ends in the midst of a file: fetch it, or make it, again (%w)", file, err)
	case err != nil && !errors.Is(err, errEnough):
		return fmt.Errorf("%s: %w", file, err)
	}
	return err
}

// untar yields the images that an archive holds, and then, in a second pass, those that are hard or symbolic links to what it holds.
func untar(r io.ReadSeeker, limit int64, yield func(File) bool) error {
	links := map[string]string{} // from their names
	err := entries(r, func(name string, h *tar.Header, data io.Reader) error {
		switch {
		case !formats.IsImage(name) || hidden(name):
		case h.Typeflag == tar.TypeReg:
			return hand(name, data, limit, yield)
		case h.Typeflag == tar.TypeLink:
			links[name] = clean(h.Linkname)
		case h.Typeflag == tar.TypeSymlink && path.IsAbs(h.Linkname):
			links[name] = h.Linkname
		case h.Typeflag == tar.TypeSymlink:
			links[name] = clean(path.Join(path.Dir(name), h.Linkname))
		}
		return nil
	})
	if err != nil || len(links) == 0 {
		return err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("%d of its images are links, for which it has to be read again: %w", len(links), err)
	}
	linked := map[string][]string{} // names of links by what they lead to
	for _, name := range slices.Sorted(maps.Keys(links)) {
		target := links[name]
		for range links {
			further, ok := links[target]
			if !ok {
				break
			}
			target = further
		}
		linked[target] = append(linked[target], name)
	}
	err = entries(r, func(name string, h *tar.Header, data io.Reader) error {
		names := linked[name]
		if h.Typeflag != tar.TypeReg || len(names) == 0 {
			return nil
		}
		delete(linked, name)
		return hand(names[0], data, limit, func(f File) bool {
			for _, f.Name = range names {
				if !yield(f) {
					return false
				}
			}
			return true
		})
	})
	if err != nil || len(linked) == 0 {
		return err
	}
	lost := 0
	for _, names := range linked {
		lost += len(names)
	}
	target := slices.Min(slices.Collect(maps.Keys(linked)))
	return fmt.Errorf("%d of its images, such as %s, are links to what it does not hold, such as %s: pack it with these, or by tar --dereference --hard-dereference", lost, linked[target][0], target)
}

// hand yields an image.
func hand(name string, data io.Reader, limit int64, yield func(File) bool) error {
	read, err := io.ReadAll(io.LimitReader(data, limit+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case !yield(File{Name: name, Data: read}):
		return errEnough
	}
	return nil
}

// entries visits all that an archive holds, from its beginning, under clean names, until there is an error.
func entries(r io.Reader, visit func(name string, h *tar.Header, data io.Reader) error) error {
	buffered := bufio.NewReader(r)
	r = buffered
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		if r, err = gzip.NewReader(buffered); err != nil {
			return fmt.Errorf("not gzip: %w", err)
		}
	}
	archive := tar.NewReader(r)
	for {
		h, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("no tar archive, or a damaged one: %w", err)
		}
		if err := visit(clean(h.Name), h, archive); err != nil {
			return err
		}
	}
}

// clean is a name in an archive as a path below its root.
func clean(name string) string { return strings.TrimLeft(path.Clean(name), "/") }

func hidden(name string) bool { return strings.HasPrefix(name, ".") || strings.Contains(name, "/.") }
