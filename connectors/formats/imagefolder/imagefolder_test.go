package imagefolder

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/schemas"
)

// tarOf is an archive of files that hold their own names.
func tarOf(t testing.TB, compressed bool, names ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	if !compressed {
		w = tar.NewWriter(&out)
	}
	for _, name := range names {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(name))}); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, name)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if compressed {
		if err := zip.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func put(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func all(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for f, err := range Files(root, 100) {
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(f.Data)
	}
	return out
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"cat/1.jpg", "dog/a/2.PNG", "dog/notes.txt", ".git/3.jpg", "dog/._2.png"} {
		put(t, filepath.Join(dir, "plain", name), []byte(name))
	}
	if got, want := all(t, filepath.Join(dir, "plain")), map[string]string{"cat/1.jpg": "cat/1.jpg", "dog/a/2.PNG": "dog/a/2.PNG"}; !maps.Equal(got, want) {
		t.Errorf("a folder gives %v", got)
	}
	for _, compressed := range []bool{false, true} {
		path := put(t, filepath.Join(dir, "x.tar"), tarOf(t, compressed, "./train/cat/1.jpg", "train/notes.txt", "__MACOSX/._1.jpg"))
		if got := all(t, path); len(got) != 1 || got["train/cat/1.jpg"] != "./train/cat/1.jpg" {
			t.Errorf("an archive, compressed %v, gives %v", compressed, got)
		}
	}
	put(t, filepath.Join(dir, "packed", "train.tar.gz"), tarOf(t, true, "train/cat/1.jpg"))
	put(t, filepath.Join(dir, "packed", "test.tar"), tarOf(t, false, "cat/2.jpg"))
	put(t, filepath.Join(dir, "packed", "other.tar"), tarOf(t, false, "cat/3.jpg"))
	if got := slices.Sorted(maps.Keys(all(t, filepath.Join(dir, "packed")))); !slices.Equal(got, []string{"test/cat/2.jpg", "train/cat/1.jpg"}) {
		t.Errorf("a folder of archives gives %v", got)
	}
	for f, err := range Files(put(t, filepath.Join(dir, "large.tar"), tarOf(t, false, "cat/"+strings.Repeat("x", 90)+".jpg")), 10) {
		if err != nil || len(f.Data) != 11 {
			t.Errorf("%d bytes, %v, want one more than the limit", len(f.Data), err)
		}
	}
	for _, err := range Files(filepath.Join(dir, "packed"), 100) {
		if err != nil {
			t.Error(err)
		}
		break // ends without another word
	}
	half := tarOf(t, true, "cat/1.jpg", "cat/2.jpg")
	for want, root := range map[string]string{
		"absent": filepath.Join(dir, "absent"), "ends in the midst of a file": put(t, filepath.Join(dir, "half.tgz"), half[:len(half)/2]),
		"no tar archive": put(t, filepath.Join(dir, "text.tar"), bytes.Repeat([]byte("no archive"), 100)),
	} {
		var failed error
		for _, err := range Files(root, 100) {
			failed = err
		}
		if failed == nil || !strings.Contains(failed.Error(), want) {
			t.Errorf("%s: %v, want an error about %q", root, failed, want)
		}
	}
}

// TestLinks wants links in an archive to be the files that it holds and they lead to, wherever these are in it, and others told.
func TestLinks(t *testing.T) {
	pack := func(links ...*tar.Header) string {
		t.Helper()
		var out bytes.Buffer
		zip := gzip.NewWriter(&out)
		w := tar.NewWriter(zip)
		for _, h := range append(links, &tar.Header{Name: "./store/ab12", Size: 5}, &tar.Header{Name: "cat/1.jpg", Size: 5}) {
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
			if h.Size > 0 {
				fmt.Fprint(w, h.Name[:5])
			}
		}
		if err := errors.Join(w.Close(), zip.Close()); err != nil {
			t.Fatal(err)
		}
		return put(t, filepath.Join(t.TempDir(), "x.tgz"), out.Bytes())
	}
	link := func(kind byte, name, to string) *tar.Header {
		return &tar.Header{Typeflag: kind, Name: name, Linkname: to}
	}
	got := all(t, pack(
		link(tar.TypeLink, "dog/2.jpg", "./cat/1.jpg"), link(tar.TypeSymlink, "dog/3.jpg", "../store/ab12"), link(tar.TypeSymlink, "dog/4.jpg", "3.jpg"),
		link(tar.TypeLink, "dog/notes.txt", "cat/1.jpg"), link(tar.TypeLink, ".git/5.jpg", "cat/1.jpg"),
	))
	want := map[string]string{"cat/1.jpg": "cat/1", "dog/2.jpg": "cat/1", "dog/3.jpg": "./sto", "dog/4.jpg": "./sto"}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, lost := range []*tar.Header{
		link(tar.TypeLink, "dog/2.jpg", "cat/9.jpg"), link(tar.TypeSymlink, "dog/2.jpg", "/cat/1.jpg"), link(tar.TypeSymlink, "dog/2.jpg", "2.jpg"),
	} {
		var failed error
		for _, err := range Files(pack(lost), 100) {
			failed = err
		}
		if failed == nil || !strings.Contains(failed.Error(), "1 of its images, such as dog/2.jpg, are links to what it does not hold, such as "+map[string]string{"2.jpg": "dog/2.jpg"}[lost.Linkname]) {
			t.Errorf("%s: %v", lost.Linkname, failed)
		}
	}
}

func TestArrange(t *testing.T) {
	train, val, test := schemas.SplitTrain, schemas.SplitVal, schemas.SplitTest
	for _, c := range []struct {
		names   []string
		classes string
		class   []int
		split   []schemas.Split
	}{
		{[]string{"dog/1.jpg", "cat/1.jpg", "cat/x/2.jpg"}, "cat dog", []int{1, 0, 0}, nil},
		{[]string{"flowers/rose/1.jpg", "flowers/daisy/1.jpg"}, "daisy rose", []int{1, 0}, nil},
		{[]string{"train/a/1.jpg", "train/b/1.jpg"}, "a b", []int{0, 1}, nil},
		{[]string{"x/train/a/1.jpg", "x/train/b/1.jpg", "x/test/b/1.jpg", "x/val/a/1.jpg"}, "a b", []int{0, 1, 1, 0}, []schemas.Split{train, train, test, val}},
		{[]string{"train/1.jpg", "freight/1.jpg"}, "freight train", []int{1, 0}, nil},
		{[]string{"val/1.jpg", "test/1.jpg"}, "test val", []int{1, 0}, nil},
	} {
		a, err := Arrange(c.names)
		if err != nil || strings.Join(a.Classes, " ") != c.classes || !slices.Equal(a.Class, c.class) || !slices.Equal(a.Split, c.split) {
			t.Errorf("%v: %+v, %v", c.names, a, err)
		}
	}
	for want, names := range map[string][]string{
		"no images":                      nil,
		"x.jpg lies in no folder":        {"x.jpg", "a/1.jpg", "b/1.jpg"},
		"a/1.jpg is there twice":         {"a/1.jpg", "b/1.jpg", "a/1.jpg"},
		"one class, a, is all":           {"a/1.jpg", "a/2.jpg"},
		"test/c/1.jpg is of class c, of": {"train/a/1.jpg", "train/b/1.jpg", "test/c/1.jpg"},
	} {
		if _, err := Arrange(names); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", names, err, want)
		}
	}
}

// FuzzFiles reads any bytes as an archive, and arranges what any names say.
func FuzzFiles(f *testing.F) {
	f.Add(tarOf(f, false, "a/1.jpg", "train/b/2.png"))
	f.Add(tarOf(f, true, "a/1.jpg", "b/2.png"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var names []string
		_ = untar(bytes.NewReader(data), 64, func(f File) bool { // errors are for people
			if len(f.Data) > 65 || hidden(f.Name) {
				t.Fatalf("%q of %d bytes", f.Name, len(f.Data))
			}
			names = append(names, f.Name)
			return len(names) < 1000
		})
		a, err := Arrange(names)
		if err != nil {
			return
		}
		if len(a.Class) != len(names) || len(a.Classes) < 2 || a.Split != nil && len(a.Split) != len(names) {
			t.Errorf("%v: %+v", names, a)
		}
	})
}
