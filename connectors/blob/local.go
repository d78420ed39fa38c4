package blob

// The local folder: one file a value at the key's path, nothing beside it. A value is written to a temporary file, synced,
// and then renamed (Put) or linked (PutNew) to its name, and the folder synced, so that it is whole or absent after a power
// cut, and linking makes exclusive creation atomic between processes. PutNewEach links one file to several names: each goes
// its own way from there, since no file is written to once it has a name. Syncing is most of what a value costs.
//
// The umask decides who else may use the folder: processes of several users need one that leaves their group its rights, such
// as 002, and a folder whose group is handed down (chmod g+s).

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// pending is the folder of files being written, on the same file system as the values. No key may begin with it.
const pending = ".pending"

// abandoned is the age past which a pending file belongs to a process that died.
const abandoned = time.Hour

type local struct {
	root    string
	folders sync.Map // paths of folders whose entry in their parent is durable
}

func openLocal(root string) (*local, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("blob: folder %s: %w", root, err)
	}
	s := &local{root: root}
	dir := filepath.Join(root, pending)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > abandoned {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	return s, nil
}

func (s *local) path(key string) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	if strings.HasPrefix(key, pending) {
		return "", fmt.Errorf("blob: key %q: %s is the store's own", key, pending)
	}
	return filepath.Join(s.root, filepath.FromSlash(key)), nil
}

func (s *local) Put(ctx context.Context, key string, data []byte) error {
	path, err := s.path(key)
	if err != nil {
		return err
	}
	tmp, err := s.stage(ctx, data)
	if err != nil {
		return fmt.Errorf("blob: put %s: %w", key, err)
	}
	folder := filepath.Dir(path)
	if err = s.makeFolder(folder); err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return fmt.Errorf("blob: put %s: %w", key, err)
	}
	if err := syncFolder(folder); err != nil {
		return fmt.Errorf("blob: put %s: %w", key, err)
	}
	return nil
}

func (s *local) PutNew(ctx context.Context, key string, data []byte) (existing []byte, created bool, err error) {
	tmp, err := s.stage(ctx, data)
	if err != nil {
		return nil, false, fmt.Errorf("blob: create %s: %w", key, err)
	}
	defer os.Remove(tmp)
	return s.link(tmp, key)
}

func (s *local) PutNewEach(ctx context.Context, data []byte, keys ...string) (n int, existing []byte, err error) {
	tmp, err := s.stage(ctx, data)
	if err != nil {
		return 0, nil, fmt.Errorf("blob: create %s: %w", strings.Join(keys, ", "), err)
	}
	defer os.Remove(tmp)
	return putNewEach(data, keys, func(key string) ([]byte, bool, error) { return s.link(tmp, key) })
}

// link gives a staged file the name of a key, unless that exists.
func (s *local) link(tmp, key string) (existing []byte, created bool, err error) {
	path, err := s.path(key)
	if err != nil {
		return nil, false, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("blob: create %s: %w", key, err)
		}
	}()
	folder := filepath.Dir(path)
	if err := s.makeFolder(folder); err != nil {
		return nil, false, err
	}
	for range 100 {
		if err = os.Link(tmp, path); err == nil {
			return nil, true, syncFolder(folder)
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, false, err
		}
		// A value that exists may still be on its way to the disk: whoever acts on it waits for that too.
		if existing, err = os.ReadFile(path); err == nil {
			return existing, false, syncFolder(folder)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, false, err
		}
	}
	return nil, false, errContended
}

func (s *local) Get(ctx context.Context, key string) ([]byte, error) {
	path, err := s.path(key)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOTDIR) { // other keys begin with this one, or it with another
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("blob: get %s: %w", key, err)
	}
	return data, nil
}

func (s *local) Delete(ctx context.Context, key string) error {
	path, err := s.path(key)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return nil // no value, and os.Remove would take an empty folder
	}
	err = os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("blob: delete %s: %w", key, err)
	}
	return nil
}

func (s *local) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		s.walk(ctx, "", prefix, yield)
	}
}

// walk yields the keys below folder ("" or ending in a slash) that begin with prefix, and tells whether to go on.
func (s *local) walk(ctx context.Context, folder, prefix string, yield func(string, error) bool) bool {
	if err := ctx.Err(); err != nil {
		yield("", err)
		return false
	}
	entries, err := os.ReadDir(filepath.Join(s.root, filepath.FromSlash(folder)))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return true
		}
		yield("", fmt.Errorf("blob: list %s: %w", prefix, err))
		return false
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		name := folder + e.Name()
		if name == pending {
			continue
		}
		if e.IsDir() {
			name += "/" // sorts as the keys below it do
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		below := strings.HasSuffix(name, "/")
		switch {
		case below && (strings.HasPrefix(name, prefix) || strings.HasPrefix(prefix, name)):
			if !s.walk(ctx, name, prefix, yield) {
				return false
			}
		case !below && strings.HasPrefix(name, prefix):
			if !yield(name, nil) {
				return false
			}
		}
	}
	return true
}

func (s *local) Close() error { return nil }

// stage writes data to a synced temporary file.
func (s *local) stage(ctx context.Context, data []byte) (tmp string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	f, err := os.OpenFile(filepath.Join(s.root, pending, rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// makeFolder creates a folder and those above it, and returns when their entries are durable. A folder made by another
// process is synced once by this one too, since the other may not have come to it yet.
func (s *local) makeFolder(dir string) error {
	if _, ok := s.folders.Load(dir); ok || dir == s.root {
		return nil
	}
	up := filepath.Dir(dir)
	if err := s.makeFolder(up); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := syncFolder(up); err != nil {
		return err
	}
	s.folders.Store(dir, nil)
	return nil
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
