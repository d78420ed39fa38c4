package blob_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gleaner/connectors/blob"
)

func open(t *testing.T, url string) blob.Store {
	t.Helper()
	s, err := blob.Open(t.Context(), blob.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// racers and keys of the race between processes.
const (
	racers = 4
	races  = 150
)

// TestPutNewAmongProcesses lets processes create the same keys at once: each key has one creator, and all see its value.
func TestPutNewAmongProcesses(t *testing.T) {
	if dir := os.Getenv("BLOB_RACE_DIR"); dir != "" {
		race(t, dir, os.Getenv("BLOB_RACE_NAME"))
		return
	}
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	outs := make([]bytes.Buffer, racers)
	cmds := make([]*exec.Cmd, racers)
	for i := range cmds {
		cmds[i] = exec.Command(exe, "-test.run=^TestPutNewAmongProcesses$", "-test.v")
		cmds[i].Env = append(os.Environ(), "BLOB_RACE_DIR="+dir, fmt.Sprintf("BLOB_RACE_NAME=racer%d", i))
		cmds[i].Stdout = &outs[i]
		if err := cmds[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	creators, seen := map[string][]string{}, map[string]map[string]bool{}
	for i := range cmds {
		if err := cmds[i].Wait(); err != nil {
			t.Fatalf("racer %d: %v\n%s", i, err, &outs[i])
		}
		for sc := bufio.NewScanner(&outs[i]); sc.Scan(); {
			f := strings.Fields(sc.Text())
			if len(f) != 4 || f[0] != "race" {
				continue
			}
			key, value := f[1], f[2]
			if f[3] == "true" {
				creators[key] = append(creators[key], value)
			}
			if seen[key] == nil {
				seen[key] = map[string]bool{}
			}
			seen[key][value] = true
		}
	}
	if len(seen) != races {
		t.Fatalf("%d keys were raced for, want %d", len(seen), races)
	}
	winners := map[string]int{}
	for key, values := range seen {
		if len(creators[key]) != 1 || len(values) != 1 {
			t.Errorf("key %s: creators %v, values %v: want one of each", key, creators[key], values)
			continue
		}
		winners[creators[key][0]]++
	}
	t.Logf("wins: %v", winners)
}

func race(t *testing.T, dir, name string) {
	s := open(t, "file://"+dir)
	for i := range races {
		key := fmt.Sprintf("owners/d/%d", i)
		existing, created, err := s.PutNew(t.Context(), key, []byte(name))
		if err != nil {
			t.Fatal(err)
		}
		if created {
			existing = []byte(name)
		}
		fmt.Println("race", key, string(existing), created)
	}
}

// TestKilledWhileWriting kills a process that writes values of 100 KB: every value that it reported is there, and every value
// that is there is whole.
func TestKilledWhileWriting(t *testing.T) {
	const size = 100_000
	value := func(key string) []byte { // a key that ends in + has that of the one without
		key = strings.TrimSuffix(key, "+")
		return bytes.Repeat([]byte(key), size/len(key))
	}
	if dir := os.Getenv("BLOB_KILL_DIR"); dir != "" {
		s := open(t, "file://"+dir)
		for i := 0; ; i++ {
			key := fmt.Sprintf("images/%02d/%08d", i%7, i)
			keys := []string{key}
			var err error
			switch i % 3 {
			case 0:
				err = s.Put(t.Context(), key, value(key))
			case 1:
				_, _, err = s.PutNew(t.Context(), key, value(key))
			case 2:
				keys = append(keys, key+"+")
				_, _, err = s.PutNewEach(t.Context(), value(key), keys...)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range keys {
				fmt.Println("wrote", key)
			}
		}
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var reported []string
	for range 3 {
		cmd := exec.Command(exe, "-test.run=^TestKilledWhileWriting$", "-test.v")
		cmd.Env = append(os.Environ(), "BLOB_KILL_DIR="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		n := 0
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if key, ok := strings.CutPrefix(sc.Text(), "wrote "); ok {
				reported = append(reported, key)
				if n++; n == 25 {
					_ = cmd.Process.Kill() // and what it still reports is read on
				}
			}
		}
		_ = cmd.Wait()
	}
	s := open(t, "file://"+dir)
	for _, key := range reported {
		if _, err := s.Get(t.Context(), key); err != nil {
			t.Errorf("reported but lost: %v", err)
		}
	}
	listed := 0
	for key, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if data, err := s.Get(t.Context(), key); err != nil || !bytes.Equal(data, value(key)) {
			t.Errorf("%s is not whole: %d bytes, %v", key, len(data), err)
		}
		listed++
	}
	if len(reported) < 75 || listed == 0 {
		t.Errorf("%d reported, %d listed", len(reported), listed)
	}
}

// TestFolderHoldsNothingElse checks that a folder has exactly one file a value, so that people can copy it with any tool,
// and that files a dead process left behind go away while fresh ones of living processes stay.
func TestFolderHoldsNothingElse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "store")
	s := open(t, "file://"+dir)
	for _, key := range []string{"a/b/c", "a/d", "e"} {
		if err := s.Put(t.Context(), key, []byte(key)); err != nil {
			t.Fatal(err)
		}
		if _, created, err := s.PutNew(t.Context(), key+"new", []byte(key)); err != nil || !created {
			t.Fatalf("create %snew: created %v, %v", key, created, err)
		}
	}
	old, fresh := filepath.Join(dir, ".pending", "1"), filepath.Join(dir, ".pending", "2")
	for _, f := range []string{old, fresh} {
		if err := os.WriteFile(f, []byte("half a val"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	s = open(t, "file://"+dir)

	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{".pending/2", "a/b/c", "a/b/cnew", "a/d", "a/dnew", "e", "enew"}
	if !slices.Equal(files, want) {
		t.Errorf("files %v, want %v", files, want)
	}
	var keys []string
	for key, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if !slices.Equal(keys, want[1:]) {
		t.Errorf("keys %v, want %v", keys, want[1:])
	}
}

func TestKeysStayInside(t *testing.T) {
	outer := t.TempDir()
	s := open(t, "file://"+filepath.Join(outer, "store"))
	ctx := context.Background()
	for _, key := range []string{"", ".", "..", "../x", "/x", "a//b", "a/../b", "a/", "a\x00b", "a\nb", ".pending/x", ".pending", `a\b`} {
		if err := s.Put(ctx, key, nil); err == nil {
			t.Errorf("put %q succeeded", key)
		}
		if _, _, err := s.PutNew(ctx, key, nil); err == nil {
			t.Errorf("create %q succeeded", key)
		}
		if _, err := s.Get(ctx, key); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("get %q: %v, want the key refused", key, err)
		}
		if err := s.Delete(ctx, key); err == nil {
			t.Errorf("delete %q succeeded", key)
		}
	}
	if entries, _ := os.ReadDir(outer); len(entries) != 1 {
		t.Errorf("files outside of the store: %v", entries)
	}
}

// TestDeleteKeepsFolders deletes a folder's last value and the folder's own name, and writes there again.
func TestDeleteKeepsFolders(t *testing.T) {
	s := open(t, "file://"+t.TempDir())
	for range 2 {
		if err := s.Put(t.Context(), "a/b", []byte("x")); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a/b", "a", "a/b/c", "none/at/all"} {
			if err := s.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestConfig(t *testing.T) {
	for url, want := range map[string]string{
		"":                   "want file:///folder or s3://bucket",
		"/data":              "want file:///folder or s3://bucket",
		"gs://b":             "want file:///folder or s3://bucket",
		"file://":            "names no folder",
		"file://host/x":      "names no folder",
		"file:///x?create=1": "takes no options",
		"s3://":              "names no bucket",
		"s3://%zz":           "invalid URL escape",
	} {
		if err := (blob.Config{URL: url}).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", url, err, want)
		}
	}
	for _, url := range []string{"file:///a/b", "file://localhost/a", "file://./a", "file://../a", "s3://b?region=eu-north-1"} {
		if err := (blob.Config{URL: url}).Validate(); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
}
