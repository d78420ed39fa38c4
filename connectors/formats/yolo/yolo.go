// Package yolo reads the label files of YOLO detectors: one text file an image, one line an object, `class cx cy w h` with
// the center and the size of the box as shares of the image; or `class x1 y1 x2 y2 x3 y3 …`, a polygon in the same unit.
package yolo

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

const maxLine = 1 << 20 // bytes; a polygon of some fifty thousand corners

// Read returns the objects of one label file for an image of w by h pixels, with ids o1, o2, … by line; empty lines
// are passed over. A polygon becomes the box around it. Boxes that reach beyond the image by a pixel at most, as rounding makes them, are
// cut to it; others stay as they are. Errors name the line.
func Read(r io.Reader, names []string, w, h int) ([]schemas.Object, error) {
	var objects []schemas.Object
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(strings.TrimPrefix(lines.Text(), "\ufeff")) // some editors put a byte order mark first
		if len(fields) == 0 {
			continue
		}
		class, err := strconv.Atoi(fields[0])
		if err != nil || class < 0 || class >= len(names) {
			return nil, fmt.Errorf("line %d: class %q: must be a number from 0 to %d, the classes there are names for", n, fields[0], len(names)-1)
		}
		values := make([]float64, len(fields)-1)
		for i, f := range fields[1:] {
			if values[i], err = strconv.ParseFloat(f, 64); err != nil || math.IsNaN(values[i]) || math.Abs(values[i]) > 16 {
				return nil, fmt.Errorf("line %d: %q: must be a share of the image, about 0 to 1", n, f)
			}
		}
		box, err := toBox(values)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		box = geometry.Box{X1: box.X1 * float32(w), Y1: box.Y1 * float32(h), X2: box.X2 * float32(w), Y2: box.Y2 * float32(h)}
		if min(box.X1, box.Y1, float32(w)-box.X2, float32(h)-box.Y2) >= -1 {
			box = box.Clip(w, h)
		}
		objects = append(objects, schemas.Object{ID: fmt.Sprintf("o%d", len(objects)+1), Class: names[class], Box: box})
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return nil, fmt.Errorf("a line is longer than %d bytes", maxLine)
		}
		return nil, err
	}
	return objects, nil
}

func toBox(v []float64) (geometry.Box, error) {
	switch {
	case len(v) == 4:
		return geometry.Box{
			X1: float32(v[0] - v[2]/2), Y1: float32(v[1] - v[3]/2),
			X2: float32(v[0] + v[2]/2), Y2: float32(v[1] + v[3]/2),
		}, nil
	case len(v) >= 6 && len(v)%2 == 0:
		b := geometry.Box{X1: float32(v[0]), Y1: float32(v[1]), X2: float32(v[0]), Y2: float32(v[1])}
		for i := 2; i < len(v); i += 2 {
			b.X1, b.X2 = min(b.X1, float32(v[i])), max(b.X2, float32(v[i]))
			b.Y1, b.Y2 = min(b.Y1, float32(v[i+1])), max(b.Y2, float32(v[i+1]))
		}
		return b, nil
	}
	return geometry.Box{}, fmt.Errorf("%d numbers after the class: want 4 (center and size), or 6 and more in pairs (a polygon)", len(v))
}

// ReadNames returns the class names of a dataset's YAML file: its key `names`, a list or a map from number to name.
func ReadNames(data []byte) ([]string, error) {
	var file struct {
		Names any `yaml:"names"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	switch names := file.Names.(type) {
	case []any:
		if len(names) == 0 {
			break
		}
		out := make([]string, len(names))
		for i, n := range names {
			out[i] = fmt.Sprint(n)
		}
		return out, nil
	case map[string]any:
		if len(names) == 0 {
			break
		}
		out := make([]string, len(names))
		for k, n := range names {
			i, err := strconv.Atoi(k)
			if err != nil || i < 0 || i >= len(out) || out[i] != "" {
				return nil, fmt.Errorf("names: key %q: keys must be 0 to %d, each once", k, len(out)-1)
			}
			out[i] = fmt.Sprint(n)
		}
		return out, nil
	}
	return nil, errors.New("no list or map `names` with the class names")
}
