// Package realdata finds the real images, labels and models that tests and benchmarks use, which are not part of the repo.
package realdata

import (
	"os"
	"path/filepath"
	"testing"
)

// Dir returns the folder of real data: GLEANER_DATA, else ../shared/data beside the project. ok tells whether it is there.
func Dir() (dir string, ok bool) {
	if dir = os.Getenv("GLEANER_DATA"); dir == "" {
		d, err := os.Getwd()
		if err != nil {
			return "", false
		}
		for {
			if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
				break
			}
			up := filepath.Dir(d)
			if up == d {
				return "", false
			}
			d = up
		}
		dir = filepath.Join(filepath.Dir(d), "shared", "data")
	}
	_, err := os.Stat(filepath.Join(dir, "SHA256SUMS"))
	return dir, err == nil
}

// Need returns the path of an entry of the real data, and skips the test, loudly, where it is absent.
func Need(tb testing.TB, elem ...string) string {
	tb.Helper()
	dir, ok := Dir()
	path := filepath.Join(append([]string{dir}, elem...)...)
	if ok {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	tb.Skipf("SKIPPED, NOT PASSED: real data %s is absent; set GLEANER_DATA to the folder that has it", filepath.Join(elem...))
	return ""
}
