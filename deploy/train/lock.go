package train

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Lock takes the files that a training writes for this process until unlock or until it ends, however it ends: two trainings on one
// checkpoint would overwrite each other's. It does not wait. Beside each file lies an empty one of that name and .lock, which unlock
// removes; a file of that name that holds something is refused, and stays.
func Lock(paths ...string) (unlock func() error, err error) {
	var held []*os.File
	unlock = func() (err error) {
		for _, f := range held {
			if named(f) { // else it is another file by now, such as one that the training wrote
				err = errors.Join(err, os.Remove(f.Name()))
			}
			err = errors.Join(err, f.Close()) // last: whoever opened it meanwhile finds another at its name
		}
		return err
	}
	for _, path := range paths {
		if path == "" {
			continue
		}
		f, err := lock(path)
		if err != nil {
			return nil, errors.Join(err, unlock())
		}
		held = append(held, f)
	}
	return unlock, nil
}

func lock(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			_ = f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, fmt.Errorf("%s is being written by another training: wait for that one, stop it, or name another file", path)
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if info, err := f.Stat(); err != nil || info.Size() > 0 {
			if err == nil {
				err = fmt.Errorf("%s is no lock: name another file than %s, or move it", f.Name(), path)
			}
			return nil, errors.Join(err, f.Close())
		}
		if named(f) {
			return f, nil
		}
		_ = f.Close() // another process removed it between the two calls
	}
}

// named tells whether an open file is the one at its name.
func named(f *os.File) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	at, err := os.Stat(f.Name())
	return err == nil && os.SameFile(held, at)
}
