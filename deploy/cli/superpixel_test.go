package cli

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runSuperpixel runs the command and returns what it prints.
func runSuperpixel(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot("test")
	root.SetOut(&out)
	root.SetArgs(append([]string{"superpixel"}, args...))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestSuperpixelCommand(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	var data bytes.Buffer
	if err := png.Encode(&data, image.NewRGBA(image.Rect(0, 0, 64, 48))); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"a.png": data.Bytes(), "b.png": []byte("not an image")} {
		if err := os.WriteFile(filepath.Join(in, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := runSuperpixel(t, in, "--out", out, "--segments", "12", "--json")
	if err == nil || !strings.Contains(err.Error(), "1 of 2 files") {
		t.Errorf("%v, want that one of two files failed", err)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	var sum superpixelSum
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 3 || sum.Images != 1 || sum.Failed != 1 || sum.Left != 0 || sum.Regions < 1 || sum.Whole.Median < sum.Segment.Median {
		t.Errorf("printed %s", text)
	}
	if text, err := runSuperpixel(t, filepath.Join(in, "a.png"), "--out", out, "--verbose"); err != nil || !strings.Contains(text, "a.png: 64x48, regions ") {
		t.Errorf("%v, printed %s", err, text)
	}
}

func TestSuperpixelCommandLine(t *testing.T) {
	in := t.TempDir()
	for _, c := range []struct {
		want string
		args []string
	}{
		{"at least 1 arg", nil},
		{"--out is required", []string{in}},
		{"--segments 0", []string{in, "--out", in, "--segments", "0"}},
		{"--segments 65535", []string{in, "--out", in, "--segments", "65535"}},
		{"--quality", []string{in, "--out", in, "--quality", "best"}},
		{"--levels 0", []string{in, "--out", in, "--levels", "0"}},
		{"--levels 10", []string{in, "--out", in, "--levels", "10"}},
		{"--jobs 0", []string{in, "--out", in, "--jobs", "0"}},
		{"--compactness", []string{in, "--out", in, "--compactness", "NaN"}},
		{"no images in", []string{in, "--out", t.TempDir()}},
	} {
		if _, err := runSuperpixel(t, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
	}
}

func TestSpread(t *testing.T) {
	var values []float64
	for i := range 101 {
		values = append(values, float64(100-i))
	}
	if s := spreadOf(values); s != (spread{50, 95}) {
		t.Errorf("%+v, want median 50 and p95 95", s)
	}
	if s := spreadOf(nil); s != (spread{}) {
		t.Errorf("%+v of nothing", s)
	}
}
